//! Well-known networks, families of them and single layers as ONNX files with seeded random weights.
//!
//! What a layer costs depends on its shape and not on what a network was trained on, so such files stand for trained networks where
//! run time, power and energy are measured. They use operator set 13, which TensorRT 8 and later and ONNX Runtime read.
//!
//! ```
//! use networks::{Architecture, Sizes, WriteOptions};
//!
//! let resnet18 = Architecture::named("resnet18").expect("a known network");
//! let half = Sizes { width: 0.5, ..Sizes::of_side(64) };
//! let file = resnet18.file(&half, &WriteOptions::default());
//! assert_eq!(file.bytes().len() as u64, file.size());
//! ```

mod architecture;
mod builder;
mod families;
mod file;
mod single;
mod sizes;
mod weights;

pub use architecture::{ARCHITECTURES, Architecture, WriteOptions};
pub use builder::Nonlinearity;
pub use file::OnnxFile;
pub use single::{Combination, SingleLayer, layers_file};
pub use sizes::Sizes;
pub use weights::{NumberFormat, WeightStorage};
