//! A recorded run as a source, at its own pace.

use super::{Pacing, PowerSource, SourceError};
use crate::sys;
use shared::failure::Failure;
use shared::run_folder::{LogContent, PowerSetup, Sample, read_sample_log};
use std::path::Path;

/// Longest wait in one reading.
const WAIT_NS: u64 = 100_000_000;

/// Gives the samples of a recorded log at the spacing in which they were taken, with new stamps from now on.
#[derive(Debug)]
pub struct ReplaySource {
    setup: PowerSetup,
    samples: std::vec::IntoIter<Sample>,
    next: Option<Sample>,
    first_ns: u64,
    start_ns: Option<u64>,
}

impl ReplaySource {
    /// From a run's sample log.
    ///
    /// # Errors
    /// When it cannot be read or holds no samples.
    pub fn open(log: &Path) -> Result<Self, Failure> {
        let content = read_sample_log(log)?;
        Self::of(content).ok_or_else(|| {
            Failure::data("holds no power samples to replay").at(log).help("give the samples.eplog of a run folder")
        })
    }

    fn of(content: LogContent) -> Option<Self> {
        let mut setup = content.manifest?.power;
        setup.source = "replay".into();
        let mut samples = content.samples.into_iter();
        let next = samples.next()?;
        Some(Self { setup, samples, first_ns: next.t_ns, next: Some(next), start_ns: None })
    }
}

impl PowerSource for ReplaySource {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn pacing(&self) -> Pacing {
        Pacing::Stream
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        let now = sys::monotonic_ns();
        let start_ns = *self.start_ns.get_or_insert(now);
        let due = |sample: &Sample| start_ns + sample.t_ns.saturating_sub(self.first_ns);
        let first = self.next.as_ref().map(due).ok_or(SourceError::Ended)?;
        sys::sleep_until(first.min(now + WAIT_NS));
        let now = sys::monotonic_ns();
        while let Some(sample) = self.next {
            let t_ns = due(&sample);
            if t_ns > now {
                break;
            }
            out.push(Sample { t_ns, ..sample });
            self.next = self.samples.next();
        }
        Ok(())
    }
}
