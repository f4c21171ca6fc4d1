//! `host-trainer ingest`: other tools' files in, a run folder out.

use clap::Args;
use ingest::{self, Import, Table, tables, tegrastats, trtexec};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::printer::Printer;
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
    /// Interval of the tegrastats log.
    #[arg(long, value_name = "MS", default_value_t = 1000.0)]
    interval_ms: f64,
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
}

impl Ingest {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let mut import = Import { idle_watts: self.idle_power_w, ..Import::default() };
        if self.interval_ms.is_nan() || self.interval_ms <= 0.0 {
            return Err(Failure::usage("--interval-ms must be more than zero"));
        }
        if self.idle_power_w.is_some_and(|w| w.is_nan() || w < 0.0) {
            return Err(Failure::usage("--idle-power-w must be zero or more"));
        }
        if self.supply_v.is_some_and(|v| !v.is_finite() || v <= 0.0) {
            return Err(Failure::usage("--supply-v must be more than zero"));
        }
        if let Some(path) = &self.layer_info {
            // Parsed first: a file that holds no layers should fail here and not in `align`.
            let (_, diagnostics) = shared::engine::read(path)?;
            if !diagnostics.is_empty() {
                printer.warn(format!("{}: {} diagnostics in the engine info", path.display(), diagnostics.len()));
            }
            import.engine_info = Some(read_capped(path, limits::ENGINE_INFO_BYTES)?);
        }
        if let Some(path) = &self.profile {
            let (layers, count) = parsed(path, trtexec::profile)?;
            import.layers = layers;
            import.averaged_over = Some(count.max(1));
        }
        if let Some(path) = &self.layers_csv {
            let table = parsed(path, tables::layers)?;
            import.diagnostics.merge(&table.diagnostics);
            import.layers = told(printer, path, table);
        }
        if let Some(path) = &self.times {
            import.latencies = parsed(path, trtexec::times)?;
        }
        if let Some(path) = &self.power_csv {
            let table = parsed(path, |content| tables::power(content, self.supply_v))?;
            import.diagnostics.merge(&table.diagnostics);
            import.power = told(printer, path, table);
            import.power_source = Some(("csv".into(), "power".into()));
        }
        if let Some(path) = &self.tegrastats {
            self.read_tegrastats(path, &mut import)?;
        }
        let written = ingest::write(&self.result_dir, &self.model, &import)?;
        if import.diagnostics.bad > 0 {
            printer.warn(format!(
                "{} rows were not read: {}",
                import.diagnostics.bad,
                import.diagnostics.named.join("; ")
            ));
        }
        for name in written {
            printer.say(format!("wrote {}", self.result_dir.join(name).display()));
        }
        if import.averaged_over.is_some() {
            printer.say(
                "a trtexec profile holds one mean a layer: give `host-trainer dataset` --per-layer-measurements 1",
            );
        }
        Ok(())
    }

    fn read_tegrastats(&self, path: &Path, import: &mut Import) -> Result<(), Failure> {
        let file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
        let log = tegrastats::read(BufReader::new(TextStream::new(file)), self.rail.as_deref(), self.interval_ms)
            .map_err(|e| Failure::io(path, "read", &e))?;
        if log.power.is_empty() {
            let rails: Vec<&str> = log.rails.iter().map(String::as_str).collect();
            let failure = Failure::data("names no rail that stands for the whole board").at(path);
            return Err(if rails.is_empty() {
                failure.help("is it a log of tegrastats?")
            } else {
                failure.help(format!("choose one with --rail: {}", rails.join(", ")))
            });
        }
        import.power = log.power;
        import.power_source = Some(("tegrastats".into(), log.rail.unwrap_or_default()));
        import.diagnostics.merge(&log.diagnostics);
        Ok(())
    }
}

fn parsed<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    let content = read_capped(path, limits::TABLE_BYTES)?;
    parse(&content).map_err(|failure| failure.at(path))
}

/// Says how a table was read, and hands its rows on.
fn told<T>(printer: &Printer, path: &Path, table: Table<T>) -> Vec<T> {
    printer.say(format!("read {}: {}", path.display(), table.form));
    for note in table.notes {
        printer.warn(format!("{}: {note}", path.display()));
    }
    table.rows
}
