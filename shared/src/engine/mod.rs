//! TensorRT engine info: what an engine's layers are, read from any dialect that TensorRT, `trtexec`, Torch-TensorRT
//! and the engine explorer write.

mod classify;
mod kind;
mod layer;
mod layer_work;
mod parse;
mod tensor;
mod work;

pub use kind::{LayerFamily, LayerKind, Table};
pub use layer::{Bias, Engine, Layer, Spatial, Weights};
pub use parse::{Batch, BatchEngine, BatchError, Budgets, Diagnostic, EngineInfoError, batch, named, parse, read};
pub use tensor::{Precision, Tensor};
pub use work::{AttentionSizes, ConvolutionSizes, Image, Number, PoolingSizes, ProductSizes, Window, Work};
