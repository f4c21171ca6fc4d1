//! What a run's small files say of it.

use super::files::RunFiles;
use shared::engine::{self, Engine};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::{IdlePower, Manifest, ModelRun, Pass, Sensor, Total};
use shared::text::json;
use shared::units::{Microwatts, Watts};
use std::path::Path;

/// What a run's small files say of it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The engine's layers.
    pub(crate) engine: Option<Engine>,
    /// The agent's manifest.
    pub(crate) manifest: Option<Manifest>,
    /// Whole-inference latencies.
    pub(crate) model_run: Option<ModelRun>,
    /// What the board draws when nothing runs.
    pub(crate) idle: Option<Watts>,
    /// What is missing, in sentences.
    pub(crate) notes: Vec<String>,
}

impl Facts {
    /// Reads the files. `idle` wins over `idling_power.json`.
    pub(crate) fn read(files: &RunFiles, idle: Option<Watts>) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let engine = engine_of(files, &mut notes);
        let idle = match (idle, &files.idle) {
            (Some(given), _) => Some(given),
            (None, Some(path)) => Some(Microwatts(IdlePower::read(path)?.avg_idle_power).into()),
            (None, None) => {
                notes.push("there is no idling_power.json: powers less idle power are left empty".into());
                None
            }
        };
        let manifest = files.manifest.as_deref().map(Manifest::read).transpose()?;
        let model_run = match &files.model_run {
            None => None,
            Some(path) => read_model_run(path).map_err(|why| notes.push(why)).ok(),
        };
        Ok(Self { engine, manifest, model_run, idle, notes })
    }
}

fn engine_of(files: &RunFiles, notes: &mut Vec<String>) -> Option<Engine> {
    let Some(path) = &files.engine_info else {
        notes.push("there is no engine info: layer types are unknown".into());
        return None;
    };
    match engine::read(path) {
        Ok((engine, diagnostics)) => {
            if !diagnostics.is_empty() {
                notes.push(format!("the engine info has {} unexpected entries", diagnostics.len()));
            }
            Some(engine)
        }
        Err(failure) => {
            notes.push(format!("the engine info was not read: {}", failure.message));
            None
        }
    }
}

/// Whole-inference latencies. Some versions of EdgeProfiler wrote the JSON document as a JSON string.
fn read_model_run(path: &Path) -> Result<ModelRun, String> {
    let content = read_capped(path, limits::SMALL_FILE_BYTES).map_err(|f| f.to_string())?;
    let parsed = json::from_slice::<ModelRun>(&content)
        .or_else(|e| json::from_slice::<String>(&content).map_err(|_| e).and_then(|s| json::from_str(&s)));
    parsed.map_err(|e| format!("whole-inference latencies were not read: {e}"))
}

/// The sensor behind the board's total, as a manifest describes it.
pub(crate) fn sensor_of(manifest: &Manifest) -> Option<&Sensor> {
    let rails = &manifest.power.rails;
    let rail = match &manifest.power.total {
        Total::Rail(index) => rails.get(usize::from(*index)),
        Total::Sum(indices) => indices.first().and_then(|i| rails.get(usize::from(*i))),
        Total::Unknown => rails.first(),
    };
    rail.map(|rail| &rail.sensor)
}

/// The pass without the profiler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnprofiledPass {
    /// From when to when, in Unix ns of the power log's clock.
    pub(crate) bounds_ns: (i64, i64),
    /// Its inferences.
    pub(crate) cycles: u32,
}

impl UnprofiledPass {
    /// The pass of a run, if it has one; the longest where a gap in the log parts it into several.
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        let pass = manifest.passes.iter().filter(|p| p.pass == Pass::Power).max_by_key(|p| p.cycles)?;
        let profiled_too = manifest.layer_times.with_power;
        // Stamps in text logs are cut to microseconds, and so are these.
        let wall = |ns: u64| manifest.clock.wall_ns(ns).div_euclid(1000).saturating_mul(1000);
        let bounds_ns = (wall(pass.start_ns), wall(pass.end_ns));
        (!profiled_too && pass.cycles > 0).then_some(Self { bounds_ns, cycles: pass.cycles })
    }
}
