//! How a sensor answers a step of its load: at once, along a straight line (a moving average) or along an exponential
//! (a first-order lag, which is what the recursive averaging of an INA3221 amounts to).

use shared::units::Micros;

/// What a step tells about the sensor.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAnswer {
    /// The reading follows within the time between readings.
    AtOnce,
    /// It follows a straight line for this long.
    Ramp(Micros),
    /// It approaches the new level with this time constant.
    Lag(Micros),
}

/// A level that relaxes from `from` to `to` with time constant `lag_us`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relaxation {
    /// The time constant.
    pub lag: Micros,
    /// Its standard error, from the curvature of the squared error.
    pub error: Micros,
    /// The level at the first point.
    pub from: f64,
    /// The level that it approaches.
    pub to: f64,
    /// Root of the mean squared residual, in the unit of the readings.
    pub rmse: f64,
}

/// Fits `to + (from − to)·e^(−(t − t₀)/τ)` to readings after a step, times in microseconds. For each τ the levels follow
/// from linear least squares; τ is searched. `None` with fewer than five readings or where nothing relaxes.
#[must_use]
pub fn relaxation(times: &[f64], values: &[f64]) -> Option<Relaxation> {
    let (&first, &last) = (times.first()?, times.last()?);
    if times.len() < 5 || times.len() != values.len() || last <= first {
        return None;
    }
    let error = |log_lag: f64| {
        let basis: Vec<f64> = times.iter().map(|t| (-(t - first) / log_lag.exp()).exp()).collect();
        line(&basis, values)
    };
    let (low, high) = (((last - first) * 1e-4).ln(), ((last - first) * 10.0).ln());
    let best = minimise(low, high, |x| error(x).map_or(f64::INFINITY, |l| l.squares))?;
    let fit = error(best)?;
    let spare = (times.len() - 3) as f64;
    // Second derivative of the squared error by log τ; its inverse times the noise variance is the variance of log τ.
    let h = 0.02;
    let curvature = (error(best + h)?.squares + error(best - h)?.squares - 2.0 * fit.squares) / (h * h);
    let deviation = if curvature > 0.0 { (2.0 * fit.squares / spare / curvature).sqrt() } else { f64::INFINITY };
    let lag = Micros(best.exp());
    Some(Relaxation {
        lag,
        error: lag * deviation,
        from: fit.offset + fit.slope,
        to: fit.offset,
        rmse: (fit.squares / times.len() as f64).sqrt(),
    })
}

struct Line {
    offset: f64,
    slope: f64,
    squares: f64,
}

/// Least squares of `offset + slope · basis`.
fn line(basis: &[f64], values: &[f64]) -> Option<Line> {
    let n = basis.len() as f64;
    let (mean_b, mean_v) = (basis.iter().sum::<f64>() / n, values.iter().sum::<f64>() / n);
    let spread: f64 = basis.iter().map(|b| (b - mean_b).powi(2)).sum();
    let joint: f64 = basis.iter().zip(values).map(|(b, v)| (b - mean_b) * (v - mean_v)).sum();
    if spread <= f64::MIN_POSITIVE {
        return None;
    }
    let slope = joint / spread;
    let offset = mean_v - slope * mean_b;
    let squares = basis.iter().zip(values).map(|(b, v)| (v - offset - slope * b).powi(2)).sum();
    Some(Line { offset, slope, squares })
}

/// The minimum of a function of one variable: a grid, then golden sections around its best point.
fn minimise(low: f64, high: f64, f: impl Fn(f64) -> f64) -> Option<f64> {
    const GRID: usize = 40;
    let at = |i: usize| low + (high - low) * i as f64 / GRID as f64;
    let (best, value) = (0..=GRID).map(|i| (i, f(at(i)))).min_by(|a, b| a.1.total_cmp(&b.1))?;
    if !value.is_finite() {
        return None;
    }
    let (mut a, mut b) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..40 {
        let (c, d) = (b - ratio * (b - a), a + ratio * (b - a));
        if f(c) < f(d) { b = d } else { a = c }
    }
    Some((a + b) / 2.0)
}

