//! Axes: what they span, where their ticks stand, and where a value lies.

use super::number::{drawable, tick_label};

/// An axis: its label with its unit, and whether it is linear or logarithmic.
///
/// ```
/// use charts::Axis;
///
/// let time = Axis::log("run time, ms");
/// let error = Axis::linear("error, %").including(-10.0).including(10.0);
/// assert_ne!(time, error);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    label: String,
    logarithmic: bool,
    /// Values that the axis always spans.
    includes: Vec<f64>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), logarithmic: false, includes: Vec::new() }
    }

    /// A logarithmic axis. Values of zero or less are left out and counted.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), logarithmic: true, includes: Vec::new() }
    }

    /// Makes the axis span a value, whatever the data.
    #[must_use]
    pub fn including(mut self, value: f64) -> Self {
        self.includes.push(value);
        self
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The value as it can stand on this axis, if it can.
    pub(super) fn accepts(&self, value: f64) -> Option<f64> {
        drawable(value).filter(|v| !self.logarithmic || *v > 0.0)
    }

    /// The scale that spans these values and the axis's own, over pixels `from` to `to`.
    pub(super) fn span(&self, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let all = values.chain(self.includes.iter().copied()).filter_map(|v| self.accepts(v));
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let fixed = |v: f64| self.includes.contains(&v);
        let (low, high) =
            if low > high { if self.logarithmic { (1.0, 10.0) } else { (0.0, 1.0) } } else { (low, high) };
        let (mut start, mut end) = if self.logarithmic { (low.log10(), high.log10()) } else { (low, high) };
        // A single value stands in the middle.
        let least = if self.logarithmic { 0.005 } else { (start.abs().max(end.abs()) * 1e-6).max(1e-90) };
        if end - start < least {
            let room =
                if self.logarithmic { 0.05 } else { (start.abs() * 0.1).max(if start == 0.0 { 1.0 } else { 0.0 }) };
            (start, end) = (start - room, end + room);
            if !self.logarithmic && low >= 0.0 {
                start = start.max(0.0);
            }
        } else {
            let room = (end - start) * 0.04;
            let (first, last) = (start, end);
            start -= if fixed(low) { 0.0 } else { room };
            end += if fixed(high) { 0.0 } else { room };
            // Room alone does not take an axis across zero.
            if !self.logarithmic && first >= 0.0 {
                start = start.max(0.0);
            }
            if !self.logarithmic && last <= 0.0 {
                end = end.min(0.0);
            }
        }
        Scale { logarithmic: self.logarithmic, start, end, from, to }
    }
}

/// Maps values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    logarithmic: bool,
    /// Ends of the domain; of a logarithmic scale, their decimal logarithms.
    start: f64,
    end: f64,
    /// Pixels at those ends.
    from: f64,
    to: f64,
}

/// A tick: its place in pixels and its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

impl Scale {
    /// The pixel of a value, kept within the drawing.
    pub(super) fn at(&self, value: f64) -> f64 {
        let position = if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let share = (position - self.start) / (self.end - self.start);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        self.from + share * (self.to - self.from)
    }

    /// The least and greatest value that the scale shows.
    pub(super) fn ends(&self) -> (f64, f64) {
        if self.logarithmic { (10f64.powf(self.start), 10f64.powf(self.end)) } else { (self.start, self.end) }
    }

    /// Ticks at 1, 2 or 5 times powers of ten, at most `most`, at least none.
    pub(super) fn ticks(&self, most: usize) -> Vec<Tick> {
        let most = most.clamp(2, 50);
        let values = if self.logarithmic { self.decades(most) } else { None };
        let ticks = values.unwrap_or_else(|| {
            let (low, high) = self.ends();
            let step = step(low, high, most);
            steps(low, high, step).into_iter().map(|v| (v, tick_label(v, step))).collect()
        });
        ticks.into_iter().map(|(value, label)| Tick { at: self.at(value), label }).collect()
    }

    /// As many as fit side by side, by what their labels take in pixels.
    pub(super) fn ticks_that_fit(&self, pixels_per_character: f64, gap: f64) -> Vec<Tick> {
        let mut most = 9;
        loop {
            let ticks = self.ticks(most);
            let half = |tick: &Tick| tick.label.chars().count() as f64 * pixels_per_character / 2.0;
            let clear =
                ticks.windows(2).all(|pair| (pair[1].at - pair[0].at).abs() >= half(&pair[0]) + half(&pair[1]) + gap);
            if clear || most <= 2 {
                return ticks;
            }
            most -= 1;
        }
    }

