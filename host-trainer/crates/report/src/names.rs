//! Names of targets, units and identifiers in a report.

use learn::evaluate::Measurand;

/// The unit of a target.
pub(super) fn unit(target: Measurand) -> &'static str {
    match target {
        Measurand::Power => "W",
        Measurand::Runtime => "ms",
        Measurand::Energy => "mJ",
    }
}

/// The name of a target.
pub(super) fn target_name(target: Measurand) -> &'static str {
    match target {
        Measurand::Power => "power",
        Measurand::Runtime => "run time",
        Measurand::Energy => "energy",
    }
}

/// A name as part of an identifier: lower-case letters, digits and hyphens.
pub(super) fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
