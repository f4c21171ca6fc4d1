//! Data sets that models are fitted on, and trained models: the trait they share, the card that describes one, the folder that
//! holds one.

mod artefact;
mod card;
mod dataset;
mod device;
mod predictor;
mod widening;

pub use artefact::{Artefact, CARD_FILE, ONNX_FILE, model_folder, replace_device};
pub use card::{Card, FeatureRange, Interval, PROGRAM, Program, Scores, SelfTest};
pub use dataset::{Dataset, LayerTable, Occurrence};
pub use device::{
    DEVICE_FILE, Device, Roofline, TransferRecord, check_device_name, default_device, devices, set_default_device,
};
pub use predictor::{Predictor, Target};
pub(crate) use widening::distance;
pub use widening::{MOST_VALUES, Widening};
