//! The entries of an alias' audit trail, and what they add up to.

use super::{Alias, Comparison, Stamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{Digest, Entry};

/// What put a model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was promoted.
    Promote,
    /// The one before it was taken back.
    Rollback,
}

impl Action {
    /// The word that tables carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// One entry of the audit trail: from here on, `to` is deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Promotion {
    /// What happened.
    pub action: Action,
    /// What changed.
    #[schema(value_type = String)]
    pub alias: Alias,
    /// The model deployed until then.
    #[schema(value_type = Option<String>)]
    pub from: Option<Digest>,
    /// The model deployed from then on.
    #[schema(value_type = String)]
    pub to: Digest,
    /// Its number among the alias' models.
    pub version: u64,
    /// The SHA-256 of its graph.
    #[schema(value_type = String)]
    pub onnx: Digest,
    /// The SHA-256 of the device file that belongs to it.
    #[schema(value_type = String)]
    pub device_file: Digest,
    /// The figures that decided; none for a rollback and where nobody asked for any.
    pub comparison: Option<Comparison>,
    /// Whether it was put in force against the figures.
    pub forced: bool,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// Models that a rollback took back: they count as declined from then on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub declined: Vec<Digest>,
    /// When, and by whom.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// What an alias' audit trail adds up to.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    entries: Vec<Entry<Promotion>>,
    /// Indices of the entries whose models are in force or lie below the one that is; the last is in force.
    standing: Vec<usize>,
    declined: BTreeSet<Digest>,
}

impl Trail {
    /// Adds entries in order.
    pub(super) fn extend(&mut self, entries: Vec<Entry<Promotion>>) {
        for entry in entries {
            let index = self.entries.len();
            let promotion = &entry.value;
            if promotion.action == Action::Rollback {
                self.declined.extend(&promotion.declined);
                // Back to the model as it stood; one that does not stand any more is put on top again.
                match self.standing.iter().rposition(|&i| self.entries[i].value.to == promotion.to) {
                    Some(below) => self.standing.truncate(below),
                    None => drop(self.standing.pop()),
                }
            }
            self.declined.remove(&promotion.to);
            self.standing.push(index);
            self.entries.push(entry);
        }
    }

    /// Every entry, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry<Promotion>] {
        &self.entries
    }

    /// The number of the last entry; 0 while there is none.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.number)
    }

    /// The entry in force.
    #[must_use]
    pub fn deployed(&self) -> Option<&Promotion> {
        self.entries.last().map(|entry| &entry.value)
    }

    /// The entry that a rollback goes back to: the model that was deployed before the one in force, of those not taken back.
    #[must_use]
    pub fn previous(&self) -> Option<&Promotion> {
        let below = self.standing.len().checked_sub(2)?;
        Some(&self.entries[self.standing[below]].value)
    }

    /// The last entry that put a model in force.
    #[must_use]
    pub fn deployment_of(&self, model: Digest) -> Option<&Promotion> {
        self.entries.iter().rev().map(|entry| &entry.value).find(|promotion| promotion.to == model)
    }

    /// Whether a model was taken back and not been put in force since.
    #[must_use]
    pub fn has_declined(&self, model: Digest) -> bool {
        self.declined.contains(&model)
    }

    /// The models that going back to `to` takes back: those that stand above it, or the deployed one alone where it does
    /// not stand any more.
    pub(super) fn taken_back_for(&self, to: Digest) -> Vec<Digest> {
        let models = |indices: &[usize]| -> Vec<Digest> {
            let all: BTreeSet<Digest> =
                indices.iter().map(|&i| self.entries[i].value.to).filter(|m| *m != to).collect();
            all.into_iter().collect()
        };
        match self.standing.iter().rposition(|&i| self.entries[i].value.to == to) {
            Some(below) => models(&self.standing[below..]),
            None => models(&self.standing[self.standing.len().saturating_sub(1)..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::model::Target;
    use shared::engine::Table;

    fn model(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn add(trail: &mut Trail, action: Action, to: &str) {
        let declined = if action == Action::Rollback { trail.taken_back_for(model(to)) } else { Vec::new() };
        let promotion = Promotion {
            action,
            alias: Alias::new("board", Table::Dense, Target::Power).expect("a name"),
            from: trail.deployed().map(|p| p.to),
            to: model(to),
            version: 1,
            onnx: model(to),
            device_file: model("device"),
            comparison: None,
            forced: false,
            reason: None,
            declined,
            stamp: Stamp { when: String::new(), who: String::new() },
        };
        let number = trail.head() + 1;
        trail.extend(vec![Entry { number, value: promotion }]);
    }

    #[test]
    fn rollbacks_undo_promotions_one_by_one() {
        let mut trail = Trail::default();
        for name in ["a", "b", "c"] {
            add(&mut trail, Action::Promote, name);
        }
        assert_eq!(trail.previous().map(|p| p.to), Some(model("b")));
        add(&mut trail, Action::Rollback, "b");
        assert!(trail.has_declined(model("c")) && !trail.has_declined(model("b")));
        assert_eq!(trail.previous().map(|p| p.to), Some(model("a")));
        add(&mut trail, Action::Rollback, "a");
        assert!(trail.previous().is_none() && trail.has_declined(model("b")));
        add(&mut trail, Action::Promote, "c");
        assert!(!trail.has_declined(model("c")));
        assert_eq!(trail.previous().map(|p| p.to), Some(model("a")));
    }

    #[test]
    fn going_back_over_several_declines_them_all() {
        let mut trail = Trail::default();
        for name in ["a", "b", "c", "d"] {
            add(&mut trail, Action::Promote, name);
        }
        add(&mut trail, Action::Rollback, "b");
        assert!(trail.has_declined(model("c")) && trail.has_declined(model("d")));
        assert!(!trail.has_declined(model("a")) && !trail.has_declined(model("b")));
        // `d` was taken back; going to it by name puts it above `a` in place of `b`.
        add(&mut trail, Action::Rollback, "d");
        assert!(trail.has_declined(model("b")) && !trail.has_declined(model("d")));
        assert_eq!(trail.previous().map(|p| p.to), Some(model("a")));
    }
}
