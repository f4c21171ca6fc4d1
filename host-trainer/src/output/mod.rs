//! What commands write: tables for people, CSV and JSON. Nothing else in this program puts rows or documents into text.

mod csv;
pub(crate) mod metrics;
mod table;

pub(crate) use csv::{Csv, number};
pub(crate) use shared::figures::{UNKNOWN, change, figure, known, percent};
pub(crate) use table::{render, score, shorten};

use clap::ValueEnum;
use serde::Serialize;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;

/// How an answer that is data is written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// Writes an answer to stdout in the format asked for; the other two are not made.
///
/// # Errors
/// A value that is no JSON, rows that do not fit their header, or stdout that cannot be written.
pub(crate) fn write<T: Serialize + ?Sized>(
    printer: &Printer,
    format: Format,
    value: &T,
    csv: impl FnOnce() -> Result<String, Failure>,
    human: impl FnOnce() -> String,
) -> Result<(), Failure> {
    printer.data(&match format {
        Format::Json => json(value)?,
        Format::Csv => csv()?,
        Format::Human => human(),
    })
}

/// A value as an indented JSON document with a line end.
///
/// # Errors
/// A value that is no JSON, such as a map whose keys are no strings.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::from_error(Kind::Data, e))?;
    Ok(text + "\n")
}
