//! Options that say in which modes, clocks, batches and number formats an engine is predicted.

use super::values::{Choice, choice};
use clap::Args;
use learn::what_if::SettingOptions;
use shared::engine::Precision;

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
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    batch: Vec<u32>,
    /// Number formats to predict for [default: the engine's].
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = choice::<ArithmeticName>())]
    precision: Vec<ArithmeticName>,
}

/// A number format that layers compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArithmeticName {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit integer.
    Int8,
}

impl SettingArgs {
    /// Whether any of them was given.
    pub(super) fn is_given(&self) -> bool {
        !self.modes.is_empty()
            || !self.batch.is_empty()
            || !self.precision.is_empty()
            || self.gpu_mhz.is_some()
            || self.own_mode.is_some()
            || self.emc_mhz.is_some()
    }

    /// The mode in which the device was measured, if it was given.
    pub(super) fn own_mode(&self) -> Option<&str> {
        self.own_mode.as_deref()
    }

    /// What they ask for, with these modes where none is named.
    pub(super) fn options(&self, default_modes: &[&str]) -> SettingOptions {
        let modes = if self.modes.is_empty() && self.gpu_mhz.is_none() && self.emc_mhz.is_none() {
            default_modes.iter().map(|mode| (*mode).to_owned()).collect()
        } else {
            self.modes.clone()
        };
        let precision = |name: &ArithmeticName| match name {
            ArithmeticName::Fp32 => Precision::Fp32,
            ArithmeticName::Fp16 => Precision::Fp16,
            ArithmeticName::Int8 => Precision::Int8,
        };
        SettingOptions {
            modes,
            gpu_mhz: self.gpu_mhz,
            emc_mhz: self.emc_mhz,
            batches: self.batch.clone(),
            precisions: self.precision.iter().map(precision).collect(),
        }
    }
}

impl Choice for ArithmeticName {
    const VALUES: &'static [Self] = &[Self::Fp32, Self::Fp16, Self::Int8];

    fn label(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}
