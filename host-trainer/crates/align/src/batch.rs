//! Inferences in order, whatever file they come from.

use shared::run_folder::{Diagnostics, NumberText};
use std::io;

/// Inferences handed on at a time: what memory is bounded by.
pub const BATCH: usize = 512;
/// Inferences looked at to find the order of layers and the kind of stamps.
pub const SAMPLE: usize = 256;

/// Some inferences, layers in execution order. What is missing has `ms` = NaN.
#[derive(Debug, Default)]
pub struct Batch {
    /// Layers an inference has.
    pub layers: usize,
    /// Number of the first inference, from 0.
    pub first: u64,
    /// Durations in milliseconds, inference by inference.
    pub ms: Vec<f64>,
    /// Stamps in Unix ns, inference by inference; `i64::MIN` where one is missing.
    pub wall_ns: Vec<i64>,
    /// The durations' texts as the file has them, if asked for.
    pub texts: Vec<NumberText>,
    /// Positions of the inferences before which others were lost, in order: the time before them was spent nobody knows how.
    pub lost_before: Vec<usize>,
}

impl Batch {
    /// Number of inferences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ms.len().checked_div(self.layers).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empties it for inferences of so many layers, the first of them with this number.
    pub fn start(&mut self, layers: usize, first: u64) {
        (self.layers, self.first) = (layers, first);
        self.ms.clear();
        self.wall_ns.clear();
        self.texts.clear();
        self.lost_before.clear();
    }

    /// Appends the inferences of another batch.
    pub fn append(&mut self, other: &Self) {
        self.layers = other.layers;
        let before = self.len();
        self.lost_before.extend(other.lost_before.iter().map(|at| before + at));
        self.ms.extend_from_slice(&other.ms);
        self.wall_ns.extend_from_slice(&other.wall_ns);
    }

    /// Durations and stamps of one inference.
    #[must_use]
    pub fn cycle(&self, i: usize) -> (&[f64], &[i64]) {
        let range = i * self.layers..(i + 1) * self.layers;
        (&self.ms[range.clone()], &self.wall_ns[range])
    }
}

/// What was found and what was missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct InferenceCounts {
    /// Inferences found.
    pub cycles: u64,
    /// Those that lack a layer.
    pub incomplete: u64,
    /// Measurements missing in them.
    pub missing: u64,
    /// Times the clock of the stamps went backwards.
    pub clock_backwards: u64,
}

/// A stream of inferences, in the order in which they ran.
pub trait Inferences {
    /// Replaces `batch` by the next inferences, at most [`BATCH`]; it is empty at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn next_batch(&mut self, batch: &mut Batch) -> io::Result<()>;

    /// What was found so far.
    fn counts(&self) -> InferenceCounts;

    /// What could not be read so far.
    fn diagnostics(&self) -> Diagnostics;
}
