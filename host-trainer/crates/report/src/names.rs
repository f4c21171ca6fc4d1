//! Names of targets, units and identifiers in a report.

use learn::evaluate::Judged;

/// The unit of a target.
pub(super) fn unit(target: Judged) -> &'static str {
    match target {
        Judged::Power => "W",
        Judged::Runtime => "ms",
        Judged::Energy => "mJ",
    }
}

/// The name of a target.
pub(super) fn target_name(target: Judged) -> &'static str {
    match target {
        Judged::Power => "power",
        Judged::Runtime => "run time",
        Judged::Energy => "energy",
    }
}

/// A name as part of an identifier: lower-case letters, digits and hyphens.
pub(super) fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
