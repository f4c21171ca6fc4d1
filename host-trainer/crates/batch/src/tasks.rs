//! Tasks: what one training is, by hash.

use crate::configuration::digest;
use serde::{Deserialize, Serialize};
use shared::failure::Failure;

/// Repeats of one combination of data set, model and training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The data set, by content.
    pub dataset: String,
    /// The model, by content.
    pub model: String,
    /// The training, by content.
    pub training: String,
    /// `class.architecture`.
    pub label: String,
    /// Number of the first repeat.
    pub first: u64,
    /// Number of repeats.
    pub count: u64,
}

/// One training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its place in the batch, from 0.
    pub number: u64,
    /// Its name: a SHA-256 over what follows.
    pub id: String,
    /// The data set, by content.
    pub dataset: String,
    /// The model, by content.
    pub model: String,
    /// The training, by content.
    pub training: String,
    /// Which of several trainings of the same it is, from 0.
    pub repeat: u64,
    /// `class.architecture`.
    pub label: String,
}

impl Task {
    /// The seed of everything random in it, which follows from its name.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let digest = shared::digest::sha256_bytes(format!("seed of {}", self.id).as_bytes());
        let bytes = digest.first_chunk::<8>().copied().unwrap_or_default();
        // Configurations keep seeds as TOML's integers, which have a sign.
        u64::from_le_bytes(bytes) & (i64::MAX as u64)
    }
}

/// The tasks of some groups, numbered from a number on.
///
/// # Errors
/// None that text can cause.
pub(crate) fn tasks_of(groups: &[Group], from: u64) -> Result<Vec<Task>, Failure> {
    let mut tasks = Vec::new();
    for group in groups {
        for repeat in group.first..group.first + group.count {
            let id = digest("task", &(&group.dataset, &group.model, &group.training, repeat))?;
            tasks.push(Task {
                number: from + tasks.len() as u64,
                id,
                dataset: group.dataset.clone(),
                model: group.model.clone(),
                training: group.training.clone(),
                repeat,
                label: group.label.clone(),
            });
        }
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_task_has_a_name_and_a_seed_of_its_own_that_stay() {
        let group = Group {
            dataset: "d".into(),
            model: "m".into(),
            training: "t".into(),
            label: "a.b".into(),
            first: 0,
            count: 1000,
        };
        let tasks = tasks_of(std::slice::from_ref(&group), 5).expect("tasks");
        let ids: BTreeSet<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        let seeds: BTreeSet<u64> = tasks.iter().map(Task::seed).collect();
        assert_eq!((ids.len(), seeds.len(), tasks[0].number, tasks[999].number), (1000, 1000, 5, 1004));
        let more = tasks_of(&[Group { first: 10, count: 1, ..group }], 0).expect("tasks");
        assert_eq!((&more[0].id, more[0].seed()), (&tasks[10].id, tasks[10].seed()));
        assert!(seeds.iter().all(|seed| i64::try_from(*seed).is_ok()));
    }
}
