//! EdgeProfiler's `trt_layer_latency.json`: `{layer name: [[ms, "YYYYMMDD-HH:MM:SS.ffffff"], …]}`.
//!
//! The file holds one list for each layer, while the work goes inference by inference. So it is read twice: [`index_layers`]
//! finds where each layer's list lies, then one [`LayerCursor`] for each layer reads on, all moving together. Memory is a
//! small buffer for each layer, whatever the size of the file. A file that ends anywhere gives whatever whole entries it
//! holds.

mod cursor;
mod entry;
mod index;
mod read_at;
mod text_file;
mod whole;
mod write;

pub use cursor::{LayerCursor, NumberText};
pub use entry::LayerEntry;
pub use index::{LayerSeries, index_layers, split_shared_names};
pub use read_at::ReadAt;
pub use text_file::TextFile;
pub use whole::{LayerLatencies, LayerLatencyError, parse_layer_latencies, read_layer_latencies};
pub use write::write_layer_latencies;
