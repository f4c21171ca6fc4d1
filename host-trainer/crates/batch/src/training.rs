//! One task: from a data set, a model and a training to a result.

use crate::configuration::{Dataset, DatasetContent, Model, Training};
use crate::data::{Data, with_samples_per_epoch};
use crate::tasks::Task;
use estimators::FitError;
use estimators::metrics::Metrics;
use estimators::mlp::{self, Epoch, History, Progress};
use learn::features::Extraction;
use learn::fit::train::{FitJob, train};
use learn::model::{CARD_FILE, ONNX_FILE};
use learn::tabular::{check_kind, fit_split};
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is trained, and from what.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its data set.
    pub dataset: &'a Dataset,
    /// The rows.
    pub data: &'a Data,
    /// Its model.
    pub model: &'a Model,
    /// Its training.
    pub training: &'a Training,
}

/// The losses of one network, epoch by epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Curve {
    /// Which network of the ensemble, from 0.
    pub member: usize,
    /// Mean loss over the training rows, as the steps met them.
    pub training: Vec<f64>,
    /// Mean loss over the validation rows; none where no rows are kept for that.
    pub validation: Vec<Option<f64>>,
    /// What weight decay amounts to as a loss.
    pub regularisation: Vec<f64>,
    /// Step size.
    pub learning_rate: Vec<f64>,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Its loss.
    pub best_loss: f64,
}

impl Curve {
    fn of(member: usize, history: &History) -> Self {
        let each = |of: fn(&Epoch) -> f64| history.epochs.iter().map(of).collect();
        Self {
            member,
            training: each(|epoch| epoch.training),
            validation: history.epochs.iter().map(|epoch| epoch.validation).collect(),
            regularisation: each(|epoch| epoch.regularisation),
            learning_rate: each(|epoch| epoch.learning_rate),
            best_epoch: history.best_epoch,
            best_loss: history.best_loss,
        }
    }
}

/// What a training leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The score; the lower, the better.
    pub score: f64,
    /// Metrics by output, or by layer kind and target.
    pub metrics: BTreeMap<String, Metrics>,
    /// On what they were measured: `test` or `cross-validation`.
    pub judged_on: &'static str,
    /// Losses of each network; empty for kinds without epochs.
    pub losses: Vec<Curve>,
    /// Rows trained on, validated on and tested on, where the kind says so.
    pub rows: [Option<usize>; 3],
    /// Files of the model, by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// How far a training is.
#[derive(Debug)]
pub struct Step<'a> {
    /// Epochs behind it.
    pub epochs: usize,
    /// The loss that decides, after the last epoch, of the network that is furthest.
    pub loss: f64,
    progress: &'a Progress,
}

impl Step<'_> {
    /// Everything that it takes to go on from here.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        self.progress.to_bytes()
    }

    /// How training went so far, one history a network.
    pub fn histories(&self) -> impl Iterator<Item = &History> {
        self.progress.histories()
    }

    /// The weights of all networks as they are, in 32-bit little-endian numbers, one network after the other.
    #[must_use]
    pub fn weights(&self) -> Vec<u8> {
        self.progress.weights().flat_map(|block| block.iter().flat_map(|w| w.to_le_bytes())).collect()
    }
}

