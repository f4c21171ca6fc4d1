//! Text and numbers of the files that people bring, read in one way: how bytes stand for characters, what JSON may get
//! wrong, how a table separates its fields and writes its numbers, times and units.
//!
//! Shells on Windows redirect in UTF-16, spreadsheets of half the world write semicolons and decimal commas, and
//! TensorRT writes `nan` and raw control characters into JSON. Each of that is read here where it is certain what is
//! meant; what may mean two things is refused with both named. Plain UTF-8 is passed through as it is.

mod dialect;
mod encoding;
mod file;
pub mod json;
mod label;
mod moment;
mod number;
mod repair;
mod stream;

pub use dialect::{Dialect, Separator};
pub use encoding::{Decoded, Encoding, Foreign, decode};
pub use file::read_text;
pub use label::{Label, Quantity, Unit};
pub use moment::{Epoch, Moment, scaled_ns};
pub use number::{DecimalSign, SignEvidence, number, number_and_unit};
pub use stream::TextStream;
