//! The space that is searched where nobody gives one: each model kind's own.

use super::space::Space;
use learn::fit::kinds::Kind;

/// The space of a kind.
///
/// # Errors
/// A sentence, for a kind that has no options to search.
pub fn space(kind: Kind) -> Result<Space, String> {
    let parts = kind.search_space();
    if parts.is_empty() {
        return Err(format!("{} has no options of its own to search; say what to search", kind.name()));
    }
    Space::from_table(&toml::from_str(&parts.join("\n")).map_err(|e| e.to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::planned;
    use learn::fit::plan::Plan;

    #[test]
    fn default_spaces_hold_what_plans_take() {
        let spaces = Kind::ALL.iter().filter_map(|kind| Some((kind.name(), space(*kind).ok()?)));
        let mut kinds = Vec::new();
        for (kind, space) in spaces {
            planned(&Plan::default(), &space).expect("known options");
            kinds.push(kind);
        }
        assert_eq!(kinds, ["lasso", "hybrid", "mlp", "blend"]);
    }
}
