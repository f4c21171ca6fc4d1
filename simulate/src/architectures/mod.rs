//! Well-known networks as the engine infos that TensorRT would write of them, made from the architectures' published
//! dimensions. They serve as samples, as test networks, and as what the simulated runner runs.
//!
//! Layers are fused as TensorRT fuses them (batch normalisation into the convolution, then residual and activation);
//! names and tactics are our own, since both differ from build to build.

mod builder;
mod networks;

use builder::Builder;
use shared::engine::Precision;

/// The networks known here.
pub const NAMES: [&str; 6] = ["alexnet", "lenet", "mobilenet_v2", "resnet18", "resnet50", "vgg16"];

/// How an engine is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Images in one inference.
    pub batch: u32,
    /// Number format of weights and activations: FP32, FP16 or INT8; anything else counts as FP16.
    pub precision: Precision,
}

impl Default for Options {
    /// One image, FP16.
    fn default() -> Self {
        Self { batch: 1, precision: Precision::Fp16 }
    }
}

/// The engine info of a network, as JSON in TensorRT's schema; none for a name that is not in [`NAMES`]. The same
/// arguments give the same bytes.
#[must_use]
pub fn engine_info(name: &str, options: Options) -> Option<String> {
    let network = match name {
        "alexnet" => networks::alexnet,
        "lenet" => networks::lenet,
        "mobilenet_v2" => networks::mobilenet_v2,
        "resnet18" => networks::resnet18,
        "resnet50" => networks::resnet50,
        "vgg16" => networks::vgg16,
        _ => return None,
    };
    let mut builder = Builder::new(options);
    network(&mut builder);
    Some(builder.finish())
}
