//! Which rows of a table are for training, validation and test, and how each is drawn.

use estimators::mlp::Sampling;
use learn::tabular::{RowSplit, TableData};
use serde::{Deserialize, Serialize};
use shared::random::SplitMix64;

/// What the streams of random numbers are for.
const FOR_SPLIT: u64 = 1;
const FOR_VALIDATION: u64 = 2;
const FOR_TEST: u64 = 3;

/// Shares of a table's rows that are kept from training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Share of the rows that decide when training stops.
    pub validation: f64,
    /// Share of the rows that judge the model.
    pub test: f64,
    /// Decides which rows these are.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Self { validation: 0.15, test: 0.2, seed: 0 }
    }
}

/// How rows are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Sampler {
    /// Each row once, in another order every epoch.
    Shuffle,
    /// Each row once, in their order.
    Sequential,
    /// A number of rows, drawn at random.
    Random {
        /// Rows an epoch.
        samples: usize,
        /// Whether a row may come again before all others came.
        #[serde(default)]
        replacement: bool,
    },
    /// The rows of a range, in their order.
    Subset {
        /// The first, counted from 0 among the rows of its part.
        #[serde(default)]
        first: usize,
        /// How many.
        count: usize,
    },
    /// Rows drawn with replacement, each as likely as its value in an input column says.
    Weighted {
        /// The column.
        column: String,
        /// Rows an epoch.
        samples: usize,
    },
}

/// How the rows of each part are drawn. Without one, training rows are shuffled and the others taken in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Samplers {
    /// Of training rows.
    pub train: Sampler,
    /// Of validation rows.
    pub validation: Sampler,
    /// Of test rows.
    pub test: Sampler,
}

impl Default for Samplers {
    fn default() -> Self {
        Self { train: Sampler::Shuffle, validation: Sampler::Sequential, test: Sampler::Sequential }
    }
}

impl Split {
    /// Checks the shares.
    ///
    /// # Errors
    /// A sentence that names the share.
    pub(crate) fn check(&self) -> Result<(), String> {
        let share = |x: f64| (0.0..1.0).contains(&x);
        if !share(self.validation) {
            return Err("`split.validation` must be at least 0 and below 1".into());
        }
        if !(share(self.test) && self.test > 0.0) {
            return Err("`split.test` must be above 0 and below 1: these rows give the score".into());
        }
        if self.validation + self.test >= 1.0 {
            return Err("`split.validation` and `split.test` leave no row to train on".into());
        }
        Ok(())
    }
}

