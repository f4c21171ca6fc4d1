//! Requests for studies: a grid or a search space over the options of a model kind, checked before anything starts.

use super::data::StudyData;
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use learn::fit::plan::Plan;
use learn::training::TrainingData;
use shared::failure::Failure;
use std::collections::BTreeSet;
use tune::objective::{LayerObjective, LayerSettings, Metric, planned};
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::space::Space;
use tune::studies::{MOST_TRIALS, Specification};

/// Trials of a generation: they do not use each other's results.
const GENERATION: u64 = 8;
/// Trials of a search space, where the request names no number.
const TRIALS: u64 = 20;
/// Digits of the digest in a study's name.
const DIGITS: usize = 8;

/// The most bytes of a grid or search space.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// A request for a study.
#[derive(Debug, Clone, Default)]
pub(crate) struct StudyRequest {
    /// The name of the file.
    pub(crate) file: String,
    /// Its content: a grid in JSON or TOML, or a search space in TOML.
    pub(crate) text: String,
    /// The model kind. `None`: the one that all options belong to, else the default.
    pub(crate) kind: Option<Kind>,
    /// The device. `None`: the only one in the data.
    pub(crate) device: Option<String>,
    /// The predicted quantity. `None`: run time.
    pub(crate) target: Option<Measurand>,
    /// Trials of a search space.
    pub(crate) trials: Option<u64>,
    /// The sampler. `None`: a grid where all values can be counted, else TPE.
    pub(crate) sampler: Option<Sampler>,
    /// The pruner. `None`: no pruning.
    pub(crate) pruner: Option<Pruner>,
    /// Rows used of each table. `None`: all.
    pub(crate) samples: Option<usize>,
}

/// A request that passed the checks.
#[derive(Debug, Clone)]
pub(crate) struct CheckedStudy {
    /// The study's name. The rest of the request determines it.
    pub(crate) name: String,
    /// Trials it will have.
    pub(crate) trials: u64,
    /// Everything that determines the study.
    pub(crate) specification: Specification,
}

impl StudyRequest {
    /// Reads the file. It is a grid where all values can be counted.
    fn space(&self) -> Result<(Space, Sampler), Failure> {
        let json = self.text.trim_start().starts_with('{');
        let space = Space::from_grid(&self.text, json).map_err(|why| {
            Failure::usage(why)
                .at(&self.file)
                .help("give a value or a list of values for each option: `mlp.learning_rate = [0.001, 0.01]`, or `{\"LEARNING_RATE\": [0.001, 0.01]}`")
        })?;
        let usual = || if space.grid().is_ok() { Sampler::Grid } else { Sampler::Tpe };
        let sampler = self.sampler.unwrap_or_else(usual);
        Ok((space, sampler))
    }

    /// The requested model kind, else the one that all options belong to.
    fn kind(&self, space: &Space) -> Option<Kind> {
        let of = |kind: &Kind| space.domains().keys().all(|name| name.starts_with(&format!("{}.", kind.name())));
        self.kind.or_else(|| Kind::ALL.iter().copied().find(of))
    }

    /// Checks the request against the data.
    ///
    /// # Errors
    /// What is wrong with the request, by name.
    pub(super) fn check(&self, data: &StudyData) -> Result<CheckedStudy, Failure> {
        let (space, sampler) = self.space()?;
        let mut plan = Plan::default();
        if let Some(kind) = self.kind(&space) {
            plan.kind = kind;
        }
        plan.samples = self.samples;
        plan.check().map_err(Failure::usage)?;
        planned(&plan, &space).map_err(|e| Failure::usage(e).at(&self.file))?;
        let grid = match sampler {
            Sampler::Grid => Some(space.grid().map_err(|e| Failure::usage(e).at(&self.file))?.len()),
            _ => None,
        };
        let trials = grid.or(self.trials).unwrap_or(TRIALS).clamp(1, MOST_TRIALS);
        let data = data.read(plan.samples)?;
        let device = device(self.device.as_deref(), &data)?;
        let target = self.target.unwrap_or(Measurand::Runtime);
        let settings = LayerSettings { device, metric: Metric::default(), target, kinds: Vec::new() };
        let objective = LayerObjective::new(&plan, &data, settings).map_err(Failure::usage)?;
        let unwritten = |e: toml::ser::Error| Failure::data(format!("the plan cannot be written: {e}"));
        let specification = Specification {
            seed: 0,
            generation: GENERATION,
            sampler,
            pruner: self.pruner.unwrap_or_default(),
            data_sha256: data.hash.clone(),
            objective: toml::Table::try_from(objective.settings()).map_err(unwritten)?,
            plan: toml::Table::try_from(&plan).map_err(unwritten)?,
            space: space.to_table(),
        };
        let text = toml::to_string(&specification).map_err(unwritten)?;
        let name = format!("{}-{}", plan.kind.name(), &shared::digest::sha256(text.as_bytes())[..DIGITS]);
        Ok(CheckedStudy { name, trials, specification })
    }
}

fn device(requested: Option<&str>, data: &TrainingData) -> Result<String, Failure> {
    let known: BTreeSet<&str> = data.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect();
    match (requested, known.iter().collect::<Vec<_>>().as_slice()) {
        (Some(device), _) => Ok(device.to_owned()),
        (None, []) => Ok("unnamed-device".to_owned()),
        (None, [only]) => Ok((**only).to_owned()),
        (None, _) => {
            let names = known.iter().copied().collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("the data name several devices: {names}")).help("choose one"))
        }
    }
}
