//! What the layers' stamps mark, and when each layer ran.

use super::batch::{Batch, SAMPLE};
use super::clock::since_us;

/// What the stamps mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    /// The moment TensorRT told the profiler, after the whole inference: they follow each other at the callback's pace.
    Callback,
    /// The moment each layer ended.
    LayerEnds,
}

/// Tells stamps at layer ends from stamps taken in the callback: between two layer ends lies at least the second layer's
/// duration, between two callbacks only the time that the callback takes.
#[must_use]
pub fn classify(batch: &Batch) -> Stamps {
    let (mut told, mut violated) = (0_u32, 0_u32);
    for i in 0..batch.len().min(SAMPLE) {
        let (ms, at) = batch.cycle(i);
        let mut before: Option<i64> = None;
        for (&ms, &at) in ms.iter().zip(at) {
            if ms.is_nan() {
                continue;
            }
            let duration_us = ms * 1e3;
            if let Some(before) = before
                && duration_us > 3.0
            {
                told += 1;
                violated += u32::from(since_us(at, before) < 0.8 * duration_us - 2.0);
            }
            before = Some(at);
        }
    }
    if told > 0 && f64::from(violated) > 0.15 * f64::from(told) { Stamps::Callback } else { Stamps::LayerEnds }
}

/// When each layer of an inference ran: start and end in microseconds after the origin, NaN where it is missing.
///
/// Layers run one after the other. Callback stamps only tell when the inference had ended, just before the first of
/// them; the layers are laid out backwards from there by order and duration, with `gap_us` between one and the next. What
/// an inference needs besides is unknown in that case and comes to lie before the first.
pub fn lay_out(
    stamps: Stamps,
    gap_us: f64,
    ms: &[f64],
    wall_ns: &[i64],
    origin_ns: i64,
    windows: &mut Vec<(f64, f64)>,
) {
    windows.clear();
    let relative = |at: i64| since_us(at, origin_ns);
    match stamps {
        Stamps::LayerEnds => {
            let mut before = f64::NEG_INFINITY;
            windows.extend(ms.iter().zip(wall_ns).map(|(&ms, &at)| {
                if ms.is_nan() {
                    return (f64::NAN, f64::NAN);
                }
                let end = relative(at);
                let start = (end - ms * 1e3).max(before.min(end));
                before = end.max(before);
                (start, end)
            }));
        }
        Stamps::Callback => {
            let first = ms.iter().zip(wall_ns).filter(|(ms, _)| !ms.is_nan()).map(|(_, &at)| at).min();
            let mut end = first.map_or(0.0, relative);
            windows.resize(ms.len(), (f64::NAN, f64::NAN));
            for (window, &ms) in windows.iter_mut().zip(ms).rev() {
                if !ms.is_nan() {
                    *window = (end - ms * 1e3, end);
                    end = window.0 - gap_us;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_told_apart() {
        const T0: i64 = 1_738_071_505_000_000_000;
        let ends = [(0.5, 500), (1.0, 1500), (0.2, 1700)];
        let late = [(0.5, 1700), (1.0, 1713), (0.2, 1726)];
        for (entries, expected) in [(ends, Stamps::LayerEnds), (late, Stamps::Callback)] {
            let mut batch = Batch { layers: 3, ..Batch::default() };
            for (ms, at_us) in entries {
                batch.ms.push(ms);
                batch.wall_ns.push(T0 + at_us * 1000);
            }
            assert_eq!(classify(&batch), expected);
            let mut windows = Vec::new();
            lay_out(expected, 0.0, batch.cycle(0).0, batch.cycle(0).1, T0, &mut windows);
            assert_eq!(windows, [(0.0, 500.0), (500.0, 1500.0), (1500.0, 1700.0)]);
        }
    }
}
