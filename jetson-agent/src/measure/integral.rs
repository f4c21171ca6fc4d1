//! Energy as the integral of readings of power.

/// Readings of power, integrated by trapezoids from a start on.
///
/// ```
/// use jetson_agent::measure::Integral;
///
/// let mut integral = Integral::from_start(1_000_000_000);
/// for (seconds, watts) in [(0.5, 2.0), (1.5, 4.0), (2.0, 4.0)] {
///     integral.add((seconds * 1e9) as u64, watts);
/// }
/// // From 1 s on: 3 W rising to 4 W for half a second, then 4 W for a second and a half, held beyond the last reading.
/// assert!((integral.joules_until(3_000_000_000).unwrap() - (1.75 + 6.0)).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Integral {
    start_ns: u64,
    last: Option<(u64, f64)>,
    joules: f64,
    peak: Option<f64>,
    readings: u64,
    longest_gap_ns: u64,
    /// Sum of squared differences of neighbours, W²: their scatter without the trend.
    steps: f64,
    step_count: u64,
}

impl Integral {
    /// Begins at a monotonic instant. Readings before it only serve to know the power at the start.
    #[must_use]
    pub fn from_start(start_ns: u64) -> Self {
        Self {
            start_ns,
            last: None,
            joules: 0.0,
            peak: None,
            readings: 0,
            longest_gap_ns: 0,
            steps: 0.0,
            step_count: 0,
        }
    }

    /// Adds a reading, in order of time. One that is not finite, or earlier than the one before, is left out.
    pub fn add(&mut self, t_ns: u64, watts: f64) {
        if !watts.is_finite() || self.last.is_some_and(|(last, _)| t_ns < last) {
            return;
        }
        if t_ns >= self.start_ns {
            self.joules += self.area(t_ns, watts);
            self.peak = Some(self.peak.map_or(watts, |peak| peak.max(watts)));
            self.readings += 1;
            if let Some((last, before)) = self.last {
                self.longest_gap_ns = self.longest_gap_ns.max(t_ns - last.max(self.start_ns));
                self.steps += (watts - before).powi(2);
                self.step_count += 1;
            }
        }
        self.last = Some((t_ns, watts));
    }

    /// The area between the last reading, or the start, and a further one. Before the first reading its power is held.
    fn area(&self, t_ns: u64, watts: f64) -> f64 {
        let (from_ns, from_watts) = match self.last {
            None => (self.start_ns, watts),
            Some((last, before)) if last >= self.start_ns => (last, before),
            Some((last, before)) => {
                let share = (self.start_ns - last) as f64 / (t_ns - last).max(1) as f64;
                (self.start_ns, before + (watts - before) * share)
            }
        };
        0.5 * (from_watts + watts) * (t_ns.saturating_sub(from_ns)) as f64 * 1e-9
    }

    /// The energy from the start to an end, J; the last reading is held until then. `None` without a reading.
    #[must_use]
    pub fn joules_until(&self, end_ns: u64) -> Option<f64> {
        let (last, watts) = self.last?;
        let from = last.max(self.start_ns);
        Some(self.joules + watts * end_ns.saturating_sub(from) as f64 * 1e-9)
    }

    /// The highest reading since the start, W.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        self.peak
    }

    /// Readings since the start.
    #[must_use]
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// The longest time without a reading, ns.
    #[must_use]
    pub fn longest_gap_ns(&self) -> u64 {
        self.longest_gap_ns
    }

    /// The scatter of readings around their trend, W: from differences of neighbours (von Neumann), whose variance is twice
    /// that of a reading.
    #[must_use]
    pub fn scatter(&self) -> Option<f64> {
        (self.step_count >= 2).then(|| (self.steps / self.step_count as f64 / 2.0).sqrt())
    }

    /// The last reading.
    #[must_use]
    pub fn last(&self) -> Option<(u64, f64)> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_power_is_its_product_with_the_time_however_it_is_read() {
        for spacing in [1_000_000_u64, 7_300_000, 400_000_000] {
            let mut integral = Integral::from_start(1_000_000_000);
            let mut t_ns = 0;
            while t_ns < 3_000_000_000 {
                integral.add(t_ns, 5.0);
                t_ns += spacing;
            }
            let joules = integral.joules_until(3_000_000_000).expect("readings");
            assert!((joules - 10.0).abs() < 1e-9, "{joules}");
            assert_eq!((integral.peak(), integral.scatter().map(|w| w < 1e-12)), (Some(5.0), Some(true)));
        }
    }

    #[test]
    fn what_is_no_reading_is_left_out_and_none_is_none() {
        let mut integral = Integral::from_start(10);
        assert_eq!((integral.joules_until(20), integral.peak()), (None, None));
        integral.add(12, f64::NAN);
        assert_eq!(integral.readings(), 0);
        integral.add(12, 1.0);
        integral.add(11, 9.0);
        assert_eq!((integral.readings(), integral.peak()), (1, Some(1.0)));
    }

    #[test]
    fn gaps_are_seen() {
        let mut integral = Integral::from_start(100);
        for t_ns in [90, 110, 120, 180, 190] {
            integral.add(t_ns, 1.0);
        }
        assert_eq!(integral.longest_gap_ns(), 60);
    }
}
