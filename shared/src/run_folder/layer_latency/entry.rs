//! One measurement of one layer.

use crate::units::Millis;

/// One run of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerEntry {
    /// Duration; finite and not negative.
    pub duration: Millis,
    /// Its stamp, Unix ns in the file's own zone. In EdgeProfiler's files, when the profiler's callback came.
    pub wall_ns: i64,
}
