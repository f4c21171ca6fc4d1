//! Options that say in which modes, clocks, batches and number formats an engine is predicted.

use super::graph_args::ShapeArgs;
use clap::Args;
use graph::{Build, Options};
use learn::what_if::SettingOptions;
use shared::engine::Precision;
use shared::failure::Failure;

/// Modes, clocks, batches and number formats.
#[derive(Debug, Clone, Args)]
pub(super) struct SettingArgs {
    /// Power modes to predict for: names separated by commas, or `all`.
    #[arg(long, value_name = "all|A,B", value_delimiter = ',')]
    modes: Vec<String>,
    /// Power mode in which the device was measured, where nothing recorded it.
    #[arg(long, value_name = "NAME")]
    own_mode: Option<String>,
    /// GPU clock to predict for, in place of the mode's.
    #[arg(long, value_name = "MHZ")]
    gpu_mhz: Option<f64>,
    /// Memory clock to predict for, in place of the mode's.
    #[arg(long, value_name = "MHZ")]
    emc_mhz: Option<f64>,
    /// Batch sizes to predict for [default: the engine's].
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    batch: Vec<u32>,
    /// Number formats to predict for, of fp32, fp16, bf16, int8 and, for ONNX graphs, best [default: the engine's; fp16 for graphs].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    precision: Vec<Build>,
}

impl SettingArgs {
    /// Whether they ask for more than an engine in one batch and number format: modes, clocks, or several of either.
    pub(super) fn asks_for_several(&self) -> bool {
        !self.modes.is_empty()
            || self.gpu_mhz.is_some()
            || self.emc_mhz.is_some()
            || self.own_mode.is_some()
            || self.batch.len() > 1
            || self.precision.len() > 1
    }

    /// Whether an engine whose batch and number format are fixed would have to be changed.
    pub(super) fn changes_engines(&self) -> bool {
        !self.batch.is_empty() || !self.precision.is_empty()
    }

    /// How graphs are read: in the one batch and number format that is asked for; of several, outlooks are derived.
    pub(super) fn graph(&self, shapes: &ShapeArgs) -> Options {
        let precision = if let [one] = self.precision[..] { one } else { Build::default() };
        let batch = if let [one] = self.batch[..] { Some(one) } else { None };
        shapes.options(precision, batch)
    }

    /// The mode in which the device was measured, if it was given.
    pub(super) fn own_mode(&self) -> Option<&str> {
        self.own_mode.as_deref()
    }

    /// What they ask for, with these modes where none is named.
    ///
    /// # Errors
    /// `best`, which no engine is.
    pub(super) fn options(&self, default_modes: &[&str]) -> Result<SettingOptions, Failure> {
        let modes = if self.modes.is_empty() && self.gpu_mhz.is_none() && self.emc_mhz.is_none() {
            default_modes.iter().map(|mode| (*mode).to_owned()).collect()
        } else {
            self.modes.clone()
        };
        let precision = |build: &Build| match build {
            Build::Fp32 => Ok(Precision::Fp32),
            Build::Fp16 => Ok(Precision::Fp16),
            Build::Bf16 => Ok(Precision::Bf16),
            Build::Int8 => Ok(Precision::Int8),
            Build::Best => Err(Failure::usage("`best` names no number format of an engine").help(
                "name formats, such as --precision fp16,int8; `best` is for ONNX graphs without modes or clocks",
            )),
        };
        Ok(SettingOptions {
            modes,
            gpu_mhz: self.gpu_mhz,
            emc_mhz: self.emc_mhz,
            batches: self.batch.clone(),
            precisions: self.precision.iter().map(precision).collect::<Result<_, _>>()?,
        })
    }
}
