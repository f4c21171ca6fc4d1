//! Trained models: the trait they share, the card that describes one, the folder that holds one.

mod artefact;
mod card;
mod device;
mod predictor;
mod sums;

pub use artefact::{Artefact, CARD_FILE, ONNX_FILE, model_folder, replace_device};
pub use card::{Card, FeatureRange, Interval, PROGRAM, Program, Scores, SelfTest};
pub use device::{DEVICE_FILE, Device, Roofline, check_device_name, default_device, devices, set_default_device};
pub use predictor::{Predictor, Problem, Recipe, Target};
pub use sums::{Part, Sums, Use};
