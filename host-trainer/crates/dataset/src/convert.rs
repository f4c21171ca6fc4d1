//! From one preprocessed run to its training tables.

use super::mapping_statistics;
use super::options::{Options, PowerKind};
use super::outcome::{LeftOut, Outcome};
use super::report::Report;
use super::statistics_tables;
use super::tables;
use super::totals::NetworkRow;
use align::engine_match::match_layers;
use align::files::sha256;
use align::mapping;
use align::statistics::{self, LayerStatistics};
use serde::Serialize;
use shared::engine::{self, Engine};
use shared::failure::Failure;
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::run_folder::RunFolder;
use std::fs;
use std::path::{Path, PathBuf};

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
        if path.join(mapping::FILE).is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Failure::data(format!("holds no `<model>/{}`", mapping::FILE))
            .at(folder)
            .help("make it with `host-trainer align`"));
    }
    found.sort();
    Ok(found)
}

/// Makes the training data of one network below `results`, and its total.
///
/// ```no_run
/// use dataset::{Options, PowerKind, convert, networks};
///
/// let options = Options { per_layer_measurements: 10, power: PowerKind::Net, reference_compatible: false };
/// for folder in networks("preprocessed_data".as_ref())? {
///     let (outcome, _total) = convert(&folder, "training_data".as_ref(), &options)?;
///     println!("{}: {:?}", outcome.model, outcome.rows);
/// }
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// When a file cannot be read or written, or is no preprocessed data.
pub fn convert(folder: &Path, results: &Path, options: &Options) -> Result<(Outcome, NetworkRow), Failure> {
    let model = RunFolder::at(folder)
        .map(|run| run.model().to_owned())
        .ok_or_else(|| Failure::data("has no name that can be a model's").at(folder))?;
    let mapping = folder.join(mapping::FILE);
    let engine_path = folder.join("trt_engine_info.json");
    let report_path = folder.join("alignment_quality.json");
    let (engine, diagnostics) = engine::read(&engine_path)?;
    let report = Report::read(&report_path)?;
    let statistics_path = folder.join(statistics::FILE);
    let known = report.as_ref().and_then(|report| from_alignment(report, &mapping, &statistics_path));
    let from_statistics = known.is_some();
    let mut measured = match known {
        Some(known) => known,
        None => mapping_statistics::read(&mapping)?,
    };
    find_in_engine(&mut measured, &engine);
    let mut outcome = Outcome { model: model.clone(), ..Outcome::default() };
    if !diagnostics.is_empty() {
        outcome.notes.push(format!("the engine info has {} oddities", diagnostics.len()));
    }
    if measured.iter().all(|l| options.power.of(l).count == 0) {
        outcome.notes.push(if measured.iter().any(|l| l.power.count > 0) {
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
    written.push((
        format!("{model}_average_power_stats.csv"),
        statistics_tables::reference_table(&measured, true, options.power),
    ));
    written.push((
        format!("{model}_average_run_time_stats.csv"),
        statistics_tables::reference_table(&measured, false, options.power),
    ));
    written.push((format!("{model}_layer_stats.csv"), statistics_tables::layer_table(&measured)));
    let mut hashes = Vec::new();
    for (name, text) in &written {
        let path = target.join(name);
        write_atomic(&path, text.as_bytes())?;
        hashes.push((name.clone(), sha256(&path)?));
    }
    remove_stale(&target, &written_tables)?;
    let mut made_from =
        vec![(mapping::FILE.to_owned(), sha256(&mapping)?), ("trt_engine_info.json".into(), sha256(&engine_path)?)];
    if from_statistics {
        made_from.push((statistics::FILE.into(), sha256(&statistics_path)?));
    }
    if report.is_some() {
        made_from.push(("alignment_quality.json".into(), sha256(&report_path)?));
    }
    let total = NetworkRow::new(&model, report.as_ref(), &measured, made_from[0].1.clone());
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

/// What the alignment knows of its rows, so that they need not be read again: where the mapping is still the one that
/// it wrote. Folders of EdgeProfiler have rows alone.
fn from_alignment(report: &Report, mapping: &Path, statistics: &Path) -> Option<Vec<LayerStatistics>> {
    let written = report.mapping?;
    if fs::metadata(mapping).ok()?.len() != written.bytes {
        return None;
    }
    statistics::parse(&read_capped(statistics, limits::SMALL_FILE_BYTES).ok()?)
}

/// Finds the layers in the engine info, unless the alignment did.
fn find_in_engine(measured: &mut [LayerStatistics], engine: &Engine) {
    if measured.iter().any(|layer| layer.engine_index.is_some()) {
        return;
    }
    let found = match_layers(Some(engine), measured.iter().map(|layer| layer.name.as_str()));
    for (layer, index) in measured.iter_mut().zip(found) {
        layer.engine_index = index;
    }
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
