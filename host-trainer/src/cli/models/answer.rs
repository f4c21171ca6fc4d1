//! Rows of an answer in the three formats.

use crate::output::{self, Csv, Format, render};
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
    let names = || header.iter().map(|name| name.replace(' ', "_"));
    output::write(
        printer,
        format,
        value,
        || Csv::text(names(), rows.iter().cloned()),
        || render(header, rows.clone(), numbers_from),
    )
}

/// A stamp to the second, for people.
pub(super) fn second(when: &str) -> String {
    match when.split_once('.') {
        Some((second, _)) => format!("{second}Z"),
        None => when.to_owned(),
    }
}
