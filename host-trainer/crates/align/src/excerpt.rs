//! Some inferences and readings in full, for a picture.

/// Some inferences and the readings in them.
#[derive(Debug, Clone, Default)]
pub struct Excerpt {
    /// Where the pieces begin, in microseconds of the run's clock.
    pub start_us: f64,
    /// Pieces: end and component.
    pub pieces: Vec<(f64, u32)>,
    /// Readings: moment and watts.
    pub samples: Vec<(f64, f64)>,
}
