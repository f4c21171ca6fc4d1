//! The power over a whole log, for a picture.

use shared::run_folder::PowerReading;

/// Most points that are kept.
const TRACE: usize = 2048;

/// The power over the whole log in a bounded number of points: neighbours are merged as the log grows.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Unix ns, unwrapped, and mean power in watts.
    pub points: Vec<(i64, f64)>,
    per_point: u64,
    pending: (i64, f64, u64),
}

impl Trace {
    pub(crate) fn add(&mut self, reading: &PowerReading) {
        self.per_point = self.per_point.max(1);
        let (at, sum, count) = &mut self.pending;
        if *count == 0 {
            *at = reading.wall_ns;
        }
        *sum += reading.power().0;
        *count += 1;
        if *count >= self.per_point {
            self.points.push((*at, *sum / *count as f64));
            self.pending = (0, 0.0, 0);
            if self.points.len() >= TRACE {
                self.points = self.points.chunks(2).map(|p| (p[0].0, (p[0].1 + p[p.len() - 1].1) / 2.0)).collect();
                self.per_point *= 2;
            }
        }
    }
}
