//! What may be asked of a data set.

use align::statistics::{LayerStatistics, Summary};
use tables::TableFormat;

/// Which power the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PowerKind {
    /// Less idle power, as EdgeProfiler has it.
    #[default]
    Net,
    /// With idle power.
    Total,
}

impl PowerKind {
    /// The statistics of a layer's power of this kind, in µW.
    pub(crate) fn of(self, layer: &LayerStatistics) -> &Summary {
        match self {
            Self::Net => &layer.net_power,
            Self::Total => &layer.power,
        }
    }
}

/// What may be asked of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Fewest measurements of power and of run time that a layer needs.
    pub per_layer_measurements: u64,
    /// Which power the tables hold.
    pub power: PowerKind,
    /// Whether layers are read with EdgeProfiler's faults.
    pub reference_compatible: bool,
    /// Format of the training tables and of the totals. Statistics are CSV, as EdgeProfiler has them.
    pub format: TableFormat,
}
