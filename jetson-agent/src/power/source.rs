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

    /// Rails that are there and cannot be read.
    fn unread(&self) -> &[Unread] {
        &[]
    }

    /// What went wrong without ending it, one sentence each: rails that are not measured, readings that failed, what a
    /// meter lost.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lines or packets that came and were no reading.
    fn rejected(&self) -> u64 {
        0
    }
}

/// A rail that is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its label.
    pub label: String,
    /// The file that cannot be read, and why.
    pub why: String,
    /// Whether permission is what it lacks.
    pub denied: bool,
    /// Whether the board's total needs it; the total is then not known.
    pub in_total: bool,
}

impl Unread {
    /// What to do about permission that is lacking.
    pub const PERMISSION: &str = "let your user read it with the udev rule of docs/agent.md, or run with sudo";
}

/// Why the total of a source is not known, if that is for the lack of a rail.
#[must_use]
pub fn total_lacks(source: &dyn PowerSource) -> Option<String> {
    let lacking: Vec<&Unread> = source.unread().iter().filter(|unread| unread.in_total).collect();
    let named: Vec<String> = lacking.iter().map(|unread| format!("{} ({})", unread.label, unread.why)).collect();
    (!named.is_empty()).then(|| format!("the board's total lacks {}", shared::boards::list(&named)))
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
