//! What a name alone says of a task that no worker has, so that whoever lists tasks need not read each.

use crate::queue::record::State;
use store::Digest;

/// A note where a task stands that no worker has: finished, or handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// Number of the entry that says so.
    pub(super) head: u64,
    /// Where the task stands.
    pub(super) state: State,
    /// Times it failed, and times its worker vanished; none in what earlier versions wrote.
    pub(super) counts: Option<(u64, u64)>,
    /// Its result, by hash; none in what earlier versions wrote.
    pub(super) result: Option<Digest>,
}

impl Ended {
    /// The name that says it of a task; none where a worker has the task.
    pub(super) fn name(self, id: &str) -> Option<String> {
        let state = match self.state {
            State::Done => "done",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Pending => "pending",
            State::Running => return None,
        };
        let mut name = format!("{id}-{}-{state}", self.head);
        if let Some((failures, lost)) = self.counts {
            name = format!("{name}-{failures}-{lost}");
            if let Some(result) = self.result {
                name = format!("{name}-{result}");
            }
        }
        Some(name)
    }

    /// The task that a name speaks of, and what it says.
    pub(super) fn parse(name: &str) -> Option<(&str, Self)> {
        let mut parts = name.split('-');
        let (id, head, state) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let state = match state {
            "done" => State::Done,
            "failed" => State::Failed,
            "cancelled" => State::Cancelled,
            "pending" => State::Pending,
            _ => return None,
        };
        let counts = match (parts.next(), parts.next()) {
            (Some(failures), Some(lost)) => Some((failures.parse().ok()?, lost.parse().ok()?)),
            _ => None,
        };
        let result = parts.next().and_then(|digest| digest.parse().ok());
        Some((id, Self { head, state, counts, result }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_also_those_without_counts() {
        for state in [State::Done, State::Failed, State::Cancelled, State::Pending] {
            for (counts, result) in [(None, None), (Some((1, 12)), None), (Some((0, 0)), Some(Digest::of(b"x")))] {
                let ended = Ended { head: 7, state, counts, result };
                let name = ended.name("0af1").expect("nobody has it");
                assert_eq!(Ended::parse(&name), Some(("0af1", ended)), "{name}");
            }
        }
        assert_eq!(Ended { head: 7, state: State::Running, counts: None, result: None }.name("0af1"), None);
        for name in ["0af1", "0af1-7", "0af1-7-open", "0af1-x-done", "0af1-7-done-x-1"] {
            assert_eq!(Ended::parse(name), None, "{name}");
        }
    }
}
