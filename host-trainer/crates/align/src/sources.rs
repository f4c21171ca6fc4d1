//! Where a run's power readings and layer times come from: the agent's sample log where its checksums vouch for it,
//! EdgeProfiler's text logs where they do not, or where there is no sample log.

use super::batch::Inferences;
use super::files::{RunFiles, lacks_latency, lacks_power_log};
use super::log_inferences::LogInferences;
use super::text_inferences::TextInferences;
use shared::failure::Failure;
use shared::run_folder::{
    Diagnostics, LayerSeries, Manifest, PowerLogReader, PowerReadings, SampleLogReadings, SampleLogSummary, TextFile,
    index_layers, split_shared_names,
};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A sample log that can be read, with the manifest that says what is in it.
#[derive(Debug, Clone)]
pub(crate) struct SampleLog {
    path: PathBuf,
    manifest: Box<Manifest>,
}

/// Where power readings come from.
#[derive(Debug)]
pub(crate) enum PowerSource {
    /// The agent's sample log.
    Log(SampleLog),
    /// A power log in text.
    Text(PathBuf),
}

impl PowerSource {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Log(log) => &log.path,
            Self::Text(path) => path,
        }
    }

    /// Opens the readings from their beginning.
    pub(crate) fn open(&self) -> io::Result<Box<dyn PowerReadings + Send>> {
        Ok(match self {
            Self::Log(log) => Box::new(SampleLogReadings::new(File::open(&log.path)?, &log.manifest)),
            Self::Text(path) => Box::new(PowerLogReader::new(File::open(path)?)),
        })
    }
}

/// Where layer times come from.
#[derive(Debug)]
pub(crate) enum LayerSource {
    /// The agent's sample log.
    Log(SampleLog),
    /// EdgeProfiler's lists.
    Text(LatencyFile),
}

/// A latency file and where its lists lie.
#[derive(Debug)]
pub(crate) struct LatencyFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The file.
    pub(crate) file: TextFile,
    /// The layers in file order.
    pub(crate) file_order: Vec<LayerSeries>,
    /// The layers in execution order, once they were sorted.
    pub(crate) series: Vec<LayerSeries>,
}

impl LayerSource {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Log(log) => &log.path,
            Self::Text(text) => &text.path,
        }
    }

    /// Names of the layers, in the order in which inferences have them.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Log(log) => log.manifest.layers.clone(),
            Self::Text(text) => text.series.iter().map(|s| s.name.clone()).collect(),
        }
    }

    /// Opens the inferences from their beginning, with the texts of the durations if they are asked for.
    pub(crate) fn open(&self, with_text: bool) -> io::Result<Box<dyn Inferences + '_>> {
        Ok(match self {
            Self::Log(log) => Box::new(LogInferences::new(File::open(&log.path)?, &log.manifest, with_text)),
            Self::Text(text) => Box::new(TextInferences::new(&text.file, &text.series, with_text)),
        })
    }
}

/// The sources of a run.
#[derive(Debug)]
pub(crate) struct RunSources {
    /// Power readings.
    pub(crate) power: PowerSource,
    /// Layer times.
    pub(crate) layers: LayerSource,
    /// The manifest that the sample log holds, where it was read.
    pub(crate) log_manifest: Option<Manifest>,
    /// Measurements that could not be read when the layers' lists were looked for.
    pub(crate) diagnostics: Diagnostics,
    /// Layers that share a name with another.
    pub(crate) shared_names: usize,
    /// What a reader should know of the choice, in sentences.
    pub(crate) notes: Vec<String>,
}