impl Job<'_> {
    /// Trains and judges. `after` sees how far training is, epoch by epoch where the kind has epochs, and may break it off, which
    /// gives none. `from` is what an earlier [`Step::checkpoint`] left.
    ///
    /// # Errors
    /// A training that fails; a model kind that the data cannot have.
    pub fn run(
        &self,
        from: Option<&[u8]>,
        after: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Trained>, Failure> {
        match (&self.dataset.content, self.data) {
            (DatasetContent::Table(_), Data::Table(_)) => self.run_table(from, after),
            (DatasetContent::Layers(_), Data::Layers(_)) => self.run_layers().map(Some),
            _ => Err(Failure::data(format!("the data set `{}` is of another kind than its rows", self.dataset.name))),
        }
    }

    fn failed(&self, error: FitError) -> Failure {
        Failure::new(Kind::Data, format!("{} on {}: {error}", self.task.label, self.dataset.name)).caused_by(error)
    }

    fn run_table(
        &self,
        from: Option<&[u8]>,
        after: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Trained>, Failure> {
        let (content, Data::Table(data)) = (&self.dataset.content, self.data) else {
            return Err(Failure::data("no table"));
        };
        let mut content = content.clone();
        if let Some(samples) = self.training.samples_per_epoch {
            with_samples_per_epoch(&mut content, samples);
        }
        let DatasetContent::Table(content) = &content else { return Err(Failure::data("no table")) };
        let mut plan = self.model.plan()?;
        plan.change_options(|settings: &mut mlp::Settings| self.training.apply(settings, self.task.seed()));
        let split = content.samplers.rows(&content.split, data).map_err(Failure::usage)?;
        // What another version left is not gone on from: training begins again.
        let from = from.and_then(Progress::from_bytes);
        let mut step = |progress: &Progress| {
            let last = progress.histories().filter_map(|history| history.epochs.last()).max_by_key(|epoch| epoch.epoch);
            after(&Step { epochs: progress.epochs(), loss: last.map_or(f64::NAN, Epoch::deciding), progress })
        };
        let fit = fit_split(data, &plan, &split, 1, from, &mut step).map_err(|e| self.failed(e))?;
        let Some(fit) = fit else { return Ok(None) };
        let none = || Failure::data(format!("{} on {}: no score can be computed", self.task.label, self.dataset.name));
        let score = self.training.score.mean(&fit.test).filter(|score| score.is_finite()).ok_or_else(none)?;
        let mut files = BTreeMap::new();
        for (output, graph) in &fit.fitted.graphs {
            files.insert(format!("{}.onnx", plain(output)), graph.clone());
        }
        let card = serde_json::to_vec_pretty(&fit.fitted.card).map_err(|e| Failure::from_error(Kind::Data, e))?;
        files.insert(CARD_FILE.to_owned(), card);
        Ok(Some(Trained {
            score,
            metrics: content.outputs.iter().cloned().zip(fit.test).collect(),
            judged_on: "test",
            losses: fit.histories.iter().enumerate().map(|(member, history)| Curve::of(member, history)).collect(),
            rows: [split.training.len(), split.validation.len(), split.test.len()].map(Some),
            files,
        }))
    }

    fn run_layers(&self) -> Result<Trained, Failure> {
        let (DatasetContent::Layers(content), Data::Layers(data)) = (&self.dataset.content, self.data) else {
            return Err(Failure::data("no layers"));
        };
        let mut plan = self.model.plan()?;
        plan.change_options(|settings: &mut mlp::Settings| self.training.apply(settings, self.task.seed()));
        plan.test_models.clone_from(&content.test_networks);
        plan.evaluation.folds = self.training.folds;
        let estimator = plan.estimator();
        let test_networks = plan.known_test_networks(data);
        let job = FitJob {
            data,
            estimator: estimator.as_ref(),
            evaluation: &plan.evaluation,
            test_networks: &test_networks,
            extraction: Extraction { reference_compatible: plan.reference_faults.ignore_pool_window },
            negative_predictions: plan.reference_faults.negative_predictions,
            baselines: &[],
        };
        let outcome = train(&job, &content.device, &|_, _| ()).map_err(|e| self.failed(e))?;
        let all_tested = outcome.artefacts.iter().all(|artefact| artefact.card.scores.test.is_some());
        let judged_on = if all_tested { "test" } else { "cross-validation" };
        let mut metrics = BTreeMap::new();
        let mut files = BTreeMap::new();
        let device = outcome.device.to_file()?;
        files.insert(format!("{}/{}", content.device, learn::model::DEVICE_FILE), device);
        for artefact in &outcome.artefacts {
            let card = &artefact.card;
            let found = if all_tested { card.scores.test } else { card.scores.cross_validation };
            let found = found.unwrap_or(card.scores.training);
            metrics.insert(format!("{} {}", card.layer_kind.name(), card.target.name()), found);
            let place = format!("{}/{}/{}", content.device, card.layer_kind.name(), card.target.name());
            files.insert(format!("{place}/{ONNX_FILE}"), artefact.onnx.clone());
            files.insert(format!("{place}/{CARD_FILE}"), card.to_file()?);
        }
        let judged =
            outcome.artefacts.iter().all(|artefact| all_tested || artefact.card.scores.cross_validation.is_some());
        if !judged || outcome.artefacts.is_empty() {
            return Err(Failure::data(format!(
                "{} on {}: nothing judges the models: no test network is in the data, and too few for folds",
                self.task.label, self.dataset.name
            ))
            .help("name `test_networks` that the data have, or set `folds` of the training"));
        }
        let none = || Failure::data(format!("{} on {}: no score can be computed", self.task.label, self.dataset.name));
        let score = self.training.score.mean(metrics.values()).filter(|score| score.is_finite()).ok_or_else(none)?;
        Ok(Trained { score, metrics, judged_on, losses: Vec::new(), rows: [None; 3], files })
    }
}

/// Refuses a model that data cannot have, before anything is read or trained.
///
/// # Errors
/// The model and the data set, by name.
pub(crate) fn check_pair(dataset: &Dataset, model: &Model) -> Result<(), Failure> {
    let plan = model.plan()?;
    match &dataset.content {
        DatasetContent::Table(_) => check_kind(&plan).map_err(|e| {
            Failure::usage(format!("{} on {}: {e}", model.label(), dataset.name))
                .help("leave the pair out by [[tasks]], or give the model `kind = \"mlp\"`")
        }),
        DatasetContent::Layers(_) => Ok(()),
    }
}

/// A name of a column as the name of a file.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect()
}
