//! What totals are converted to: watt-hours, hours of a battery, grams.

use clap::Args;
use learn::predict::{CarbonIntensity, Conversions, WattHours};

/// Conversions of the totals.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ConversionArgs {
    /// Battery whose lifetime to show, such as 50Wh; units are Wh, mWh, kWh, J and kJ.
    #[arg(long, value_name = "ENERGY")]
    battery: Option<WattHours>,
    /// Number of inferences whose energy to sum up.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    per: Option<u64>,
    /// Carbon intensity of the electricity, such as 400g/kWh, to show grams of carbon dioxide.
    #[arg(long, value_name = "INTENSITY")]
    carbon: Option<CarbonIntensity>,
}

impl ConversionArgs {
    /// What was asked for; none where nothing was.
    pub(super) fn conversions(self) -> Option<Conversions> {
        let Self { battery, per, carbon } = self;
        let conversions = Conversions { per, battery, carbon };
        (!conversions.is_empty()).then_some(conversions)
    }
}
