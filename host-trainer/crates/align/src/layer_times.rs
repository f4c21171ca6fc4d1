//! How long layers ran, and how long no layer did.

use shared::units::Millis;

/// Time spent in each component, and durations of layers.
#[derive(Debug, Clone, Default)]
pub struct LayerTimes {
    /// Runs of each layer.
    pub runs: Vec<u64>,
    /// Sum of its durations in ms.
    total_ms: Vec<f64>,
    /// Sum of the squares of its durations.
    squares: Vec<f64>,
    /// Time outside layers, pauses left out, in ms.
    pub(crate) outside_ms: f64,
    /// Intervals between inferences that were not pauses, and the inferences they lie between.
    pub(crate) outside_cycles: u64,
    /// Pauses.
    pub pauses: u64,
    /// Inferences that began before the one before had ended.
    pub overlapping: u64,
    /// First start and last end of an inference, microseconds of the run's clock.
    pub span_us: Option<(f64, f64)>,
}

impl LayerTimes {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(layers: usize) -> Self {
        let zeros = vec![0.0; layers];
        Self { runs: vec![0; layers], total_ms: zeros.clone(), squares: zeros, ..Self::default() }
    }

    /// Takes a run of a layer.
    pub(crate) fn add(&mut self, layer: usize, ms: f64) {
        self.runs[layer] += 1;
        self.total_ms[layer] += ms;
        self.squares[layer] += ms * ms;
    }

    /// Mean duration of a layer; 0 without a run.
    #[must_use]
    pub fn mean(&self, layer: usize) -> Millis {
        Millis(if self.runs[layer] == 0 { 0.0 } else { self.total_ms[layer] / self.runs[layer] as f64 })
    }

    /// Standard deviation of a layer's duration.
    #[must_use]
    pub fn deviation(&self, layer: usize) -> Millis {
        let n = self.runs[layer] as f64;
        if n < 2.0 {
            return Millis(0.0);
        }
        let mean = self.total_ms[layer] / n;
        Millis(((self.squares[layer] / n - mean * mean).max(0.0) * n / (n - 1.0)).sqrt())
    }

    /// Mean time outside the layers for one inference.
    #[must_use]
    pub fn mean_outside(&self) -> Millis {
        Millis(if self.outside_cycles == 0 { 0.0 } else { self.outside_ms / self.outside_cycles as f64 })
    }
}