    /// Powers of ten, with 2 and 5 between them where there are few; none where the axis spans too little for that.
    fn decades(&self, most: usize) -> Option<Vec<(f64, String)>> {
        let (first, last) = (self.start.floor() as i32, self.end.ceil() as i32);
        let inside = |v: &f64| v.log10() >= self.start - 1e-9 && v.log10() <= self.end + 1e-9;
        let between = |factors: &[f64]| -> Vec<(f64, f64)> {
            (first..=last)
                .flat_map(|exponent| factors.iter().map(move |f| (f * 10f64.powi(exponent), 10f64.powi(exponent))))
                .filter(|(v, _)| inside(v))
                .collect()
        };
        let labelled = |values: Vec<(f64, f64)>| values.into_iter().map(|(v, unit)| (v, tick_label(v, unit))).collect();
        for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
            let values = between(factors);
            if values.len() <= most && values.len() >= 2 {
                return Some(labelled(values));
            }
        }
        let powers = between(&[1.0]);
        if powers.len() < 2 {
            return None;
        }
        let every = powers.len().div_ceil(most);
        Some(labelled(powers.into_iter().step_by(every).collect()))
    }
}

/// The smallest step of 1, 2 or 5 times a power of ten that gives at most so many ticks.
pub(super) fn step(low: f64, high: f64, most: usize) -> f64 {
    let raw = ((high - low) / most as f64).max(f64::MIN_POSITIVE * 1e10);
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|f| f * power).find(|s| *s >= raw * (1.0 - 1e-9)).unwrap_or(raw)
}

/// Multiples of a step from `low` to `high`.
fn steps(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    if !first.is_finite() || !last.is_finite() || last - first > 200.0 {
        return Vec::new();
    }
    // Counted, since adding one to a large number may leave it as it is.
    (0..=(last - first).max(-1.0) as i64).map(|i| (first + i as f64) * step).filter(|_| last >= first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis, values: &[f64], most: usize) -> Vec<String> {
        axis.span(values.iter().copied(), 0.0, 100.0).ticks(most).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_multiples_of_1_2_or_5() {
        let axis = Axis::linear("x").including(0.0);
        assert_eq!(labels(&axis, &[10.0], 6), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&axis, &[0.3], 4), ["0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(&Axis::linear("x"), &[-1.0, 1.0], 5), ["−1", "−0.5", "0", "0.5", "1"]);
    }

    #[test]
    fn a_log_axis_takes_powers_of_ten_and_fills_up_where_there_are_few() {
        let axis = Axis::log("x");
        assert_eq!(labels(&axis, &[1.0, 1e6], 8), ["1", "10", "100", "1,000", "10,000", "100 k", "1 M"]);
        assert_eq!(labels(&axis, &[1.0, 10.0], 8), ["1", "2", "5", "10"]);
        assert_eq!(labels(&axis, &[6.0, 8.0], 4).join(" "), "6 7 8");
    }

    #[test]
    fn values_lie_where_they_should() {
        let scale = Axis::linear("x").including(0.0).including(10.0).span([5.0].into_iter(), 100.0, 0.0);
        assert_eq!((scale.at(0.0), scale.at(5.0), scale.at(10.0), scale.at(99.0)), (100.0, 50.0, 0.0, 0.0));
        let scale = Axis::log("x").including(1.0).including(100.0).span([1.0].into_iter(), 0.0, 100.0);
        assert!((scale.at(10.0) - 50.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn any_numbers_give_ticks_in_order_within_the_drawing(
            values in prop::collection::vec(any::<f64>(), 0..20),
            logarithmic: bool,
            most in 0usize..60,
        ) {
            let axis = if logarithmic { Axis::log("x") } else { Axis::linear("x") };
            let scale = axis.span(values.iter().copied(), 0.0, 500.0);
            let ticks = scale.ticks(most);
            prop_assert!(ticks.len() <= 60);
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].at <= pair[1].at);
            }
            for tick in &ticks {
                prop_assert!((0.0..=500.0).contains(&tick.at), "{tick:?}");
            }
            for value in values {
                prop_assert!((0.0..=500.0).contains(&scale.at(value)), "{value}");
            }
            scale.ticks_that_fit(7.0, 4.0);
        }

        #[test]
        fn a_span_of_ordinary_numbers_has_at_least_two_ticks(low in -1e6f64..1e6, width in 1e-3f64..1e6) {
            let scale = Axis::linear("x").span([low, low + width].into_iter(), 0.0, 400.0);
            prop_assert!(scale.ticks(6).len() >= 2, "{:?}", scale);
            let (from, to) = (low.abs() + 1e-3, (low.abs() + 1e-3) * (1.0 + width));
            let scale = Axis::log("x").span([from, to].into_iter(), 0.0, 400.0);
            prop_assert!(scale.ticks(6).len() >= 2, "{:?}", scale);
        }
    }
}
