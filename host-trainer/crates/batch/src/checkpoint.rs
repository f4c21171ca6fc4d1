//! What a worker keeps of a task that it has not finished: where training stands, and how it went so far.

use crate::folder::{Batch, Use};
use estimators::mlp::{Epoch, History};
use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use std::collections::BTreeMap;

/// Networks of an ensemble whose losses a checkpoint tells, and epochs of each: it stays small, however long training takes.
const MOST_NETWORKS: usize = 2;
const MOST_EPOCHS: usize = 100;

/// A checkpoint as the queue keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The progress, by hash.
    pub(crate) sha256: String,
    pub(crate) epochs: usize,
    /// Seconds that workers have spent on the task.
    pub(crate) seconds: f64,
    /// Copies of weights, by epoch.
    #[serde(default)]
    pub(crate) weights: BTreeMap<usize, String>,
    #[serde(default)]
    pub(crate) log: Vec<String>,
    /// How training went so far, for those who look on.
    #[serde(default)]
    pub(crate) losses: Vec<LossSoFar>,
}

/// The losses of one network so far: evenly spaced epochs, the last among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LossSoFar {
    /// Which epochs, from 1.
    pub epochs: Vec<usize>,
    /// Mean loss over the training rows in each; none where it was no number, which a document cannot hold.
    pub training: Vec<Option<f64>>,
    /// Mean loss over the validation rows after it; none where no rows are kept for that, or it was no number.
    pub validation: Vec<Option<f64>>,
}

impl LossSoFar {
    /// Some epochs of the first networks.
    pub(crate) fn of<'h>(histories: impl Iterator<Item = &'h History>) -> Vec<Self> {
        let of = |history: &History| {
            let step = history.epochs.len().div_ceil(MOST_EPOCHS).max(1);
            let mut listed: Vec<&Epoch> = history.epochs.iter().rev().step_by(step).collect();
            listed.reverse();
            Self {
                epochs: listed.iter().map(|epoch| epoch.epoch).collect(),
                training: listed.iter().map(|epoch| Some(epoch.training).filter(|loss| loss.is_finite())).collect(),
                validation: listed.iter().map(|epoch| epoch.validation.filter(|loss| loss.is_finite())).collect(),
            }
        };
        histories.take(MOST_NETWORKS).map(of).collect()
    }
}

/// A task that is not finished, as its worker kept it last.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Unfinished {
    /// The task, by name.
    pub task: String,
    /// Epochs behind it.
    pub epochs: usize,
    /// Seconds that workers had spent on it.
    pub seconds: f64,
    /// The losses of its first networks.
    pub losses: Vec<LossSoFar>,
}

/// How the running tasks of a batch stood when their workers kept them last. A task of which nothing is kept yet, or only what
/// another version wrote, is not among them.
///
/// # Errors
/// A queue that cannot be read.
pub async fn unfinished(batch: &Batch) -> Result<Vec<Unfinished>, Failure> {
    let queue = batch.queue(Use::Look).await?;
    let kept = queue.checkpoints().await;
    queue.close().await;
    let read = |(task, text): (String, String)| {
        let Kept { epochs, seconds, losses, .. } = serde_json::from_str(&text).ok()?;
        Some(Unfinished { task, epochs, seconds, losses })
    };
    Ok(kept?.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_epochs_are_told_and_the_last_is_among_them() {
        let epoch = |epoch: usize| Epoch {
            member: 0,
            epoch,
            training: 1.0 / epoch as f64,
            validation: epoch.is_multiple_of(2).then_some(0.5),
            regularisation: 0.0,
            learning_rate: 0.01,
        };
        let history = |count: usize| History {
            epochs: (1..=count).map(epoch).collect(),
            best_epoch: 1,
            best_loss: 1.0,
            training_rows: 8,
            validation_rows: 2,
        };
        let histories = [history(3), history(12_345), history(1)];
        let told = LossSoFar::of(histories.iter());
        assert_eq!(told.len(), MOST_NETWORKS);
        assert_eq!(told[0].epochs, [1, 2, 3]);
        assert_eq!(told[0].validation, [None, Some(0.5), None]);
        assert!(told[1].epochs.len() <= MOST_EPOCHS && told[1].epochs.last() == Some(&12_345), "{:?}", told[1].epochs);
        assert!(told[1].epochs.is_sorted() && told[1].training.len() == told[1].epochs.len());
    }

    #[test]
    fn a_loss_that_is_no_number_leaves_a_checkpoint_that_can_be_read() {
        let epoch = Epoch {
            member: 0,
            epoch: 1,
            training: f64::INFINITY,
            validation: Some(0.5),
            regularisation: 0.0,
            learning_rate: 0.01,
        };
        let history =
            History { epochs: vec![epoch], best_epoch: 1, best_loss: 0.5, training_rows: 8, validation_rows: 2 };
        let kept = Kept { losses: LossSoFar::of(std::iter::once(&history)), ..Kept::default() };
        let again: Kept = serde_json::from_str(&serde_json::to_string(&kept).expect("text")).expect("a checkpoint");
        assert_eq!((again.losses[0].training[0], again.losses[0].validation[0]), (None, Some(0.5)));
    }

    #[test]
    fn what_an_earlier_version_kept_has_no_losses() {
        let kept: Kept = serde_json::from_str(r#"{"sha256":"ab","epochs":7,"seconds":1.5}"#).expect("a checkpoint");
        assert!(kept.losses.is_empty() && kept.epochs == 7);
    }
}
