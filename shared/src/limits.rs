//! Every cap on what is read from outside, in one place. They are checked before memory is taken.

/// Largest engine-info file read, in bytes. A 1,000-layer engine with detailed verbosity is about 3 MB.
pub const ENGINE_INFO_BYTES: u64 = 64 << 20;
/// Deepest nesting of JSON followed in an engine info.
pub const ENGINE_INFO_DEPTH: usize = 64;
/// Most layers one engine may list.
pub const ENGINE_LAYERS: usize = 100_000;
/// Largest description of one layer in an engine info, in bytes.
pub const ENGINE_LAYER_BYTES: usize = 4 << 20;
/// Most tensors all layers of an engine may list together.
pub const ENGINE_TENSORS: usize = 1_000_000;
/// Most diagnostics kept of one file; the rest are counted.
pub const DIAGNOSTICS: usize = 1_000;
/// Most tensors one layer may list on one side.
pub const LAYER_TENSORS: usize = 4_096;
/// Most dimensions of one tensor.
pub const TENSOR_DIMENSIONS: usize = 16;
/// Largest configuration, card, manifest or other small text file read, in bytes.
pub const SMALL_FILE_BYTES: u64 = 16 << 20;
/// Largest ONNX model loaded, in bytes.
pub const ONNX_BYTES: u64 = 256 << 20;
/// Largest training table read, in bytes.
pub const TABLE_BYTES: u64 = 4 << 30;
/// Largest payload of one frame of a run's sample log, in bytes. A second of a 20 kHz meter takes 340 kB.
pub const FRAME_BYTES: usize = 4 << 20;
/// Largest layer-latency file read, in bytes. The reference's 30,000 cycles of 167 layers take about 250 MB.
pub const LAYER_LATENCY_BYTES: u64 = 2 << 30;
/// Most of an ONNX graph kept in memory besides weights, in bytes: names, attributes, small constants.
pub const GRAPH_BYTES: u64 = 64 << 20;
/// Most nodes of an ONNX graph. A Swin transformer exports 6,600.
pub const GRAPH_NODES: usize = 100_000;
/// Most tensors of an ONNX graph, and most references to them by all nodes together.
pub const GRAPH_TENSORS: usize = 1_000_000;
/// Most elements of a constant whose values are kept because shapes may follow from them.
pub const GRAPH_VALUES: usize = 1 << 16;
/// Most values of all constants of an ONNX graph together that are kept or computed.
pub const GRAPH_VALUES_TOTAL: usize = 1 << 24;
/// Most elements of a tensor of an ONNX graph: 4 TiB of FP32.
pub const GRAPH_TENSOR_ELEMENTS: u64 = 1 << 40;
/// Most power modes read of one board. The largest public file has nine.
pub const POWER_MODES: usize = 64;
