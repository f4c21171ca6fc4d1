//! `host-trainer ingest`: other tools' files in, a run folder out.

use crate::output::{self, Csv, Format};
use clap::Args;
use ingest::{self, FileReport, Import, Timed, tables, tegrastats, trtexec};
use serde::Serialize;
use shared::engine;
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::printer::Printer;
use shared::run_folder::Diagnostics;
use shared::text::TextStream;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Import trtexec exports, tegrastats logs and flat CSV files into a run folder.
#[derive(Debug, Args)]
pub(super) struct Ingest {
    /// Name of the model and of its run folder.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Folder in which the run folder is created.
    #[arg(long, value_name = "DIR", default_value = "raw_data")]
    result_dir: PathBuf,
    /// File that trtexec wrote with --exportLayerInfo (and --profilingVerbosity=detailed).
    #[arg(long, value_name = "FILE")]
    layer_info: Option<PathBuf>,
    /// File that trtexec wrote with --exportProfile.
    #[arg(long, value_name = "FILE", conflicts_with = "layers_csv")]
    profile: Option<PathBuf>,
    /// File that trtexec wrote with --exportTimes.
    #[arg(long, value_name = "FILE")]
    times: Option<PathBuf>,
    /// Log of tegrastats, recorded while inferences ran back to back.
    #[arg(long, value_name = "FILE", conflicts_with = "power_csv")]
    tegrastats: Option<PathBuf>,
    /// Rail of the tegrastats log to read [default: the board's total].
    #[arg(long, value_name = "NAME", requires = "tegrastats")]
    rail: Option<String>,
    /// Time between the lines of a tegrastats log, where they do not tell it themselves [default: 1000].
    #[arg(long, value_name = "MS")]
    interval_ms: Option<f64>,
    /// CSV file of power by time, of a meter, jtop or nvidia-smi: a time, and a power, or a voltage and a current.
    #[arg(long, value_name = "FILE")]
    power_csv: Option<PathBuf>,
    /// Voltage of the supply, for a power CSV that has only a current.
    #[arg(long, value_name = "V", requires = "power_csv")]
    supply_v: Option<f64>,
    /// CSV file of layers: `layer_name`, `runtime_ms` and, where known, the end as `timestamp` or `t_us`.
    #[arg(long, value_name = "FILE")]
    layers_csv: Option<PathBuf>,
    /// Idle power of the board; written to idling_power.json.
    #[arg(long, value_name = "W")]
    idle_power_w: Option<f64>,
    /// Format in which stdout says what was understood of each file; `human` says it on stderr.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was imported, for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema_version: u32,
    model: &'a str,
    files: &'a [FileReport],
    written: Vec<PathBuf>,
}

impl Ingest {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let mut import = Import { idle_watts: self.idle_power_w, ..Import::default() };
        if self.interval_ms.is_some_and(|ms| !(1e-3..1e9).contains(&ms)) {
            return Err(Failure::usage("--interval-ms must be between 0.001 and 1,000,000,000"));
        }
        if self.idle_power_w.is_some_and(|w| w.is_nan() || w < 0.0) {
            return Err(Failure::usage("--idle-power-w must be zero or more"));
        }
        if self.supply_v.is_some_and(|v| !v.is_finite() || v <= 0.0) {
            return Err(Failure::usage("--supply-v must be more than zero"));
        }
        let files = self.read(&mut import)?;
        for warning in files.iter().flat_map(FileReport::warnings) {
            printer.warn(warning);
        }
        let written = ingest::write(&self.result_dir, &self.model, &import)?;
        let written: Vec<PathBuf> = written.iter().map(|name| self.result_dir.join(name)).collect();
        for file in &files {
            printer.say(file.line());
        }
        for path in &written {
            printer.say(format!("wrote {}", path.display()));
        }
        if import.averaged_over.is_some() {
            printer.say(
                "a trtexec profile holds one mean a layer: give `host-trainer dataset` --per-layer-measurements 1",
            );
        }
        let answer = Answer { schema_version: 1, model: &self.model, files: &files, written };
        output::write(printer, self.format, &answer, || rows(&files), String::new)
    }

    /// Reads every file that was named, and says what was understood of each.
    fn read(&self, import: &mut Import) -> Result<Vec<FileReport>, Failure> {
        let none = Diagnostics::default();
        let mut files = Vec::new();
        if let Some(path) = &self.layer_info {
            // Parsed first: a file that holds no layers should fail here and not in `align`.
            let content = read_capped(path, limits::ENGINE_INFO_BYTES)?;
            let (engine, diagnostics) = engine::parse(&content).map_err(|error| error.failure(path))?;
            let mut report = FileReport::new(path, "engine info", engine.layers.len(), &none);
            if !diagnostics.is_empty() {
                report.notes.push(format!("{} diagnostics of the engine info", diagnostics.len()));
            }
            files.push(report);
            import.engine_info = Some(content);
        }
        if let Some(path) = &self.profile {
            let (layers, count) = parsed(path, trtexec::profile)?;
            files.push(FileReport::new(path, "trtexec profile", layers.len(), &none));
            import.layers = layers;
            import.averaged_over = Some(count.max(1));
        }
        if let Some(path) = &self.layers_csv {
            let table = parsed(path, tables::layers)?;
            let rows = table.rows.iter().map(|layer| layer.runs.len()).sum();
            files.push(FileReport::new(path, "CSV of layers", rows, &table.diagnostics).of_table(&table));
            import.layers = table.rows;
        }
        if let Some(path) = &self.times {
            import.latencies = parsed(path, trtexec::times)?;
            files.push(FileReport::new(path, "trtexec times", import.latencies.len(), &none));
        }
        if let Some(path) = &self.power_csv {
            let table = parsed(path, |content| tables::power(content, self.supply_v))?;
            let report = FileReport::new(path, "CSV of power", table.rows.len(), &table.diagnostics);
            files.push(report.of_table(&table).timed(&table.times));
            import.power = Timed { readings: table.rows, times: table.times };
            import.power_source = Some(("csv".into(), vec!["power".into()]));
        }
        if let Some(path) = &self.tegrastats {
            let file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
            let mut text = BufReader::new(TextStream::new(file));
            let log = tegrastats::read(&mut text, self.rail.as_deref(), self.interval_ms)
                .map_err(|failure| failure.default_path(path))?;
            let report = FileReport::new(path, "tegrastats log", log.power.readings.len(), &log.diagnostics);
            let report = FileReport {
                stamps: log.stamps.map(str::to_owned),
                rails: log.read.clone(),
                form: Some(text.get_ref().encoding().to_string()),
                ..report
            };
            files.push(report.timed(&log.power.times));
            import.power = log.power;
            import.power_source = Some(("tegrastats".into(), log.read));
        }
        Ok(files)
    }
}

/// The files as CSV.
fn rows(files: &[FileReport]) -> Result<String, Failure> {
    let header = ["path", "source", "form", "rails", "interval_ms", "stamps", "rows", "left_out", "notes"];
    Csv::text(
        header.map(str::to_owned),
        files.iter().map(|file| {
            vec![
                file.path.display().to_string(),
                file.source.clone(),
                file.form.clone().unwrap_or_default(),
                file.rails.join(" + "),
                file.interval_ms.map_or_else(String::new, |ms| ms.to_string()),
                file.stamps.clone().unwrap_or_default(),
                file.rows.to_string(),
                file.left_out.to_string(),
                file.notes.join("; "),
            ]
        }),
    )
}

fn parsed<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    let content = read_capped(path, limits::TABLE_BYTES)?;
    parse(&content).map_err(|failure| failure.at(path))
}
