//! The files of a run, found and opened.

use shared::failure::{Failure, Kind};
use shared::run_folder::RunFolder;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFiles {
    /// The run folder.
    pub folder: PathBuf,
    /// The model's name.
    pub model: String,
    /// The agent's sample log, if there is one.
    pub sample_log: Option<PathBuf>,
    /// The power log in text; there is one where there is no sample log.
    pub power_log: Option<PathBuf>,
    /// The layer latencies in text; there are some where there is no sample log.
    pub latency: Option<PathBuf>,
    /// The engine info, if there is one.
    pub engine_info: Option<PathBuf>,
    /// Whole-inference latencies and configuration, if they are there.
    pub model_run: Option<PathBuf>,
    /// Our agent's manifest, if there is one.
    pub manifest: Option<PathBuf>,
    /// Idle power, if it was measured.
    pub idle: Option<PathBuf>,
}

/// Finds the runs of a folder: one run, or a `raw_data` tree with one folder for each model. Sorted by name, so that the order
/// of files on the disk means nothing.
///
/// # Errors
/// When the folder cannot be read or holds no run at all. A folder that lacks a file is returned as a failure in its place.
pub fn find(folder: &Path) -> Result<Vec<Result<RunFiles, Failure>>, Failure> {
    let entries = list(folder)?;
    let is_run = |path: &Path| path.join("trt_profiling").is_dir() || path.join("samples.eplog").is_file();
    if is_run(folder) {
        return Ok(vec![one(folder)]);
    }
    let runs: Vec<_> = entries.iter().filter(|p| p.is_dir() && !hidden(p)).map(|p| one(p)).collect();
    if runs.is_empty() {
        return Err(Failure::data("holds no run folder")
            .at(folder)
            .help("a run folder is named after its model and holds `<model>_power_log.log` and `trt_profiling/`"));
    }
    Ok(runs)
}

fn hidden(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_none_or(|n| n.starts_with('.'))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|e| Failure::io(folder, "list", &e))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| Failure::io(folder, "list", &e))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The files of one run folder.
///
/// # Errors
/// When it lacks a file.
pub(crate) fn one(folder: &Path) -> Result<RunFiles, Failure> {
    let absolute = folder.canonicalize().map_err(|e| Failure::io(folder, "open", &e))?;
    let run = RunFolder::at(&absolute).ok_or_else(|| Failure::data("has no name that can be a model's").at(folder))?;
    // What users name is what messages should name.
    let here = |path: PathBuf| path.strip_prefix(&absolute).map_or(path.clone(), |rest| folder.join(rest));
    let is_there = |path: PathBuf| Some(here(path)).filter(|p| p.is_file());
    let sample_log = is_there(run.sample_log());
    let power_log = match is_there(run.power_log()) {
        Some(path) => Some(path),
        None => other_log(folder)?,
    };
    let latency = is_there(run.layer_latency());
    if sample_log.is_none() {
        power_log.as_ref().ok_or_else(|| lacks_power_log(folder))?;
        latency.as_ref().ok_or_else(|| lacks_latency(folder))?;
    }
    let idle = [folder.parent(), Some(folder)]
        .into_iter()
        .flatten()
        .map(RunFolder::idle_power)
        .find(|p| p.is_file())
        .or_else(|| absolute.parent().map(RunFolder::idle_power).filter(|p| p.is_file()));
    Ok(RunFiles {
        folder: folder.to_owned(),
        model: run.model().to_owned(),
        sample_log,
        power_log,
        latency,
        engine_info: is_there(run.engine_info()),
        model_run: is_there(run.model_run()),
        manifest: is_there(run.manifest()),
        idle,
    })
}

/// The failure of a run whose power log is needed and missing.
pub(crate) fn lacks_power_log(folder: &Path) -> Failure {
    Failure::data("lacks `<model>_power_log.log`").at(folder)
}

/// The failure of a run whose layer times are needed and missing.
pub(crate) fn lacks_latency(folder: &Path) -> Failure {
    Failure::new(Kind::Data, "lacks trt_profiling/trt_layer_latency.json")
        .at(folder)
        .help("run the agent with the layer profiler on, or use `host-trainer ingest` for trtexec's files")
}

/// The log of a run whose files carry another name than its folder, if there is just one.
fn other_log(folder: &Path) -> Result<Option<PathBuf>, Failure> {
    let mut logs: Vec<PathBuf> = list(folder)?
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "log") && p.is_file())
        .filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.contains("power_log")))
        .collect();
    match (logs.pop(), logs.len()) {
        (Some(log), 0) => Ok(Some(log)),
        (Some(_), _) => Err(Failure::data("holds several power logs, none of them named after the folder").at(folder)),
        (None, _) => Ok(None),
    }
}
