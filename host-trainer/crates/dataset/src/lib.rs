//! From preprocessed runs to training data: one row a layer, statistics, and totals of whole networks.

pub mod stats;
pub mod tables;
pub mod totals;

use align::rows;
use serde::Serialize;
use shared::digest::sha256_file;
use shared::engine;
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::run_folder::RunFolder;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which power the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PowerKind {
    /// Less idle power, as the reference has it.
    #[default]
    Net,
    /// With idle power.
    Total,
}

impl PowerKind {
    /// The measurements of a layer that are of this kind.
    fn of(self, layer: &stats::Measured) -> &stats::Values {
        match self {
            Self::Net => &layer.net,
            Self::Total => &layer.total,
        }
    }
}

/// What may be asked of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Fewest measurements of power and of run time that a layer needs.
    pub per_layer_measurements: u64,
    /// Which power the tables hold.
    pub power: PowerKind,
    /// Whether layers are read with the reference's faults.
    pub reference_compatible: bool,
}

/// A layer that is in no table, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The layer.
    pub layer: String,
    /// Why it is left out.
    pub why: String,
    /// Whether it has too few measurements, rather than no table.
    pub thin: bool,
}

/// What became of one network.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// The network.
    pub model: String,
    /// Rows by table.
    pub rows: BTreeMap<String, usize>,
    /// Layers that are in no table.
    pub left_out: Vec<LeftOut>,
    /// What was odd.
    pub notes: Vec<String>,
}

/// Where an output came from, `provenance.json` in a network's folder.
#[derive(Debug, Serialize)]
struct Provenance {
    schema_version: u32,
    program: String,
    model: String,
    per_layer_measurements: u64,
    power: &'static str,
    reference_compatible: bool,
    made_from: Vec<(String, String)>,
    raw: Vec<(String, String)>,
    written: Vec<(String, String)>,
    left_out: Vec<LeftOut>,
}

/// The network folders of a preprocessed folder, sorted.
///
/// # Errors
/// When it cannot be listed or holds none.
pub fn networks(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listing = fs::read_dir(folder).map_err(|e| Failure::io(folder, "list", &e))?;
    let mut found = Vec::new();
    for entry in listing {
        let path = entry.map_err(|e| Failure::io(folder, "list", &e))?.path();
        if path.join(rows::FILE).is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Failure::data(format!("holds no `<model>/{}`", rows::FILE))
            .at(folder)
            .help("make it with `host-trainer align`"));
    }
    found.sort();
    Ok(found)
}

/// Makes the training data of one network below `results`, and its total.
///
/// # Errors
/// When a file cannot be read or written, or is no preprocessed data.
pub fn convert(folder: &Path, results: &Path, options: &Options) -> Result<(Outcome, totals::NetworkRow), Failure> {
    let model = RunFolder::at(folder)
        .map(|run| run.model().to_owned())
        .ok_or_else(|| Failure::data("has no name that can be a model's").at(folder))?;
    let mapping = folder.join(rows::FILE);
    let engine_path = folder.join("trt_engine_info.json");
    let report_path = folder.join("alignment_quality.json");
    let measured = stats::read(&mapping)?;
    let (engine, diagnostics) = engine::read(&engine_path)?;
    let report = totals::Report::read(&report_path)?;
    let mut outcome = Outcome { model: model.clone(), ..Outcome::default() };
    if !diagnostics.is_empty() {
        outcome.notes.push(format!("the engine info has {} oddities", diagnostics.len()));
    }
    if measured.iter().all(|l| options.power.of(l).count() == 0) {
        outcome.notes.push(if measured.iter().any(|l| l.total.count() > 0) {
            "idle power is unknown, so that the rows have no power less idle power: see --power total".into()
        } else {
            "no power was measured; the rows have run times only".to_owned()
        });
    }
    let device = report.as_ref().and_then(|r| r.device.clone()).unwrap_or_default();
    let (written_tables, left_out) = tables::rows(&measured, &engine, &device, options);
    let target = results.join(&model);
    let mut written = Vec::new();
    for (table, text) in &written_tables {
        outcome.rows.insert(table.name().to_owned(), text.lines().count() - 1);
        written.push((format!("{}.csv", table.name()), text.clone()));
    }
    written.push((format!("{model}_average_power_stats.csv"), stats::reference_table(&measured, true, options.power)));
    written
        .push((format!("{model}_average_run_time_stats.csv"), stats::reference_table(&measured, false, options.power)));
    written.push((format!("{model}_layer_stats.csv"), stats::layer_table(&measured)));
    let mut hashes = Vec::new();
    for (name, text) in &written {
        let path = target.join(name);
        write_atomic(&path, text.as_bytes())?;
        hashes.push((name.clone(), sha256_file(&path)?));
    }
    remove_stale(&target, &written_tables)?;
    let mut made_from = vec![
        (rows::FILE.to_owned(), sha256_file(&mapping)?),
        ("trt_engine_info.json".into(), sha256_file(&engine_path)?),
    ];
    if report.is_some() {
        made_from.push(("alignment_quality.json".into(), sha256_file(&report_path)?));
    }
    let total = totals::NetworkRow::new(&model, report.as_ref(), &measured, made_from[0].1.clone());
    let provenance = Provenance {
        schema_version: 1,
        program: concat!("host-trainer ", env!("CARGO_PKG_VERSION")).into(),
        model,
        per_layer_measurements: options.per_layer_measurements,
        power: if options.power == PowerKind::Net { "net" } else { "total" },
        reference_compatible: options.reference_compatible,
        made_from,
        raw: report.map(|r| r.made_from).unwrap_or_default(),
        written: hashes,
        left_out: left_out.clone(),
    };
    let text = serde_json::to_string_pretty(&provenance).map_err(|e| Failure::data(e.to_string()))?;
    write_atomic(&target.join("provenance.json"), (text + "\n").as_bytes())?;
    outcome.left_out = left_out;
    Ok((outcome, total))
}

/// Removes tables of an earlier run that this one no longer makes: their rows would pass for measured ones.
fn remove_stale(folder: &Path, written: &[(engine::Table, String)]) -> Result<(), Failure> {
    for table in engine::Table::ALL {
        let path = folder.join(format!("{}.csv", table.name()));
        if !written.iter().any(|(t, _)| *t == table) && path.is_file() {
            fs::remove_file(&path).map_err(|e| Failure::io(&path, "remove", &e))?;
        }
    }
    Ok(())
}
