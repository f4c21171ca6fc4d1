//! What could not be read of a log, without holding all of it.

use serde::Serialize;

/// How much of a log could not be read, with the first few places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// Lines or entries that could not be read.
    pub bad: u64,
    /// The first few of them: place and reason.
    pub named: Vec<String>,
}

impl Diagnostics {
    /// Most places that are named; the rest is only counted.
    const NAMED: usize = 5;

    /// Counts one, and names its place while there is room.
    pub fn note(&mut self, place: impl FnOnce() -> String) {
        self.bad += 1;
        if self.named.len() < Self::NAMED {
            self.named.push(place());
        }
    }

    /// Adds those of another part of the same log.
    pub fn merge(&mut self, other: &Self) {
        self.bad += other.bad;
        let room = Self::NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.iter().take(room).cloned());
    }

    /// One sentence of all of them; `None` when everything was read.
    ///
    /// ```
    /// use shared::run_folder::Diagnostics;
    ///
    /// let mut diagnostics = Diagnostics::default();
    /// assert_eq!(diagnostics.sentence(), None);
    /// diagnostics.note(|| "line 3 has fewer than three fields".into());
    /// assert_eq!(diagnostics.sentence().as_deref(), Some("1 unreadable: line 3 has fewer than three fields"));
    /// ```
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let more = self.bad - self.named.len() as u64;
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        (self.bad > 0).then(|| format!("{} unreadable: {}{rest}", self.bad, self.named.join("; ")))
    }
}
