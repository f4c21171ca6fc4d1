//! The board's total out of the samples of its rails.

use super::manifest::{PowerSetup, Total};
use super::record::Sample;
use crate::units::{Milliamps, Millivolts};

/// One reading of the total: monotonic ns, voltage, current.
pub type TotalReading = (u64, Millivolts, Milliamps);

/// Turns samples of rails, in the log's order, into readings of the board's total.
///
/// Where the total is a sum of rails, the voltage is the first rail's and the current is the one that makes the product
/// the sum of powers. Where the setup names no total, the first rail stands in.
#[derive(Debug, Clone)]
pub struct TotalReadings {
    total: Total,
    latest: Vec<Option<Sample>>,
}

impl TotalReadings {
    /// The total of a power source.
    #[must_use]
    pub fn new(setup: &PowerSetup) -> Self {
        Self { total: setup.total.clone(), latest: vec![None; setup.rails.len()] }
    }

    /// Takes the next sample of the log; the reading that it completes, if it does.
    pub fn push(&mut self, sample: Sample) -> Option<TotalReading> {
        let rail = match &self.total {
            Total::Rail(rail) => *rail,
            Total::Unknown => 0,
            Total::Sum(_) => return self.sum(sample),
        };
        let reading = (sample.t_ns, Millivolts(f64::from(sample.mv)), Milliamps(f64::from(sample.ma)));
        (sample.rail == rail).then_some(reading)
    }

    fn sum(&mut self, sample: Sample) -> Option<TotalReading> {
        let Total::Sum(parts) = &self.total else { return None };
        *self.latest.get_mut(usize::from(sample.rail))? = Some(sample);
        // One reading is every rail once; it is complete with the last part. A part that could not be read this time is
        // not made up for by its reading before.
        if Some(&sample.rail) != parts.last() {
            return None;
        }
        let mut watts = Some(0.0);
        let mut first = None;
        for part in parts {
            let reading = self.latest.get_mut(usize::from(*part)).and_then(Option::take);
            watts = watts.zip(reading).map(|(sum, reading)| sum + reading.power().0);
            first = first.or(reading);
        }
        let (watts, first) = (watts?, first?);
        let mv = if first.mv > 0.0 { f64::from(first.mv) } else { 1_000.0 };
        Some((sample.t_ns, Millivolts(mv), Milliamps(watts * 1e6 / mv)))
    }
}

/// The total at each reading of some samples.
pub fn total_readings(setup: &PowerSetup, samples: &[Sample]) -> impl Iterator<Item = TotalReading> {
    let mut total = TotalReadings::new(setup);
    samples.iter().filter_map(move |sample| total.push(*sample))
}

#[cfg(test)]
mod tests {
    use super::super::rail::Rail;
    use super::*;

    #[test]
    fn a_sum_of_rails_is_one_reading_with_the_summed_power() {
        let sample = |t_ns, rail, mv, ma| Sample { t_ns, rail, mv, ma };
        let samples = [
            sample(1, 0, 19_000.0, 100.0),
            sample(2, 1, 19_000.0, 50.0),
            sample(3, 2, 5_000.0, 1_000.0),
            sample(11, 0, 19_000.0, 200.0),
            sample(12, 1, 19_000.0, 50.0),
        ];
        let mut setup =
            PowerSetup { rails: vec![Rail::default(); 3], total: Total::Sum(vec![0, 2]), ..PowerSetup::default() };
        let readings: Vec<_> = total_readings(&setup, &samples).collect();
        assert_eq!(readings.len(), 1);
        let (t_ns, voltage, current) = readings[0];
        assert_eq!(t_ns, 3);
        assert!(((voltage * current).0 - 6.9).abs() < 1e-9);
        let lacking = [sample(1, 0, 5_000.0, 100.0), sample(2, 2, 5_000.0, 100.0), sample(12, 2, 5_000.0, 100.0)];
        assert_eq!(total_readings(&setup, &lacking).map(|r| r.0).collect::<Vec<_>>(), [2]);
        setup.total = Total::Rail(1);
        assert_eq!(total_readings(&setup, &samples).map(|r| r.0).collect::<Vec<_>>(), [2, 12]);
        setup.total = Total::Unknown;
        assert_eq!(total_readings(&setup, &samples).map(|r| r.0).collect::<Vec<_>>(), [1, 11]);
    }
}
