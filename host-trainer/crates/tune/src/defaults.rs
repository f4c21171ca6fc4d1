//! What is searched where nobody says: a space for each model kind.

use super::space::Space;
use learn::fit::kinds::Kind;

/// The reference's space for perceptrons, with its widths in reach of ours.
const MLP: &str = r#"
mlp.hidden = { list = { low = 4, high = 128, log = true }, length = [1, 3] }
mlp.dropouts = { list = { low = 0.0, high = 0.25 }, length = "mlp.hidden" }
mlp.learning_rate = { low = 1e-4, high = 1e-2, log = true }
mlp.weight_decay = { low = 1e-7, high = 1e-2, log = true }
mlp.batch_size = [16, 32, 64, 128]
mlp.gradient_norm = [0.0, 1.0]
"#;

const HYBRID: &str = r#"
hybrid.learning_rate = { low = 0.01, high = 0.3, log = true }
hybrid.leaves = { low = 4, high = 64, log = true }
hybrid.leaf_rows = { low = 2, high = 40, log = true }
hybrid.ridge = { low = 0.1, high = 30.0, log = true }
"#;

const LASSO: &str = r#"
lasso.weighting = ["equal", "relative"]
lasso.eps = { low = 1e-5, high = 1e-2, log = true }
lasso.alphas = [100, 500]
"#;

/// The space of a kind.
///
/// # Errors
/// A sentence, for a kind that has no options to search.
pub fn space(kind: Kind) -> Result<Space, String> {
    let text = match kind {
        Kind::Mlp => MLP.to_owned(),
        Kind::Hybrid => HYBRID.to_owned(),
        Kind::Blend => [MLP, HYBRID].concat(),
        Kind::Lasso => LASSO.to_owned(),
        Kind::Physics | Kind::Auto => {
            return Err(format!("{} has no options of its own to search; say what to search", kind.name()));
        }
    };
    Space::from_table(&toml::from_str(&text).map_err(|e| e.to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::planned;
    use learn::fit::plan::Plan;

    #[test]
    fn default_spaces_hold_what_plans_take() {
        for kind in [Kind::Mlp, Kind::Hybrid, Kind::Blend, Kind::Lasso] {
            planned(&Plan::default(), &space(kind).expect("a space")).expect("known options");
        }
        assert!(space(Kind::Physics).is_err());
    }
}
