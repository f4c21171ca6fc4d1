//! No power source at all: run times alone are measured.

use super::{Pacing, PowerSource, SourceError};
use crate::sys;
use shared::run_folder::{PowerSetup, Sample};

/// How long a look for readings that never come takes.
const WAIT_NS: u64 = 100_000_000;

/// A source without rails. A run with it has times and no power: what it drew is unknown, which is not the same as nothing.
#[derive(Debug)]
pub struct NoSource {
    setup: PowerSetup,
}

impl NoSource {
    /// The name in manifests and on the command line.
    pub const NAME: &str = "none";
}

impl Default for NoSource {
    fn default() -> Self {
        Self { setup: PowerSetup { source: Self::NAME.into(), ..PowerSetup::default() } }
    }
}

impl PowerSource for NoSource {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    /// It sets its own rate, as nothing is to be read at any other.
    fn pacing(&self) -> Pacing {
        Pacing::Stream
    }

    fn read(&mut self, _: &mut Vec<Sample>) -> Result<(), SourceError> {
        sys::sleep_until(sys::monotonic_ns() + WAIT_NS);
        Ok(())
    }
}
