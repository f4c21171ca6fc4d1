//! The networks by name.

use crate::builder::{Builder, Edge};
use crate::families::compact::{LARGE, SMALL};
use crate::families::residual::ResidualPlan;
use crate::families::{classics, compact, connected, dense_prediction, residual, transformer};
use crate::file::OnnxFile;
use crate::sizes::Sizes;
use crate::weights::{NumberFormat, WeightStorage};

type Build = fn(&mut Builder, &Sizes) -> Vec<Edge>;

/// A network that can be written.
#[derive(Debug, Clone, Copy)]
pub struct Architecture {
    /// Its name.
    pub name: &'static str,
    /// The side of its published input, in pixels.
    pub side: u32,
    build: Build,
}

/// How a network is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// Number format.
    pub format: NumberFormat,
    /// How weights are kept.
    pub storage: WeightStorage,
    /// Where the weights come from.
    pub seed: u64,
}

const fn network(name: &'static str, side: u32, build: Build) -> Architecture {
    Architecture { name, side, build }
}

const fn residual_plan(blocks: [u32; 4], is_bottleneck: bool, groups: Option<(u64, u64)>) -> ResidualPlan {
    ResidualPlan { blocks, is_bottleneck, groups }
}

/// Every network known here, by name.
pub const ARCHITECTURES: &[Architecture] = &[
    network("alexnet", 224, classics::alexnet),
    network("densenet121", 224, |b, s| connected::densenet(b, s, [6, 12, 24, 16])),
    network("densenet169", 224, |b, s| connected::densenet(b, s, [6, 12, 32, 32])),
    network("efficientnet_b0", 224, |b, s| compact::efficientnet(b, s, 1.0, 1.0)),
    network("efficientnet_b1", 240, |b, s| compact::efficientnet(b, s, 1.0, 1.1)),
    network("efficientnet_b2", 260, |b, s| compact::efficientnet(b, s, 1.1, 1.2)),
    network("inception_v1", 224, connected::inception_v1),
    network("lenet", 28, classics::lenet),
    network("mobilenet_v1", 224, compact::mobilenet_v1),
    network("mobilenet_v2", 224, compact::mobilenet_v2),
    network("mobilenet_v3_large", 224, |b, s| compact::mobilenet_v3(b, s, LARGE)),
    network("mobilenet_v3_small", 224, |b, s| compact::mobilenet_v3(b, s, SMALL)),
    network("resnet101", 224, |b, s| residual::resnet(b, s, residual_plan([3, 4, 23, 3], true, None))),
    network("resnet18", 224, |b, s| residual::resnet(b, s, residual_plan([2, 2, 2, 2], false, None))),
    network("resnet34", 224, |b, s| residual::resnet(b, s, residual_plan([3, 4, 6, 3], false, None))),
    network("resnet50", 224, |b, s| residual::resnet(b, s, residual_plan([3, 4, 6, 3], true, None))),
    network("resnext50", 224, |b, s| residual::resnet(b, s, residual_plan([3, 4, 6, 3], true, Some((32, 4))))),
    network("squeezenet", 224, connected::squeezenet),
    network("unet", 256, dense_prediction::unet),
    network("vgg11", 224, |b, s| classics::vgg(b, s, [1, 1, 2, 2, 2])),
    network("vgg13", 224, |b, s| classics::vgg(b, s, [2, 2, 2, 2, 2])),
    network("vgg16", 224, |b, s| classics::vgg(b, s, [2, 2, 3, 3, 3])),
    network("vgg19", 224, |b, s| classics::vgg(b, s, [2, 2, 4, 4, 4])),
    network("vit_base", 224, |b, s| transformer::vit(b, s, 12)),
    network("vit_small", 224, |b, s| transformer::vit(b, s, 6)),
    network("vit_tiny", 224, |b, s| transformer::vit(b, s, 3)),
    network("yolo_like", 640, dense_prediction::yolo_like),
];

impl Architecture {
    /// The network of a name.
    ///
    /// ```
    /// use networks::{Architecture, Sizes, WriteOptions};
    /// let squeezenet = Architecture::named("squeezenet").expect("a known network");
    /// let file = squeezenet.file(&Sizes::of_side(squeezenet.side), &WriteOptions::default());
    /// // 1.235 million by the paper's authors.
    /// assert_eq!(file.parameters() / 1_000, 1_235);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|architecture| architecture.name == name)
    }

    /// The least side at which every layer still has a pixel, and the number of which sides are multiples: what is halved is doubled
    /// again and joined, and patches fill the image.
    #[must_use]
    pub fn sides(&self) -> (u32, u32) {
        match self.name {
            "alexnet" => (63, 1),
            "lenet" => (12, 1),
            "unet" | "vit_base" | "vit_small" | "vit_tiny" => (16, 16),
            "yolo_like" => (32, 32),
            _ => (32, 1),
        }
    }

    /// Checks whether the network can be written for images of a side.
    ///
    /// ```
    /// let unet = networks::Architecture::named("unet").expect("a known network");
    /// assert_eq!(unet.check_side(100), Err("unet takes sides of 16 or more that are multiples of 16, not 100".to_owned()));
    /// ```
    ///
    /// # Errors
    /// A sentence that says which sides it takes.
    pub fn check_side(&self, side: u32) -> Result<(), String> {
        let (least, step) = self.sides();
        if side >= least && side.is_multiple_of(step) {
            return Ok(());
        }
        let multiples = if step == 1 { String::new() } else { format!(" that are multiples of {step}") };
        Err(format!("{} takes sides of {least} or more{multiples}, not {side}", self.name))
    }

    /// The network as an ONNX file. The same arguments give the same bytes.
    #[must_use]
    pub fn file(&self, sizes: &Sizes, options: &WriteOptions) -> OnnxFile {
        let mut builder = Builder::new(self.name, options.format, options.storage, options.seed);
        let outputs = (self.build)(&mut builder, sizes);
        builder.finish(&outputs.iter().collect::<Vec<_>>())
    }
}
