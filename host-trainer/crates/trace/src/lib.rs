//! A run as a trace in the Trace Event Format, which Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing` show.
//!
//! | track | events |
//! |---|---|
//! | passes, inferences, layers | complete events (`X`) with start and duration |
//! | a rail, the total | counters (`C`) in W, as they were read: behind a slow sensor they lag |
//! | clocks, temperatures, GPU load | counters in MHz, °C and % |
//! | what happened | instant events (`i`) |
//!
//! Times are µs since the run's first record. A layer carries `energy_mj` and `power_w` where an aligned run gives them; reading them
//! from the rails' counters would be wrong behind a sensor that is slower than a layer.
//!
//! Source of the format: "Trace Event Format", Google, 2016, sections "Complete Events", "Counter Events", "Instant Events" and
//! "Metadata Events".

mod energies;
mod events;
mod layers;
mod run;

pub use energies::{LayerEnergies, LayerPower};
pub use run::{Exported, TraceOptions, export};
