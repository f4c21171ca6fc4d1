//! Sharing out measured energy where the sensor cannot tell layers apart: by run time, and by what each layer does.
//!
//! A layer that keeps the board's arithmetic busy draws more than one that waits for memory, and one that is over before
//! it has spread over the GPU draws little more than the board between layers. How much more differs from board to
//! board, so the split is kept moderate: half of the network's power above idle goes by time alone.

use shared::engine::Layer;

/// Multiply-accumulates per byte moved at which arithmetic and memory take equally long. Orin's ratio at FP16 is about
/// 40 for a well-used GPU; within a factor of four it changes little here.
const BALANCE: f64 = 40.0;
/// What a layer bound by arithmetic draws above one bound by memory, relative to the latter's draw above idle.
const ARITHMETIC: f64 = 1.0;
/// Part of the power above idle that is shared by activity rather than by time.
const BY_ACTIVITY: f64 = 0.5;

/// How active a layer keeps the board: about 0 for one that only launches, 1 for one bound by memory, 2 for one bound by
/// arithmetic. `None` where the engine info does not tell the layer's work.
#[must_use]
pub fn activity(layer: &Layer, mean_ms: f64, launch_ms: f64) -> Option<f64> {
    let work = layer.work();
    let bytes = work.bytes_moved as f64;
    if bytes <= 0.0 {
        return None;
    }
    let macs = work.macs.unwrap_or(0) as f64;
    let arithmetic = macs / BALANCE;
    let bound = arithmetic / (arithmetic + bytes).max(f64::MIN_POSITIVE);
    let busy = (1.0 - launch_ms / mean_ms.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    Some(busy * (1.0 + ARITHMETIC * bound))
}

/// Shares out the layers' mean power. `mean_ms` are durations, `level_watts` the layers' mean power by time, `idle_watts`
/// idle power. `activities` is `None` for a layer whose work is unknown: it gets the mean. The result's mean by time is
/// `level_watts`.
#[must_use]
pub fn share(mean_ms: &[f64], activities: &[Option<f64>], level_watts: f64, idle_watts: f64) -> Vec<f64> {
    let known = || mean_ms.iter().zip(activities).filter_map(|(&ms, a)| a.map(|a| (ms, a)));
    let time: f64 = known().map(|k| k.0).sum();
    let mean = known().map(|(ms, a)| ms * a).sum::<f64>() / time;
    let dynamic = (level_watts - idle_watts).clamp(0.0, level_watts.max(0.0)) * BY_ACTIVITY;
    activities
        .iter()
        .map(|activity| match activity {
            Some(a) if mean > 0.0 => level_watts + dynamic * (a / mean - 1.0),
            _ => level_watts,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_below_nothing_is_no_reason_to_stop() {
        assert_eq!(share(&[1.0, 1.0], &[None, Some(1.0)], -2.0, 4.0), [-2.0, -2.0]);
    }

    #[test]
    fn the_mean_by_time_is_kept_and_unknown_layers_get_it() {
        let ms = [1.0, 3.0, 2.0];
        let watts = share(&ms, &[Some(0.5), Some(1.5), None], 8.0, 4.0);
        assert_eq!(watts[2], 8.0);
        assert!(watts[0] < 8.0 && watts[1] > 8.0 && watts[0] > 4.0);
        let mean: f64 = watts.iter().zip(ms).map(|(p, t)| p * t).sum::<f64>() / 6.0;
        assert!((mean - 8.0).abs() < 1e-12);
        assert_eq!(share(&ms, &[None; 3], 8.0, 4.0), [8.0; 3]);
    }
}
