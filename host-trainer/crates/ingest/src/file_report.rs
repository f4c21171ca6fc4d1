//! What was understood of an imported file.

use super::sheet::Table;
use super::timing::{Times, span};
use serde::Serialize;
use shared::boards;
use shared::run_folder::Diagnostics;
use std::path::PathBuf;

/// What was understood of one file.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What it was read as.
    pub source: String,
    /// Its encoding, and for a table its separator, decimal sign and the columns read.
    pub form: Option<String>,
    /// The rails read; several are a sum.
    pub rails: Vec<String>,
    /// The usual time between readings.
    pub interval_ms: Option<f64>,
    /// How the rows tell their time.
    pub stamps: Option<String>,
    /// Rows, layers or inferences that were read.
    pub rows: u64,
    /// Rows that were left out.
    pub left_out: u64,
    /// The first few of them: place and reason.
    pub places: Vec<String>,
    /// What was found about the file, and what was done.
    pub notes: Vec<String>,
}

impl FileReport {
    /// A report of a file of which these rows were left out.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, source: &str, rows: usize, left_out: &Diagnostics) -> Self {
        Self {
            path: path.into(),
            source: source.into(),
            rows: rows as u64,
            left_out: left_out.bad,
            places: left_out.named.clone(),
            ..Self::default()
        }
    }

    /// The report with how its table is written.
    #[must_use]
    pub fn of_table<T>(self, table: &Table<T>) -> Self {
        let notes = [self.notes, table.notes.clone()].concat();
        Self { form: Some(table.form.to_string()), notes, ..self }
    }

    /// The report with what was found about the times of its rows.
    #[must_use]
    pub fn timed(self, times: &Times) -> Self {
        let notes = [self.notes, times.notes.clone()].concat();
        Self { interval_ms: times.interval_ns.map(|ns| ns as f64 * 1e-6), notes, ..self }
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = vec![self.source.clone()];
        parts.extend(rail_text(&self.rails));
        parts.push(format!("{} rows", self.rows));
        if let Some(ms) = self.interval_ms {
            parts.push(format!("{} apart", span((ms * 1e6) as i64)));
        }
        if let Some(stamps) = &self.stamps {
            parts.push(format!("time as {stamps}"));
        }
        parts.push(format!("{} left out", self.left_out));
        let form = self.form.as_ref().map_or_else(String::new, |form| format!("{form}; "));
        format!("read {}: {form}{}", self.path.display(), parts.join(", "))
    }

    /// Warnings for people: what was left out, and what was found.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.notes.iter().map(|note| format!("{}: {note}", self.path.display())).collect();
        if self.left_out > 0 {
            let more = self.left_out - (self.places.len() as u64).min(self.left_out);
            let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
            let places = self.places.join("; ");
            warnings.push(format!("{}: {} rows were not read: {places}{rest}", self.path.display(), self.left_out));
        }
        warnings
    }
}

/// `rail VDD_IN`, `sum of A, B and C`; `None` for no rail.
pub(crate) fn rail_text(rails: &[String]) -> Option<String> {
    match rails {
        [] => None,
        [one] => Some(format!("rail {one}")),
        several => Some(format!("sum of {}", boards::list(several))),
    }
}
