//! When a program reads a register, and what it makes of what stands there.

use super::filter::Register;
use super::model::SensorModel;
use serde::{Deserialize, Serialize};
use shared::random::Random;
use shared::run_folder::Sample;

/// When a program reads the register. Its clock is independent of the chip's: it may read faster or slower than the register
/// renews.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollModel {
    /// Time between readings, ns; 0 reads each update once, as a streaming meter is read.
    pub period_ns: u64,
    /// Standard deviation of that time, ns.
    pub jitter_ns: u64,
    /// Mean time between stalls, ns; 0 is never.
    pub stall_every_ns: u64,
    /// Length of a stall, ns.
    pub stall_ns: u64,
}

impl PollModel {
    /// Each update once.
    #[must_use]
    pub fn streaming() -> Self {
        Self { period_ns: 0, jitter_ns: 0, stall_every_ns: 0, stall_ns: 0 }
    }

    /// As the reference's loop ran on an Orin Nano: every 2.29 ms ± 0.04 ms, with a stall of 3 ms twice a second.
    #[must_use]
    pub fn reference_loop() -> Self {
        Self { period_ns: 2_290_000, jitter_ns: 40_000, stall_every_ns: 500_000_000, stall_ns: 3_000_000 }
    }
}

/// Draws reading times.
#[derive(Debug, Clone)]
pub struct Poller {
    model: PollModel,
    random: Random,
    next_ns: u64,
}

impl Poller {
    /// First reading at `start_ns`.
    #[must_use]
    pub fn new(model: PollModel, start_ns: u64, random: Random) -> Self {
        Self { model, random, next_ns: start_ns }
    }

    /// When the next reading is due; `None` when updates are read as they come.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        (self.model.period_ns > 0).then_some(self.next_ns)
    }

    /// The reading is done; plans the next.
    pub fn step(&mut self) {
        let jitter = self.model.jitter_ns as f64 * self.random.normal().clamp(-3.0, 3.0);
        let mut wait = (self.model.period_ns as f64 + jitter).max(1.0) as u64;
        if self.model.stall_every_ns > 0
            && self.random.uniform() < self.model.period_ns as f64 / self.model.stall_every_ns as f64
        {
            wait += self.model.stall_ns;
        }
        self.next_ns += wait;
    }
}

/// Makes samples of what stands in a register. An energy counter becomes the power since the reading before.
#[derive(Debug, Clone)]
pub struct Reader {
    batch_ns: u64,
    batch_jitter_ns: u64,
    random: Random,
    /// The batch under way and the delay that its stamps share.
    batch: (u64, u64),
    last_count: Option<(u64, f64)>,
    last_stamp_ns: u64,
}

impl Reader {
    /// For a sensor.
    #[must_use]
    pub fn new(model: &SensorModel, random: Random) -> Self {
        Self {
            batch_ns: model.batch_ns,
            batch_jitter_ns: model.batch_jitter_ns,
            random,
            batch: (u64::MAX, 0),
            last_count: None,
            last_stamp_ns: 0,
        }
    }

    /// A sample of what stands in the register at an instant; `None` for an energy counter's first reading, which is no power.
    pub fn read(&mut self, t_ns: u64, register: Register) -> Option<Sample> {
        let (mv, ma) = match register {
            Register::Power { mv, ma } => (mv, ma),
            Register::Energy { microjoules } => {
                let before = self.last_count.replace((t_ns, microjoules));
                let (then, count) = before.filter(|(then, _)| *then < t_ns)?;
                // Power alone is known: 1 V nominal, so that milliamps are milliwatts. 1 µJ/ns = 10⁶ mW.
                (1_000.0, ((microjoules - count) / (t_ns - then) as f64 * 1e6) as f32)
            }
        };
        Some(Sample { t_ns: self.stamp(t_ns), rail: 0, mv, ma })
    }

    /// When the host says that it was: all of one batch are late by the same time.
    fn stamp(&mut self, t_ns: u64) -> u64 {
        if self.batch_ns == 0 || self.batch_jitter_ns == 0 {
            return t_ns;
        }
        let batch = t_ns / self.batch_ns;
        if batch != self.batch.0 {
            let late = self.random.normal().abs().min(5.0) * self.batch_jitter_ns as f64;
            self.batch = (batch, late as u64);
        }
        self.last_stamp_ns = (t_ns + self.batch.1).max(self.last_stamp_ns + 1);
        self.last_stamp_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_times_have_the_period_asked_for() {
        let mut poller = Poller::new(PollModel::reference_loop(), 0, Random::new(2));
        for _ in 0..10_000 {
            poller.step();
        }
        let mean = poller.due().expect("polls") as f64 / 10_000.0;
        // 2.29 ms and a 3 ms stall every 0.5 s: 2.29 + 3 × 2.29/500.
        assert!((mean - 2.303e6).abs() < 5e3, "{mean}");
    }

    #[test]
    fn a_counter_becomes_power_between_readings() {
        let mut reader = Reader::new(&SensorModel::rapl(), Random::new(1));
        assert_eq!(reader.read(1_000_000, Register::Energy { microjoules: 5_000.0 }), None);
        let sample = reader.read(3_000_000, Register::Energy { microjoules: 25_000.0 }).expect("a power");
        // 20 mJ in 2 ms.
        assert!((sample.power().0 - 10.0).abs() < 1e-6, "{sample:?}");
    }

    #[test]
    fn stamps_of_a_batch_are_late_together_and_never_run_backwards() {
        let model = SensorModel::powersensor3();
        let mut reader = Reader::new(&model, Random::new(1));
        let late: Vec<i64> = (0..2_000_u64)
            .map(|i| {
                let t_ns = i * 50_000;
                reader.read(t_ns, Register::Power { mv: 1.0, ma: 1.0 }).expect("a sample").t_ns as i64 - t_ns as i64
            })
            .collect();
        assert!(late.iter().all(|late| *late >= 0));
        // Within a batch of 20 the last ones share their delay, whatever the batch before did to the first.
        assert!(late.chunks(20).all(|batch| batch[15..].windows(2).all(|pair| pair[0] == pair[1])));
        let different = late.chunks(20).map(|batch| batch[19]).collect::<std::collections::BTreeSet<_>>();
        assert!(different.len() > 50, "{}", different.len());
    }
}
