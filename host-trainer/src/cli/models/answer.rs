//! Rows of an answer in the three formats.

use crate::cli::Format;
use crate::cli::table::{csv, render};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;

/// Writes an answer: values as one JSON document, or rows under a header for people and as CSV.
pub(super) fn write<T: Serialize + ?Sized>(
    printer: &Printer,
    format: Format,
    value: &T,
    header: &[&str],
    rows: Vec<Vec<String>>,
    numbers_from: usize,
) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let json = serde_json::to_string_pretty(value).map_err(|e| Failure::data(e.to_string()))?;
            printer.data(&format!("{json}\n"))
        }
        Format::Csv => {
            let header: Vec<String> = header.iter().map(|name| name.replace(' ', "_")).collect();
            printer.data(&csv(&header, &rows)?)
        }
        Format::Human => printer.data(&render(header, rows, numbers_from)),
    }
}

/// A stamp to the second, for people.
pub(super) fn second(when: &str) -> String {
    match when.split_once('.') {
        Some((second, _)) => format!("{second}Z"),
        None => when.to_owned(),
    }
}
