//! Readings in order, kept until the timeline has reached them.

use super::pieces::Sample;
use super::renewals::Renewals;
use super::survey::Survey;
use shared::run_folder::PowerReadings;
use std::io;

/// Readings in order, a block at a time, kept until the timeline has reached them.
pub(crate) struct ReadingBuffer<'a> {
    renewals: Option<Renewals<Box<dyn PowerReadings + Send + 'a>>>,
    pending: Vec<Sample>,
    raw: Vec<f64>,
}

impl<'a> ReadingBuffer<'a> {
    pub(crate) fn new(log: Box<dyn PowerReadings + Send + 'a>, survey: &Survey) -> Self {
        Self { renewals: Some(Renewals::new(log, survey)), pending: Vec::new(), raw: Vec::new() }
    }

    /// Takes the readings before `end_us`, those before `start_us` dropped.
    pub(crate) fn take(
        &mut self,
        start_us: f64,
        end_us: f64,
        out: &mut Vec<Sample>,
        raw: &mut Vec<f64>,
    ) -> io::Result<()> {
        while let Some(renewals) = &mut self.renewals {
            if self.pending.last().is_some_and(|n| n.at_us > end_us) && self.raw.last().is_some_and(|r| *r > end_us) {
                break;
            }
            if !renewals.next_block(&mut self.pending, &mut self.raw)? {
                self.renewals = None;
            }
        }
        let count = self.pending.partition_point(|n| n.at_us <= end_us);
        out.extend(self.pending.drain(..count).filter(|new| new.at_us >= start_us));
        let count = self.raw.partition_point(|r| *r <= end_us);
        raw.extend(self.raw.drain(..count).filter(|r| *r >= start_us));
        Ok(())
    }
}
