//! Well-known networks as the engine infos that TensorRT would write of them, made from the architectures' published
//! dimensions. They serve as samples, as test networks, and as what the simulated runner runs.
//!
//! Layers are fused as TensorRT fuses them (batch normalisation into the convolution, then residual and activation);
//! names and tactics are our own, since both differ from build to build.

mod builder;
mod networks;
mod options;

pub use options::Options;

use builder::Builder;

/// The networks known here.
pub const NAMES: [&str; 6] = ["alexnet", "lenet", "mobilenet_v2", "resnet18", "resnet50", "vgg16"];

/// The engine info of a network, as JSON in TensorRT's schema; none for a name that is not in [`NAMES`]. The same
/// arguments give the same bytes.
///
/// ```
/// use simulate::architectures::{Options, engine_info};
/// let text = engine_info("resnet18", Options::default()).expect("a known network");
/// let (engine, diagnostics) = shared::engine::parse(text.as_bytes()).expect("an engine info");
/// assert!(engine.layers.len() > 20 && diagnostics.is_empty());
/// assert_eq!(engine_info("resnet19", Options::default()), None);
/// ```
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
