//! Which rows a network is trained on, and in what order an epoch meets them.

use crate::FitError;
use shared::random::SplitMix64;
use std::borrow::Cow;

/// How an epoch draws the rows that it trains on.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Sampling {
    /// Each row once, in another order every epoch.
    #[default]
    Shuffle,
    /// Each row once, in their order.
    Sequential,
    /// A number of rows.
    Draw {
        /// Rows an epoch.
        samples: usize,
        /// Whether a row may be drawn again before all others were.
        replacement: bool,
        /// How likely each training row is drawn, relative to the others; empty where all are alike. Takes `replacement`.
        weights: Vec<f64>,
    },
}

/// The rows of a table by what they are for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Partition {
    /// Rows to train on.
    pub training: Vec<u32>,
    /// Rows to validate on after each epoch; none where empty.
    pub validation: Vec<u32>,
    /// How an epoch draws the training rows.
    pub sampling: Sampling,
}

impl Partition {
    /// Checks that the rows are there and can be drawn.
    pub(super) fn check(&self, rows: usize) -> Result<(), FitError> {
        let wrong = |message: &str| Err(FitError::Data(message.to_owned()));
        if self.training.is_empty() {
            return Err(FitError::TooFewRows { found: 0, needed: 1 });
        }
        if self.training.iter().chain(&self.validation).any(|row| *row as usize >= rows) {
            return wrong("a partition names a row that the table does not have");
        }
        match &self.sampling {
            Sampling::Draw { samples: 0, .. } => wrong("a sampler draws no rows"),
            Sampling::Draw { weights, .. } if weights.is_empty() => Ok(()),
            Sampling::Draw { replacement: false, .. } => wrong("weighted rows are drawn with replacement only"),
            Sampling::Draw { weights, .. } if weights.len() != self.training.len() => {
                wrong("a sampler has another number of weights than there are training rows")
            }
            Sampling::Draw { weights, .. } => {
                let sum: f64 = weights.iter().sum();
                let ok = sum > 0.0 && sum.is_finite() && weights.iter().all(|w| *w >= 0.0);
                if ok { Ok(()) } else { wrong("weights of rows must be 0 or more, and one of them above 0") }
            }
            Sampling::Shuffle | Sampling::Sequential => Ok(()),
        }
    }
}

impl Sampling {
    /// The rows of the next epoch. `order` are all training rows, in the order that the last epoch left.
    pub(super) fn epoch<'o>(&self, order: &'o mut [u32], random: &mut SplitMix64) -> Cow<'o, [u32]> {
        match self {
            Self::Shuffle => {
                random.shuffle(order);
                Cow::Borrowed(order)
            }
            Self::Sequential => Cow::Borrowed(order),
            Self::Draw { samples, replacement: false, .. } => {
                let mut drawn = Vec::with_capacity(*samples);
                while drawn.len() < *samples {
                    random.shuffle(order);
                    drawn.extend(order.iter().take(samples - drawn.len()));
                }
                Cow::Owned(drawn)
            }
            Self::Draw { samples, weights, .. } if weights.is_empty() => {
                Cow::Owned((0..*samples).map(|_| order[random.below(order.len())]).collect())
            }
            Self::Draw { samples, weights, .. } => {
                let mut sum = 0.0;
                let sums: Vec<f64> = weights
                    .iter()
                    .map(|w| {
                        sum += w;
                        sum
                    })
                    .collect();
                let mut draw = || {
                    let at = random.uniform() * sum;
                    // The first row whose sum lies above: one of no weight is never taken.
                    sums.partition_point(|s| *s <= at).min(order.len() - 1)
                };
                Cow::Owned((0..*samples).map(|_| order[draw()]).collect())
            }
        }
    }
}
