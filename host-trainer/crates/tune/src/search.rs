//! From what a caller asks for to a study: what is searched, by which sampler, for how many trials, under which name.

use crate::defaults;
use crate::objective::planned;
use crate::pruner::Pruner;
use crate::sampler::Sampler;
use crate::space::Space;
use crate::studies::{Specification, Trial, TrialState};
use crate::subject::Subject;
use learn::fit::plan::Plan;
use learn::fit::toml_failure;
use shared::failure::{Failure, Kind};
use shared::limits;
use shared::text::read_text;
use std::path::PathBuf;
use toml::Table;

/// Trials of a study, unless somebody says otherwise.
const TRIALS: u64 = 20;
/// Digits of a digest that name a study.
const DIGITS: usize = 8;

/// Where the space that is searched comes from.
#[derive(Debug, Clone, Default)]
pub enum SpaceSource {
    /// The model kind's own.
    #[default]
    Kind,
    /// A file in TOML: a domain for each option.
    File(PathBuf),
    /// A grid in JSON (`.json`) or TOML: a value or a list of values for each option.
    Grid(PathBuf),
}

/// How a space is searched.
#[derive(Debug, Clone)]
pub struct Search {
    /// What is searched.
    pub space: Space,
    /// How points are chosen.
    pub sampler: Sampler,
    /// How trials are given up early.
    pub pruner: Pruner,
    /// Seed of everything random.
    pub seed: u64,
    /// Trials that do not know of each other's results.
    pub generation: u64,
}

/// Reads what is searched, and checks it against a plan. A grid is searched point by point unless a sampler is chosen.
///
/// # Errors
/// A file that cannot be read, options that no plan has, values out of range, a grid without points.
pub fn space_and_sampler(
    source: &SpaceSource,
    sampler: Option<Sampler>,
    plan: &Plan,
) -> Result<(Space, Sampler), Failure> {
    let space = match source {
        SpaceSource::File(path) => {
            let text = read_text(path, limits::SMALL_FILE_BYTES)?;
            let table: Table = toml::from_str(&text).map_err(|e| toml_failure(path, &text, &e))?;
            Space::from_table(&table).map_err(|e| Failure::usage(e).at(path))?
        }
        SpaceSource::Grid(path) => {
            let json = path.extension().is_some_and(|extension| extension == "json");
            Space::from_grid(&read_text(path, limits::SMALL_FILE_BYTES)?, json)
                .map_err(|e| Failure::usage(e).at(path))?
        }
        SpaceSource::Kind => defaults::space(plan.kind)
            .map_err(|e| Failure::usage(e).help("give --space, or a --kind that has options"))?,
    };
    let wrong = |message: String| match source {
        SpaceSource::File(path) | SpaceSource::Grid(path) => Failure::usage(message).at(path),
        SpaceSource::Kind => Failure::usage(message),
    };
    planned(plan, &space).map_err(wrong)?;
    let by_grid = matches!(source, SpaceSource::Grid(_));
    let sampler = sampler.unwrap_or(if by_grid { Sampler::Grid } else { Sampler::Tpe });
    if sampler == Sampler::Grid {
        space.grid().map_err(wrong)?;
    }
    Ok((space, sampler))
}

impl Search {
    /// Trials in all, unless somebody says otherwise: every point of a grid, else 20.
    ///
    /// # Errors
    /// A grid without points.
    pub fn default_trials(&self) -> Result<u64, Failure> {
        match self.sampler {
            Sampler::Grid => Ok(self.space.grid().map_err(Failure::usage)?.len()),
            _ => Ok(TRIALS),
        }
    }

    /// All that determines a study of this search on a subject, from a plan.
    ///
    /// # Errors
    /// A plan that TOML cannot hold.
    pub fn specification(&self, plan: &Plan, subject: &Subject) -> Result<Specification, Failure> {
        let written = |e| Failure::data(format!("the plan cannot be written: {e}")).caused_by(e);
        Ok(Specification {
            seed: self.seed,
            generation: self.generation,
            sampler: self.sampler,
            pruner: self.pruner,
            data_sha256: subject.data_sha256.clone(),
            objective: subject.description.clone(),
            plan: Table::try_from(plan).map_err(written)?,
            space: self.space.to_table(),
        })
    }
}

/// A name for a study that has none: the model kind, and the first digits of a digest of all that determines the study.
///
/// # Errors
/// A specification that TOML cannot hold.
pub fn default_name(plan: &Plan, specification: &Specification) -> Result<String, Failure> {
    let text = toml::to_string(specification).map_err(|e| Failure::from_error(Kind::Data, e))?;
    Ok(format!("{}-{}", plan.kind.name(), &shared::digest::sha256(text.as_bytes())[..DIGITS]))
}

/// The complete trial of least value, the earliest of several.
#[must_use]
pub fn best_of(trials: &[Trial]) -> Option<&Trial> {
    let complete = trials.iter().filter(|trial| trial.state == TrialState::Complete);
    complete.min_by(|a, b| a.value.unwrap_or(f64::INFINITY).total_cmp(&b.value.unwrap_or(f64::INFINITY)))
}