impl RunSources {
    /// Chooses the sources of a run: power and layer times each from the sample log where it holds them.
    ///
    /// # Errors
    /// When a file cannot be read, or a text log is needed and missing.
    pub(crate) fn choose(files: &RunFiles, manifest: Option<&Manifest>) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let found = files.sample_log.as_deref().map(|path| FoundLog::read(path, manifest, &mut notes)).transpose()?;
        let log_manifest = found.as_ref().and_then(|found| found.log.as_ref()).map(|log| (*log.manifest).clone());
        let (power_log, layer_log) = found.map(FoundLog::parts).unwrap_or_default();
        let power = match power_log {
            Some(log) => PowerSource::Log(log),
            None => PowerSource::Text(files.power_log.clone().ok_or_else(|| lacks_power_log(&files.folder))?),
        };
        let mut diagnostics = Diagnostics::default();
        let (layers, shared_names) = match layer_log {
            Some(log) => {
                let names: HashSet<&String> = log.manifest.layers.iter().collect();
                let shared_names = log.manifest.layers.len() - names.len();
                (LayerSource::Log(log), shared_names)
            }
            None => {
                let (text, shared_names) = latency_file(files, true, &mut diagnostics)?;
                (LayerSource::Text(text), shared_names)
            }
        };
        Ok(Self { power, layers, log_manifest, diagnostics, shared_names, notes })
    }

    /// The text logs alone, lists of equal names left together: what EdgeProfiler's rule is applied to.
    ///
    /// # Errors
    /// When a file is missing or cannot be read.
    pub(crate) fn text(files: &RunFiles) -> Result<Self, Failure> {
        let power = PowerSource::Text(files.power_log.clone().ok_or_else(|| lacks_power_log(&files.folder))?);
        let mut diagnostics = Diagnostics::default();
        let layers = LayerSource::Text(latency_file(files, false, &mut diagnostics)?.0);
        Ok(Self { power, layers, log_manifest: None, diagnostics, shared_names: 0, notes: Vec::new() })
    }
}

/// Finds the lists of a latency file; returns how many layers share a name with another, if such lists are to be split.
fn latency_file(files: &RunFiles, split: bool, diagnostics: &mut Diagnostics) -> Result<(LatencyFile, usize), Failure> {
    let path = files.latency.clone().ok_or_else(|| lacks_latency(&files.folder))?;
    let file = TextFile::open(&path)?;
    let mut series = index_layers(&file, diagnostics).map_err(|e| reading(&path)(e))?;
    let count = series.len();
    let shared_names = if split { split_shared_names(&mut series) } else { 0 };
    if series.iter().all(|l| l.entries == 0) {
        return Err(Failure::data(format!("holds no measurement of any of its {count} layers")).at(&path));
    }
    Ok((LatencyFile { path, file, file_order: series.clone(), series }, shared_names))
}

/// Turns an error of reading a file into a failure that names it.
pub(crate) fn reading(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    move |e| match e.kind() {
        io::ErrorKind::InvalidData => Failure::data(e.to_string()).at(path),
        _ => Failure::io(path, "read", &e),
    }
}

/// What a sample log was found to hold.
struct FoundLog {
    log: Option<SampleLog>,
    has_power: bool,
    has_layers: bool,
}

impl FoundLog {
    /// Reads a log once. What it lacks is noted.
    fn read(path: &Path, manifest: Option<&Manifest>, notes: &mut Vec<String>) -> Result<Self, Failure> {
        let summary = SampleLogSummary::read(path)?;
        let missing = summary.missing();
        let mut own = summary.manifest.or_else(|| manifest.cloned());
        // A log that was cut off may hold but the manifest it began with, before the layers were known.
        if let (Some(own), Some(manifest)) = (own.as_mut(), manifest)
            && own.layers.is_empty()
        {
            own.layers.clone_from(&manifest.layers);
        }
        let log = own.map(|manifest| SampleLog { path: path.to_owned(), manifest: Box::new(manifest) });
        let has_power = match &log {
            Some(log) => holds_power(log).map_err(|e| reading(path)(e))?,
            None => false,
        };
        let has_layers =
            summary.counts.layer_cycles > 0 && log.as_ref().is_some_and(|log| !log.manifest.layers.is_empty());
        if let Some(missing) = missing {
            let used = match (has_power, has_layers) {
                (false, false) => "the text logs are read instead",
                _ => "what its checksums vouch for is used",
            };
            notes.push(format!("samples.eplog: {missing}; {used}"));
        } else if !has_power {
            notes.push("samples.eplog holds no reading of the board's total".into());
        }
        Ok(Self { log, has_power, has_layers })
    }

    /// The log as a source of power and of layers, as far as it is one.
    fn parts(self) -> (Option<SampleLog>, Option<SampleLog>) {
        let Self { log, has_power, has_layers } = self;
        (log.clone().filter(|_| has_power), log.filter(|_| has_layers))
    }
}

/// Whether a log holds a reading of the board's total.
fn holds_power(log: &SampleLog) -> io::Result<bool> {
    let mut chunk = Vec::new();
    SampleLogReadings::new(File::open(&log.path)?, &log.manifest).read_chunk(&mut chunk)?;
    Ok(!chunk.is_empty())
}
