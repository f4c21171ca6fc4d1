//! The readings of a power log that are new: a logger that reads faster than the sensor renews sees each value several
//! times.

use super::clock::{ClockUnwrap, since_us};
use super::pieces::Sample;
use super::refresh::{self, BLOCK, Lattice};
use super::survey::Survey;
use shared::run_folder::{PowerReading, PowerReadings};
use shared::units::Micros;
use std::io;

/// Readings of the same value, where renewals are unknown, of which one counts as new.
const REPEATS: u32 = 16;

/// Readings that are new, with the moment at which the sensor renewed them. Works block by block.
pub struct Renewals<R> {
    log: R,
    unwrap: ClockUnwrap,
    origin_ns: i64,
    period_us: Option<f64>,
    all_new: bool,
    chunk: Vec<PowerReading>,
    block: Vec<PowerReading>,
    last_us: f64,
    last_value: f64,
    repeats: u32,
    ended: bool,
    /// Blocks in which the lattice of renewals was found again, and blocks in which it was not.
    pub locked: (u64, u64),
}

impl<R: PowerReadings> Renewals<R> {
    /// New readings of a log that was surveyed.
    pub fn new(log: R, survey: &Survey) -> Self {
        let refresh_us = survey.sensor.response.refresh.map(|refresh| refresh.0);
        let slower = |us: &f64| *us > survey.sensor.read_period.map_or(0.0, |read| Micros::from(read).0) * 1.02;
        let repeats = survey.sensor.repeated as f64 > 0.3 * survey.sensor.readings as f64;
        Self {
            log,
            unwrap: ClockUnwrap::default(),
            origin_ns: survey.origin_ns,
            period_us: refresh_us.filter(slower),
            all_new: refresh_us.is_some_and(|us| !slower(&us)) || !repeats,
            chunk: Vec::new(),
            block: Vec::new(),
            last_us: f64::NEG_INFINITY,
            last_value: f64::NAN,
            repeats: 0,
            ended: false,
            locked: (0, 0),
        }
    }

    /// Appends the new readings of the next block to `out`; false at the end of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_block(&mut self, out: &mut Vec<Sample>, raw: &mut Vec<f64>) -> io::Result<bool> {
        while self.block.len() < BLOCK && !self.ended {
            self.log.read_chunk(&mut self.chunk)?;
            self.ended = self.chunk.is_empty();
            for reading in &self.chunk {
                let reading = self.unwrap.reading(*reading);
                self.block.push(reading);
            }
        }
        if self.block.is_empty() {
            return Ok(false);
        }
        let rest = self.block.split_off(self.block.len().min(BLOCK));
        let block = std::mem::replace(&mut self.block, rest);
        raw.extend(block.iter().map(|r| since_us(r.wall_ns, self.origin_ns)));
        let lattice = self.period_us.and_then(|period| refresh::lock(&block, self.origin_ns, period));
        if let Some(lattice) = lattice {
            self.locked.0 += 1;
            self.by_lattice(&block, lattice, out);
        } else {
            self.locked.1 += u64::from(self.period_us.is_some());
            for reading in &block {
                self.repeats += 1;
                // A value that stays for long is not one reading: a steady load looks the same each time.
                if self.all_new || reading.microwatts().0 != self.last_value || self.repeats >= REPEATS {
                    self.last_value = reading.microwatts().0;
                    self.repeats = 0;
                    let at_us = since_us(reading.wall_ns, self.origin_ns);
                    if at_us > self.last_us {
                        self.last_us = at_us;
                        out.push(Sample { at_us, watts: reading.power().0 });
                    }
                }
            }
        }
        Ok(true)
    }

    fn by_lattice(&mut self, block: &[PowerReading], lattice: Lattice, out: &mut Vec<Sample>) {
        for reading in block {
            let at_us = since_us(reading.wall_ns, self.origin_ns);
            let renewed = lattice.moment(lattice.renewal(at_us));
            if renewed > self.last_us + 0.5 * lattice.period_us {
                self.last_us = renewed;
                out.push(Sample { at_us: renewed, watts: reading.power().0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::survey::survey;
    use super::*;
    use shared::run_folder::PowerLogReader;
    use shared::sensor::SensorResponse;

    #[test]
    fn a_renewal_is_read_once_at_its_own_moment() {
        let text = crate::test_logs::renewed(6000, |_| 0);
        let log = || PowerLogReader::new(text.as_bytes());
        let survey = survey(log(), SensorResponse::default()).expect("memory");
        let (mut new, mut raw) = (Vec::new(), Vec::new());
        let mut renewals = Renewals::new(log(), &survey);
        while renewals.next_block(&mut new, &mut raw).expect("memory") {}
        assert_eq!((raw.len(), renewals.locked.1), (6000, 0));
        let expected = 6000.0 * 1.3 / 2.2;
        assert!((new.len() as f64 - expected).abs() < 6.0, "{} {expected}", new.len());
        assert!(new.iter().all(|n| (n.at_us / 2200.0 - (n.at_us / 2200.0).round()).abs() < 0.06));
    }
}
