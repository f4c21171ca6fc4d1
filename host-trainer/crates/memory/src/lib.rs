//! The memory that an engine takes, from its layers: weights, the largest set of live activations in execution order, and
//! bounds for the engine file and for device memory.
//!
//! Every figure is a lower bound unless it says that it is an estimate. What a layer does not state is not known: it counts
//! as nothing in a lower bound, and then there is no estimate.
//!
//! ```
//! use memory::Memory;
//!
//! let info = br#"{"Layers": [{"Name": "fc", "LayerType": "gemm",
//!     "Inputs": [{"Name": "a", "Dimensions": [1, 1000], "Format/Datatype": "Half"}],
//!     "Outputs": [{"Name": "b", "Dimensions": [1, 500], "Format/Datatype": "Half"}],
//!     "Weights": {"Type": "Half", "Count": 500000}}], "Bindings": ["a", "b"]}"#;
//! let (engine, _) = shared::engine::parse(info)?;
//! let memory = Memory::of(&engine, 0);
//! assert_eq!((memory.weights_bytes, memory.activations_bytes), (Some(1_000_000), Some(3000)));
//! assert_eq!(memory.device.map(|bytes| bytes.at_least), Some(1_003_000));
//! # Ok::<(), shared::engine::EngineInfoError>(())
//! ```

mod activations;
mod format;
mod parameters;

use activations::Activations;
use parameters::Parameters;
use serde::{Deserialize, Serialize};
use shared::engine::Engine;
use utoipa::ToSchema;

/// Bytes that the estimate of an engine file adds to the weights: 3.85 MiB, from the engine files of 750 builds of ResNets,
/// which are not published here. It is no bound: builds with transformed weights are larger.
pub const FILE_BEYOND_WEIGHTS: u64 = 4_037_018;

/// What a figure is at least, and what it is estimated to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bytes {
    /// Lower bound, in bytes.
    pub at_least: u64,
    /// Estimate, in bytes; not an upper bound. `null` if a layer does not state what it takes.
    pub estimate: Option<u64>,
}

/// The layer at which the most activations are live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peak {
    /// Position in the engine.
    pub index: usize,
    /// Name.
    pub layer_name: String,
}

/// The memory of an engine. A figure of which nothing is known is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Memory {
    /// Bytes of weights, biases and constants.
    pub weights_bytes: Option<u64>,
    /// Bytes of the largest set of activations that are live at the same time.
    pub activations_bytes: Option<u64>,
    /// Where that is.
    pub activations_peak: Option<Peak>,
    /// Bytes of the engine's inputs and outputs.
    pub bindings_bytes: Option<u64>,
    /// Bytes of the engine file.
    pub engine_file: Option<Bytes>,
    /// Bytes of device memory during an inference, without the CUDA context and the libraries.
    pub device: Option<Bytes>,
    /// Why figures are missing or are only lower bounds.
    pub notes: Vec<String>,
}

impl Memory {
    /// The memory of one optimisation profile of an engine.
    ///
    /// - **Weights**: what the layers state, a convolution that does not state them by its geometry; constants count.
    /// - **Activations**: tensors by name, live from the layer that writes them first to the one that reads them last. Layers
    ///   that launch nothing rename their input. Producers that write into one tensor, as TensorRT elides a concatenation,
    ///   share its memory.
    /// - **Engine file**: at least the weights; the estimate adds [`FILE_BEYOND_WEIGHTS`].
    /// - **Device**: at least weights and activations. The estimate pads channels as each tensor's format says, aligns
    ///   tensors to 256 bytes, keeps inputs and outputs for the whole inference, and adds workspace as large as the inputs
    ///   and outputs of the largest layer. The last is an assumption: no file that we know of states workspace.
    #[must_use]
    pub fn of(engine: &Engine, profile: usize) -> Self {
        let layers: Vec<_> = engine.layers_of_profile(profile).collect();
        let parameters = Parameters::of(&layers);
        let activations = Activations::of(&layers, &engine.bindings);
        let mut notes = Vec::new();
        notes.extend(parameters.note());
        notes.extend(activations.notes.iter().cloned());
        let weights = parameters.known.then_some(parameters.bytes);
        let engine_file = weights.map(|bytes| Bytes {
            at_least: bytes,
            estimate: (parameters.unstated == 0).then(|| bytes.saturating_add(FILE_BEYOND_WEIGHTS)),
        });
        let peak = activations.peak.as_ref();
        let device = (weights.is_some() || peak.is_some()).then(|| {
            let estimate = peak.filter(|_| parameters.unstated == 0 && activations.notes.is_empty()).map(|_| {
                [parameters.bytes, activations.padded_peak, activations.largest_layer]
                    .iter()
                    .fold(0, |sum, part| u64::saturating_add(sum, *part))
            });
            let at_least = weights.unwrap_or(0).saturating_add(peak.map_or(0, |peak| peak.bytes));
            Bytes { at_least, estimate }
        });
        Self {
            weights_bytes: weights,
            activations_bytes: peak.map(|peak| peak.bytes),
            activations_peak: peak.and_then(|peak| {
                let layer = layers.get(peak.layer)?;
                Some(Peak { index: layer.index, layer_name: layer.name.clone() })
            }),
            bindings_bytes: activations.bindings,
            engine_file,
            device,
            notes,
        }
    }
}
