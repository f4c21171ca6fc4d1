//! From one preprocessed run to its training tables.

use super::mapping_statistics;
use super::options::{Options, PowerKind};
use super::outcome::Outcome;
use super::provenance::Provenance;
use super::report::Report;
use super::statistics_tables;
use super::totals::NetworkRow;
use super::training_tables;
use align::engine_match::match_layers;
use align::folder::{ENGINE_INFO, QUALITY};
use align::mapping;
use align::statistics::{self, LayerStatistics};
use shared::digest::sha256_file;
use shared::engine::{self, Engine};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::RunFolder;
use std::fs;
use std::path::{Path, PathBuf};
use tables::TableFormat;

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
/// ```
/// use dataset::{Options, PowerKind, convert, networks};
/// use tables::TableFormat;
///
/// # let root = tempfile::tempdir()?;
/// # let preprocessed = root.path().join("preprocessed_data");
/// # std::fs::create_dir_all(preprocessed.join("lenet"))?;
/// # std::fs::write(preprocessed.join("lenet/trt_engine_info.json"), r#"{"Layers": [{"Name": "fc", "LayerType": "gemm",
/// #     "Inputs": [{"Name": "a", "Dimensions": [1, 512], "Format/Datatype": "Half"}],
/// #     "Outputs": [{"Name": "b", "Dimensions": [1, 1000], "Format/Datatype": "Half"}]}]}"#)?;
/// # std::fs::write(preprocessed.join("lenet/power_runtime_mapping_layerwise.csv"),
/// #     "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
/// #      layer_power_excluding_idle_power_micro_watt,layer_run_time\n1,fc,gemm,6000000,2000000,0.5\n")?;
/// # let results = root.path().join("training_data");
/// let options = Options {
///     per_layer_measurements: 1,
///     power: PowerKind::Net,
///     reference_compatible: false,
///     format: TableFormat::Parquet,
/// };
/// for folder in networks(&preprocessed)? {
///     let (outcome, _total) = convert(&folder, &results, &options)?;
///     assert_eq!((outcome.model.as_str(), outcome.rows["dense"]), ("lenet", 1));
/// }
/// let data = learn::training::read(&results)?;
/// assert_eq!(data.networks().into_iter().collect::<Vec<_>>(), ["lenet"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When a file cannot be read or written, or is no preprocessed data.
pub fn convert(folder: &Path, results: &Path, options: &Options) -> Result<(Outcome, NetworkRow), Failure> {
    let model = RunFolder::at(folder)
        .map(|run| run.model().to_owned())
        .ok_or_else(|| Failure::data("has no name that can be a model's").at(folder))?;
    let mapping = folder.join(mapping::FILE);
    let engine_path = folder.join(ENGINE_INFO);
    let report_path = folder.join(QUALITY);
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
        outcome.notes.push(format!("the engine info has {} diagnostics", diagnostics.len()));
    }
    if measured.iter().all(|l| options.power.of(l).count == 0) {
        outcome.notes.push(if measured.iter().any(|l| l.power.count > 0) {
            "idle power is unknown, so that the rows have no power less idle power: see --power total".into()
        } else {
            "no power was measured; the rows have run times only".to_owned()
        });
    }
    let device = report.as_ref().and_then(|r| r.device.clone()).unwrap_or_default();
    let (rows, left_out) = training_tables::rows(&measured, &engine, options);
    let target = results.join(&model);
    fs::create_dir_all(&target).map_err(|e| Failure::io(&target, "create", &e))?;
    let mut written = Vec::new();
    for (table, rows) in &rows {
        let name = file_name(*table, options.format);
        training_tables::write(&target.join(&name), *table, rows, &device)?;
        outcome.rows.insert(table.name().to_owned(), rows.len());
        written.push(name);
    }
    let statistics = |name: &str| format!("{model}_{name}_stats.csv");
    let (power, runtime, all) = (statistics("average_power"), statistics("average_run_time"), statistics("layer"));
    statistics_tables::write_reference(&target.join(&power), &measured, |layer| options.power.of(layer))?;
    statistics_tables::write_reference(&target.join(&runtime), &measured, |layer| &layer.runtime)?;
    statistics_tables::write_layers(&target.join(&all), &measured)?;
    written.extend([power, runtime, all]);
    remove_stale(&target, &written)?;
    let mut made_from =
        vec![(mapping::FILE.to_owned(), sha256_file(&mapping)?), (ENGINE_INFO.into(), sha256_file(&engine_path)?)];
    if from_statistics {
        made_from.push((statistics::FILE.into(), sha256_file(&statistics_path)?));
    }
    if report.is_some() {
        made_from.push((QUALITY.into(), sha256_file(&report_path)?));
    }
    let total = NetworkRow::new(&model, report.as_ref(), &measured, made_from[0].1.clone());
    let provenance = Provenance {
        per_layer_measurements: Some(options.per_layer_measurements),
        power: Some(if options.power == PowerKind::Net { "net" } else { "total" }),
        reference_compatible: Some(options.reference_compatible),
        made_from,
        raw: report.map(|r| r.made_from).unwrap_or_default(),
        ..Provenance::new(model, &target, &written, &left_out)?
    };
    provenance.write(&target)?;
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

/// The name of a table's file.
pub(crate) fn file_name(table: engine::Table, format: TableFormat) -> String {
    format!("{}.{}", table.name(), format.extension())
}

/// Removes tables of an earlier run that this one no longer makes, in either format: their rows would pass for measured ones.
pub(crate) fn remove_stale(folder: &Path, written: &[String]) -> Result<(), Failure> {
    for (table, format) in
        engine::Table::ALL.into_iter().flat_map(|table| TableFormat::ALL.map(|format| (table, format)))
    {
        let name = file_name(table, format);
        let path = folder.join(&name);
        if !written.contains(&name) && path.is_file() {
            fs::remove_file(&path).map_err(|e| Failure::io(&path, "remove", &e))?;
        }
    }
    Ok(())
}
