//! What a power source is, and how it fails.

use shared::run_folder::{PowerSetup, Sample};

/// Why a reading failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// This time; the next reading may work.
    #[error("{0}")]
    Transient(String),
    /// For good: unplugged, unbound, closed.
    #[error("{0}")]
    Lost(String),
    /// There is nothing more to read: a replay reached its end.
    #[error("the recording has ended")]
    Ended,
}

/// How a source wants to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// A register: a reading gives what stands in it now. The sampler sets the rate.
    Poll,
    /// A stream: a reading waits for what comes next. The source sets the rate.
    Stream,
}

/// A source of power readings.
///
/// Every implementation passes `tests/power_conformance.rs`.
pub trait PowerSource: Send {
    /// The rails, which of them is the total, and how the sensors answer.
    fn setup(&self) -> &PowerSetup;

    /// How it wants to be read.
    fn pacing(&self) -> Pacing {
        Pacing::Poll
    }

    /// Appends one reading of every rail (a stream: whatever has come, at least one reading), each stamped with the
    /// monotonic time at which it was complete. A stream waits a tenth of a second at most and may then append nothing.
    ///
    /// # Errors
    /// [`SourceError`]; what was appended before stays valid.
    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError>;
}

/// A power source that was found, or that could be there but cannot be used.
pub struct Candidate {
    /// What it is called on the command line: `hwmon`, `nvml`, …
    pub kind: &'static str,
    /// Where it is, for people.
    pub place: String,
    /// The source, or why it cannot be read and what to do.
    pub source: Result<Box<dyn PowerSource>, Unusable>,
}

/// Why a source that is there cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong.
    pub why: String,
    /// The next step.
    pub advice: String,
}
