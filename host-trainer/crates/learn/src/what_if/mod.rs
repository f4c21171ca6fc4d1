//! Predictions in other power modes, at other clocks, in other batches and number formats.
//!
//! Every device of a board whose clocks are known is an anchor: its models predict what was measured there. Between and beyond
//! anchors the laws of [`boards::time_law`] and [`boards::power_law`] go on, layer by layer for time.

mod anchors;
mod batch;
mod caveats;
mod choice;
mod explore;
mod settings;

pub use anchors::{Anchor, Anchors, BoardChoice, board_choices, public_modes};
pub use batch::{rebatched, retyped};
pub use caveats::caveats;
pub use choice::Choice;
pub use explore::{LayerTime, Origin, Outlook, explore};
pub use settings::{Clocking, Setting, SettingOptions, clockings, parse_limit, settings};