/// Finds the largest step of a log and how the sensor answers it. `None` where no step stands out of the readings'
/// scatter. Times in microseconds, in order.
#[must_use]
pub fn answer(times: &[f64], values: &[f64]) -> Option<StepAnswer> {
    let (at, height) = largest_step(times, values)?;
    let spacing = (times[times.len() - 1] - times[0]) / (times.len() - 1) as f64;
    // Before the step half a second, after it three: enough for five time constants of the slowest sensor known.
    let from = times.partition_point(|&t| t < at - 0.5e6);
    let to = settled_until(times, values, at, height);
    let (times, values) = (&times[from..to], &values[from..to]);
    let stride = times.len().div_ceil(3000).max(1);
    let times: Vec<f64> = times.iter().step_by(stride).copied().collect();
    let values: Vec<f64> = values.iter().step_by(stride).copied().collect();
    let shape = |start: f64, length: f64, lag: bool| {
        let basis: Vec<f64> = times
            .iter()
            .map(|&t| {
                let x = ((t - start) / length).max(0.0);
                if lag { 1.0 - (-x).exp() } else { x.min(1.0) }
            })
            .collect();
        line(&basis, &values)
    };
    let search = |lag: bool| {
        let best_start = |length: f64| {
            let reach = if lag { 1.5 * length } else { length };
            minimise(at - reach - 4.0 * spacing, at + 4.0 * spacing, |start| {
                shape(start, length, lag).map_or(f64::INFINITY, |l| l.squares)
            })
        };
        let cost = |log_length: f64| {
            let length = log_length.exp();
            best_start(length).and_then(|start| shape(start, length, lag)).map_or(f64::INFINITY, |l| l.squares)
        };
        let best = coarse_minimum((spacing / 4.0).ln(), 2e6_f64.ln(), cost)?;
        Some((best.0.exp(), best.1))
    };
    let (ramp, lag) = (search(false)?, search(true)?);
    let noise = height.abs() * 0.02;
    if ramp.0 < 2.0 * spacing && lag.0 < 2.0 * spacing || ramp.1.min(lag.1) < noise * noise * 1e-6 {
        return Some(StepAnswer::AtOnce);
    }
    let (length, is_lag) = if lag.1 <= ramp.1 { (lag.0, true) } else { (ramp.0, false) };
    Some(match (length < 2.0 * spacing, is_lag) {
        (true, _) => StepAnswer::AtOnce,
        (false, true) => StepAnswer::Lag(Micros(length)),
        (false, false) => StepAnswer::Ramp(Micros(length)),
    })
}

/// Until where the load stays after a step at `at`: three seconds, or until the reading goes back by a tenth of the step.
fn settled_until(times: &[f64], values: &[f64], at: f64, height: f64) -> usize {
    const STRETCH_US: f64 = 0.1e6;
    let mut from = times.partition_point(|&t| t < at);
    let mut furthest = f64::NEG_INFINITY;
    while from < times.len() && times[from] < at + 3e6 {
        let to = times.partition_point(|&t| t < times[from] + STRETCH_US);
        let mean = values[from..to].iter().sum::<f64>() / (to - from) as f64;
        let moved = mean * height.signum();
        if moved < furthest - 0.1 * height.abs() {
            return from;
        }
        furthest = furthest.max(moved);
        from = to;
    }
    from
}

/// As [`minimise`], with fewer evaluations of a costly function; returns place and value.
fn coarse_minimum(low: f64, high: f64, f: impl Fn(f64) -> f64) -> Option<(f64, f64)> {
    let mut span = high - low;
    let mut best = (low, f64::INFINITY);
    let mut centre = (low + high) / 2.0;
    for round in 0..4 {
        let points = if round == 0 { 16 } else { 6 };
        for i in 0..=points {
            let x = (centre - span / 2.0 + span * f64::from(i) / f64::from(points)).clamp(low, high);
            let value = f(x);
            if value < best.1 {
                best = (x, value);
            }
        }
        centre = best.0;
        span *= if round == 0 { 2.0 / 16.0 } else { 2.0 / 6.0 };
    }
    best.1.is_finite().then_some(best)
}

