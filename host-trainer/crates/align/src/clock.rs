//! The clock of a log: backward jumps undone, and nanoseconds of the wall clock as microseconds of the run.

use shared::run_folder::PowerReading;

/// Time from one moment of the wall clock to another as microseconds, the unit of the fit's inner loops. Both in Unix ns.
#[must_use]
pub fn since_us(at_ns: i64, origin_ns: i64) -> f64 {
    at_ns.saturating_sub(origin_ns) as f64 / 1e3
}

/// Stretch of the log in which its clock ran forwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// First stamp, Unix ns.
    pub start_ns: i64,
    /// Last stamp.
    pub end_ns: i64,
    /// What to add to its stamps so that they go on from the stretch before.
    pub offset_ns: i64,
}

/// Undoes backward jumps of the log's clock.
#[derive(Debug, Clone, Default)]
pub struct ClockUnwrap {
    /// The stretches met so far.
    pub stretches: Vec<Stretch>,
    period_ns: i64,
}

impl ClockUnwrap {
    /// The reading with a stamp that never goes back.
    pub fn reading(&mut self, mut reading: PowerReading) -> PowerReading {
        let at = reading.wall_ns;
        match self.stretches.last_mut() {
            Some(stretch) if at >= stretch.end_ns => {
                if self.period_ns == 0 {
                    self.period_ns = at.saturating_sub(stretch.end_ns);
                }
                stretch.end_ns = at;
            }
            Some(stretch) => {
                let back_ns = stretch.end_ns.saturating_sub(at).saturating_add(self.period_ns);
                let offset_ns = stretch.offset_ns.saturating_add(back_ns);
                self.stretches.push(Stretch { start_ns: at, end_ns: at, offset_ns });
            }
            None => self.stretches.push(Stretch { start_ns: at, end_ns: at, offset_ns: 0 }),
        }
        reading.wall_ns = at.saturating_add(self.stretches.last().map_or(0, |s| s.offset_ns));
        reading
    }
}
