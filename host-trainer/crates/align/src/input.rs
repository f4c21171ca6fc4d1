//! What is to be attributed.

use super::batch::Inferences;
use super::stamps::Stamps;
use super::survey::Survey;
use shared::run_folder::PowerReadings;
use shared::units::{Micros, Watts};
use std::io;

/// Opens the inferences of a run from their beginning.
pub type OpenInferences<'a> = dyn Fn() -> io::Result<Box<dyn Inferences + 'a>> + 'a;
/// Opens the power log of a run from its beginning.
pub type OpenPower<'a> = dyn Fn() -> io::Result<Box<dyn PowerReadings + Send + 'a>> + 'a;

/// What is to be attributed. The run is read more than once, so inferences and power log come as functions that open
/// them.
pub struct AttributionInput<'a> {
    /// Opens the inferences; layers in execution order.
    pub inferences: &'a OpenInferences<'a>,
    /// Opens the power log.
    pub power: &'a OpenPower<'a>,
    /// Layers of an inference.
    pub layers: usize,
    /// What the stamps mark.
    pub stamps: Stamps,
    /// The usual time between inferences.
    pub period: Micros,
    /// What the first pass over the power log found.
    pub survey: &'a Survey,
    /// Idle power.
    pub idle: Option<Watts>,
    /// Whether layers are to be told apart; else the mean power is all that is found.
    pub is_fitted: bool,
}