/// Where the mean of the readings behind differs most from that of the readings before, over a fifth of a second each,
/// and by how much; `None` when that is within the scatter.
fn largest_step(times: &[f64], values: &[f64]) -> Option<(f64, f64)> {
    const REACH_US: f64 = 0.2e6;
    if times.len() < 64 {
        return None;
    }
    let mut sums = Vec::with_capacity(values.len() + 1);
    sums.push(0.0);
    for value in values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let mean = |from: usize, to: usize| (sums[to] - sums[from]) / (to - from) as f64;
    let (mut left, mut right) = (0, 0);
    let mut best = (0, 0.0_f64);
    for (i, &t) in times.iter().enumerate() {
        while times[left] < t - REACH_US {
            left += 1;
        }
        while right < times.len() && times[right] < t + REACH_US {
            right += 1;
        }
        if i - left >= 8 && right - i >= 8 {
            let step = mean(i, right) - mean(left, i);
            if step.abs() > best.1.abs() {
                best = (i, step);
            }
        }
    }
    // Steps that the scatter makes: differences of means over as long, at both ends of the log.
    let level = mean(0, times.len());
    let mut settled: Vec<f64> = values.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    settled.sort_by(f64::total_cmp);
    let scatter = settled[settled.len() / 2];
    (best.1.abs() > 0.05 * level.abs() && best.1.abs() > 0.5 * scatter).then(|| (times[best.0], best.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(answer: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
        let times: Vec<f64> = (0..3000).map(|i| f64::from(i) * 2_290.0).collect();
        let values = times
            .iter()
            .enumerate()
            .map(|(i, &t)| {
                let dither = ((i * 7919 % 101) as f64 / 101.0 - 0.5) * 40e3;
                ((4.2e6 + 3e6 * answer((t - 2.1e6) / 1e6) + dither) / 40e3).round() * 40e3
            })
            .collect();
        (times, values)
    }

    #[test]
    fn a_lag_a_ramp_and_a_jump_are_told_apart() {
        let (t, v) = readings(|s| if s < 0.0 { 0.0 } else { 1.0 - (-s / 0.41).exp() });
        let Some(StepAnswer::Lag(Micros(lag))) = answer(&t, &v) else { panic!("{:?}", answer(&t, &v)) };
        assert!((lag / 0.41e6 - 1.0).abs() < 0.03, "{lag}");
        let (t, v) = readings(|s| (s / 0.3).clamp(0.0, 1.0));
        let Some(StepAnswer::Ramp(Micros(length))) = answer(&t, &v) else { panic!("{:?}", answer(&t, &v)) };
        assert!((length / 0.3e6 - 1.0).abs() < 0.03, "{length}");
        let (t, v) = readings(|s| if s < 0.0 { 0.0 } else { 1.0 });
        assert_eq!(answer(&t, &v), Some(StepAnswer::AtOnce));
    }

    #[test]
    fn a_load_that_ends_soon_does_not_mislead() {
        // On at 2.1 s, off again 1.2 s later.
        let rise = |s: f64| if s < 0.0 { 0.0 } else { 1.0 - (-s / 0.3).exp() };
        let (t, v) = readings(|s| rise(s) - rise(s - 1.2));
        let Some(StepAnswer::Lag(Micros(lag))) = answer(&t, &v) else { panic!("{:?}", answer(&t, &v)) };
        assert!((lag / 0.3e6 - 1.0).abs() < 0.06, "{lag}");
    }

    #[test]
    fn no_step_no_answer() {
        let (t, v) = readings(|_| 0.0);
        assert_eq!(answer(&t, &v), None);
        assert_eq!(answer(&t[..10], &v[..10]), None);
    }

    #[test]
    fn the_lag_of_a_real_orin_log() {
        let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data"))
            .join("orin_lenet_alignment/step_response.csv");
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("skipped: no {}", path.display());
            return;
        };
        let points: Vec<(f64, f64)> = text
            .lines()
            .skip(1)
            .filter_map(|l| l.split_once(','))
            .map(|(t, ma)| (t.parse::<f64>().expect("time") * 1e6, ma.parse().expect("current")))
            .collect();
        let (times, values): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        let fit = relaxation(&times, &values).expect("a relaxation");
        assert!((fit.lag.0 - 0.412e6).abs() < 0.015e6, "{fit:?}");
        assert!(fit.rmse < 2.0 && fit.error.0 < 0.02e6, "{fit:?}");
    }
}