impl Samplers {
    /// Checks samplers against the input columns of a table.
    ///
    /// # Errors
    /// A sentence that names the sampler.
    pub(crate) fn check(&self, inputs: &[String]) -> Result<(), String> {
        for (part, sampler) in [("train", &self.train), ("validation", &self.validation), ("test", &self.test)] {
            match sampler {
                Sampler::Random { samples: 0, .. }
                | Sampler::Weighted { samples: 0, .. }
                | Sampler::Subset { count: 0, .. } => {
                    return Err(format!("`samplers.{part}` draws no rows"));
                }
                Sampler::Weighted { .. } if part != "train" => {
                    return Err(format!("`samplers.{part}` is weighted; only training rows can be"));
                }
                Sampler::Weighted { column, .. } if !inputs.contains(column) => {
                    let known: Vec<&str> = inputs.iter().map(String::as_str).collect();
                    let near = shared::near::near(column, &known);
                    return Err(format!("`samplers.{part}` names a column `{column}` that is not an input{near}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The rows of a table by what they are for.
    ///
    /// # Errors
    /// A sentence, where a part has fewer rows than its sampler names.
    pub(crate) fn rows(&self, split: &Split, data: &TableData) -> Result<RowSplit, String> {
        let mut order: Vec<u32> = (0..data.len() as u32).collect();
        SplitMix64::keyed(&[split.seed, FOR_SPLIT]).shuffle(&mut order);
        let count = |share: f64| (share * data.len() as f64).round() as usize;
        let (test, validation) = (count(split.test), count(split.validation));
        let mut parts =
            [order[..test].to_vec(), order[test..test + validation].to_vec(), order[test + validation..].to_vec()];
        parts.iter_mut().for_each(|part| part.sort_unstable());
        let [test, validation, training] = parts;
        let stream = |purpose| SplitMix64::keyed(&[split.seed, purpose]);
        let validation = fixed(&self.validation, validation, &mut stream(FOR_VALIDATION))?;
        let test = fixed(&self.test, test, &mut stream(FOR_TEST))?;
        let (training, sampling) = match &self.train {
            Sampler::Shuffle => (training, Sampling::Shuffle),
            Sampler::Sequential => (training, Sampling::Sequential),
            Sampler::Subset { first, count } => (range(training, *first, *count)?, Sampling::Shuffle),
            Sampler::Random { samples, replacement } => {
                let drawn = Sampling::Draw { samples: *samples, replacement: *replacement, weights: Vec::new() };
                (training, drawn)
            }
            Sampler::Weighted { column, samples } => {
                let place = data.inputs.iter().position(|name| name == column).unwrap_or(0);
                let weights = training.iter().map(|row| data.rows[*row as usize * data.inputs.len() + place]).collect();
                (training, Sampling::Draw { samples: *samples, replacement: true, weights })
            }
        };
        Ok(RowSplit { training, validation, test, sampling })
    }
}

/// Rows that are drawn once for all epochs.
fn fixed(sampler: &Sampler, mut rows: Vec<u32>, random: &mut SplitMix64) -> Result<Vec<u32>, String> {
    match sampler {
        Sampler::Sequential | Sampler::Weighted { .. } => Ok(rows),
        Sampler::Shuffle => {
            random.shuffle(&mut rows);
            Ok(rows)
        }
        Sampler::Subset { first, count } => range(rows, *first, *count),
        Sampler::Random { samples, replacement: true } if !rows.is_empty() => {
            Ok((0..*samples).map(|_| rows[random.below(rows.len())]).collect())
        }
        Sampler::Random { samples, .. } => {
            random.shuffle(&mut rows);
            rows.truncate(*samples);
            Ok(rows)
        }
    }
}

fn range(rows: Vec<u32>, first: usize, count: usize) -> Result<Vec<u32>, String> {
    let end = first.saturating_add(count);
    if end > rows.len() {
        return Err(format!("a sampler takes rows {first} to {end} of {}", rows.len()));
    }
    Ok(rows[first..end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn data(rows: usize) -> TableData {
        TableData {
            tag: "t".into(),
            inputs: vec!["a".into(), "w".into()],
            outputs: vec!["y".into()],
            rows: (0..rows).flat_map(|i| [i as f64, (i % 2) as f64]).collect(),
            targets: vec![1.0; rows],
            with_zeros: 0,
            no_numbers: 0,
            hash: String::new(),
        }
    }

    #[test]
    fn without_samplers_training_rows_are_shuffled_and_no_row_is_in_two_parts() {
        let samplers = Samplers::default();
        let rows = samplers.rows(&Split::default(), &data(100)).expect("rows");
        assert_eq!((rows.training.len(), rows.validation.len(), rows.test.len()), (65, 15, 20));
        let all: BTreeSet<u32> = rows.training.iter().chain(&rows.validation).chain(&rows.test).copied().collect();
        assert_eq!((all.len(), rows.sampling.clone()), (100, Sampling::Shuffle));
        assert!(rows.test.is_sorted() && rows.validation.is_sorted());
        assert_eq!(rows, samplers.rows(&Split::default(), &data(100)).expect("rows"));
        assert_ne!(rows, samplers.rows(&Split { seed: 1, ..Split::default() }, &data(100)).expect("rows"));
    }

    #[test]
    fn every_sampler_draws_what_it_says() {
        let with = |text: &str| -> RowSplit {
            let samplers: Samplers = toml::from_str(text).expect(text);
            samplers.check(&data(1).inputs).expect(text);
            samplers.rows(&Split::default(), &data(100)).expect(text)
        };
        let subset =
            with("train = { kind = 'subset', first = 5, count = 10 }\ntest = { kind = 'random', samples = 7 }");
        assert_eq!((subset.training.len(), subset.test.len()), (10, 7));
        let weighted = with("train = { kind = 'weighted', column = 'w', samples = 30 }");
        let Sampling::Draw { samples: 30, replacement: true, weights } = weighted.sampling else { panic!("weighted") };
        assert_eq!(weights.len(), weighted.training.len());
        let again = with("validation = { kind = 'random', samples = 40, replacement = true }");
        assert_eq!(again.validation.len(), 40);
    }

    #[test]
    fn wrong_samplers_and_shares_are_refused() {
        for (text, says) in [
            ("train = { kind = 'weighted', column = 'v', samples = 3 }", "not an input"),
            ("test = { kind = 'weighted', column = 'w', samples = 3 }", "only training rows"),
            ("test = { kind = 'random', samples = 0 }", "draws no rows"),
        ] {
            let samplers: Samplers = toml::from_str(text).expect(text);
            assert!(samplers.check(&data(1).inputs).expect_err(text).contains(says));
        }
        assert!(toml::from_str::<Samplers>("train = { kind = 'shufle' }").is_err());
        assert!(toml::from_str::<Samplers>("train = { kind = 'random', samples = 1, x = 2 }").is_err());
        for split in [
            Split { test: 0.0, ..Split::default() },
            Split { validation: 0.9, ..Split::default() },
            Split { validation: -0.1, ..Split::default() },
        ] {
            assert!(split.check().is_err());
        }
        let many = Samplers { test: Sampler::Subset { first: 0, count: 99 }, ..Samplers::default() };
        assert!(many.rows(&Split::default(), &data(100)).is_err());
    }
}
