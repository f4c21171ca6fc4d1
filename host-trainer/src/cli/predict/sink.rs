//! Where predictions go, one engine after the other.

use super::human::human;
use crate::output::{Csv, Format, json};
use learn::predict::{CSV_HEADER, Conversions, Document, Prediction, SCHEMA_VERSION, csv_record};
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use std::path::Path;

/// Writes tables for people as they come, and CSV and JSON when all have come.
pub(super) struct Sink<'a> {
    /// How predictions are written to stdout.
    pub(super) format: Format,
    /// Heaviest layers to show to people.
    pub(super) top: usize,
    /// File that receives the rows as CSV.
    pub(super) csv_path: Option<&'a Path>,
    /// Whether rows name their engine.
    pub(super) several: bool,
    /// What the totals are converted to.
    pub(super) conversions: Option<Conversions>,
    /// Where it goes.
    pub(super) printer: &'a Printer,
    /// What has come so far.
    pub(super) taken: Taken,
}

/// What a sink has taken so far.
#[derive(Debug, Default)]
pub(super) struct Taken {
    csv: Option<Csv>,
    json: Vec<String>,
    written: usize,
}

impl Sink<'_> {
    /// Takes an engine's prediction.
    pub(super) fn take(&mut self, file: &Path, prediction: &Prediction) -> Result<(), Failure> {
        if self.csv_path.is_some() || self.format == Format::Csv {
            self.add_csv(file, prediction)?;
        }
        let totals = &prediction.totals;
        let footprint = self.conversions.map(|conversions| {
            conversions.footprint(
                (&totals.energy, totals.energy_bounds),
                (totals.average_power(), totals.average_power_bounds),
            )
        });
        match self.format {
            Format::Human => {
                if self.taken.written > 0 {
                    self.printer.data("\n")?;
                }
                self.printer.data(&human(file, prediction, self.top, footprint.as_ref()))?;
                prediction.warnings.iter().for_each(|warning| self.printer.warn(warning));
            }
            Format::Json => {
                let engine = file.display().to_string();
                let document = Document { schema_version: SCHEMA_VERSION, engine: &engine, prediction, footprint };
                self.taken.json.push(json(&document)?.trim_end().to_owned());
            }
            Format::Csv => {}
        }
        self.taken.written += 1;
        Ok(())
    }

    fn add_csv(&mut self, file: &Path, prediction: &Prediction) -> Result<(), Failure> {
        let csv = match &mut self.taken.csv {
            Some(csv) => csv,
            none => none.insert(Csv::new(CSV_HEADER.into_iter().chain(self.several.then_some("engine")))?),
        };
        for layer in &prediction.layers {
            let mut record = csv_record(layer);
            record.extend(self.several.then(|| file.display().to_string()));
            csv.row(record)?;
        }
        Ok(())
    }

    /// Writes what waits for the end: CSV, JSON and the file of rows, which is not written where nothing was predicted.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let csv = self.taken.csv.map_or_else(|| Ok(String::new()), Csv::finish)?;
        match self.format {
            Format::Json if self.several => self.printer.data(&format!("[\n{}\n]\n", self.taken.json.join(",\n")))?,
            Format::Json => self.printer.data(&format!("{}\n", self.taken.json.join("")))?,
            Format::Csv => self.printer.data(&csv)?,
            Format::Human => {}
        }
        if let Some(path) = self.csv_path
            && self.taken.written > 0
        {
            write_atomic(path, csv.as_bytes())?;
            self.printer.say(format!("wrote {}", path.display()));
        }
        Ok(())
    }
}
