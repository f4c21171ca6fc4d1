//! A table to try commands on, for whoever has none yet.

use super::{TableData, Tagged};
use shared::random::SplitMix64;

/// Rows of the sample.
const ROWS: usize = 1000;

/// Calls of a function, always the same ones: `time_ms = 3 + 0.02 · size_kb · (1 + 0.1 · concurrency)` and
/// `memory_mib = 20 + 0.05 · size_kb`, both with 3 % of noise.
///
/// ```
/// let sample = learn::tabular::sample();
/// assert_eq!((sample.name.as_str(), sample.rows), ("sample", 1000));
/// assert_eq!(sample.data.outputs, ["time_ms", "memory_mib"]);
/// ```
#[must_use]
pub fn sample() -> Tagged {
    let mut random = SplitMix64::new(1);
    let (mut rows, mut targets) = (Vec::with_capacity(2 * ROWS), Vec::with_capacity(2 * ROWS));
    for _ in 0..ROWS {
        let (size, concurrency) = (10_f64.powf(1.0 + 2.0 * random.uniform()).round(), 1.0 + random.below(16) as f64);
        let mut noisy = |value: f64| value * (1.0 + 0.03 * random.normal());
        targets.extend([noisy(3.0 + 0.02 * size * (1.0 + 0.1 * concurrency)), noisy(20.0 + 0.05 * size)]);
        rows.extend([size, concurrency]);
    }
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let mut data = TableData {
        tag: "sample".into(),
        inputs: names(["size_kb", "concurrency"]),
        outputs: names(["time_ms", "memory_mib"]),
        rows,
        targets,
        with_zeros: 0,
        no_numbers: 0,
        hash: String::new(),
    };
    data.hash = data.digest();
    Tagged { name: data.tag.clone(), rows: ROWS, data }
}
