//! Rows of an answer in the three formats.

use crate::cli::Format;
use crate::cli::table::render;
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
            let failed = |e: csv::Error| Failure::data(e.to_string());
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(header.iter().map(|name| name.replace(' ', "_"))).map_err(failed)?;
            for row in rows {
                writer.write_record(row).map_err(failed)?;
            }
            let bytes = writer.into_inner().map_err(|e| Failure::data(e.to_string()))?;
            printer.data(&String::from_utf8_lossy(&bytes))
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
