//! The comparison of two sides: totals, groups of layers with their change, and causes.

use crate::causes::causes;
use crate::change::{GroupChange, SideSummary, change, summary};
use crate::matching::groups;
use crate::side::{Origin, Side};
use serde::Serialize;

/// The JSON document's own version.
pub const SCHEMA_VERSION: u32 = 1;

/// Two sides compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The first side.
    pub a: SideSummary,
    /// The second side.
    pub b: SideSummary,
    /// Change of the run time, ms; `null` unless both are known as a whole.
    pub runtime_change_ms: Option<f64>,
    /// Change of the energy, mJ.
    pub energy_change_mj: Option<f64>,
    /// Groups of layers, in execution order of the first side.
    pub groups: Vec<GroupChange>,
    /// Why they differ, in words: the whole first.
    pub causes: Vec<String>,
    /// What a user should know before trusting it.
    pub warnings: Vec<String>,
}

impl Comparison {
    /// Compares two sides.
    #[must_use]
    pub fn of(a: &Side, b: &Side) -> Self {
        let (found, distrusted) = groups(&a.layers, &b.layers);
        let groups: Vec<GroupChange> = found.iter().map(|group| change(group, a, b)).collect();
        let (first, second) = (summary(a), summary(b));
        let difference = |from: Option<f64>, to: Option<f64>| Some(to? - from?);
        let runtime = |side: &Side| side.runtime().whole().map(|t| t.0);
        let energy = |side: &Side| side.energy().whole().map(|e| e.0);
        let mut warnings = warnings(a, b);
        if distrusted {
            warnings.push(
                "operators are only numbered, and equal numbers mean different operators; layers are matched by shape"
                    .to_owned(),
            );
        }
        Self {
            schema_version: SCHEMA_VERSION,
            runtime_change_ms: difference(runtime(a), runtime(b)),
            energy_change_mj: difference(energy(a), energy(b)),
            causes: causes(&first, &second, &groups),
            a: first,
            b: second,
            groups,
            warnings,
        }
    }

    /// The groups whose run time changes most, either way; those of unknown change last.
    #[must_use]
    pub fn by_change(&self) -> Vec<&GroupChange> {
        let mut groups: Vec<&GroupChange> = self.groups.iter().collect();
        let size = |group: &GroupChange| group.runtime_change_ms.map_or(-1.0, f64::abs);
        groups.sort_by(|a, b| size(b).total_cmp(&size(a)));
        groups
    }
}

fn warnings(a: &Side, b: &Side) -> Vec<String> {
    let mut warnings = Vec::new();
    match (&a.origin, &b.origin) {
        (Origin::Measured, Origin::Predicted { .. }) | (Origin::Predicted { .. }, Origin::Measured) => {
            warnings.push("one side is measured and the other predicted; changes contain the models' error".to_owned());
        }
        (Origin::Predicted { device: first }, Origin::Predicted { device: second }) if first != second => {
            warnings.push(format!("A is predicted for {first} and B for {second}"));
        }
        _ => {}
    }
    let batch = |side: &Side| side.layers.iter().find_map(|layer| layer.output.first().copied()).filter(|n| *n > 0);
    if let (Some(first), Some(second)) = (batch(a), batch(b))
        && first != second
    {
        warnings.push(format!("A has batches of {first} and B of {second}; figures are those of a batch"));
    }
    for (letter, side) in [("A", a), ("B", b)] {
        warnings.extend(side.warnings.iter().map(|warning| format!("{letter}: {warning}")));
    }
    warnings
}
