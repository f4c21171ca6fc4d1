//! How models are trained.

use super::canonical::digest;
use estimators::mlp::{self, Optimizer, TargetScale};
use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use tune::objective::Metric;

/// Numbers that training computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    Float32,
}

/// How models are trained. All but the last four are a perceptron's; other kinds have no epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// What trains a network.
    pub optimizer: Optimizer,
    /// What counts as error, and on what scale: `log`, `relative`, `absolute`, `signed`.
    pub loss: TargetScale,
    /// Rows a step.
    pub batch_size: usize,
    /// Passes over the training rows at most.
    pub epochs: usize,
    /// Rows an epoch, drawn at random; each training row once where it is none.
    pub samples_per_epoch: Option<usize>,
    /// Whether training stops when the validation loss stops changing.
    pub early_stop: bool,
    /// Epochs without a better validation loss after which it then stops.
    pub patience: usize,
    /// Step size.
    pub learning_rate: f64,
    /// By what the step size is multiplied when the validation loss no longer falls.
    pub plateau_factor: f64,
    /// Epochs without a better validation loss after which it is; 0 leaves the step size alone.
    pub plateau_patience: usize,
    /// Share of each weight that is added to its gradient.
    pub weight_decay: f64,
    /// How slowly Adam's mean of gradients forgets.
    pub beta1: f64,
    /// How slowly Adam's mean of squared gradients forgets.
    pub beta2: f64,
    /// Norm to which a longer gradient is cut; 0 leaves gradients alone.
    pub gradient_norm: f64,
    /// Numbers that training computes with.
    pub precision: Precision,
    /// Epochs between two copies of the weights that the result keeps; 0 keeps none.
    pub keep_weights_every: usize,
    /// Epochs between two checkpoints; what is trained by a worker that vanishes goes on from the last one.
    pub checkpoint_every: usize,
    /// Folds of the cross-validation that layer models are judged by where no test network is there.
    pub folds: usize,
    /// The figure that is the score: `mape` or `rmspe`, in percent, or `loss`; the lower the better.
    pub score: Score,
    /// Decides, with the rest of a task, everything random in it.
    pub seed: u64,
}

/// The figure by which trainings are compared. The lower, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// Mean absolute percentage error.
    #[default]
    Mape,
    /// Root of the mean squared percentage error.
    Rmspe,
    /// Root of the mean squared error, in the unit of the outputs.
    Rmse,
}

impl Score {
    /// The name in configurations and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mape => Metric::Mape.name(),
            Self::Rmspe => Metric::Rmspe.name(),
            Self::Rmse => "rmse",
        }
    }

    /// The figure of some metrics, averaged; none where there is none, or one of them has no such figure.
    #[must_use]
    pub fn mean<'a>(self, metrics: impl IntoIterator<Item = &'a estimators::metrics::Metrics>) -> Option<f64> {
        let of = |metrics: &estimators::metrics::Metrics| match self {
            Self::Mape => metrics.mape_percent,
            Self::Rmspe => metrics.rmspe_percent,
            Self::Rmse => metrics.rmse,
        };
        let values: Vec<f64> = metrics.into_iter().map(of).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

impl Default for Training {
    fn default() -> Self {
        let mlp = mlp::Settings::default();
        Self {
            optimizer: mlp.optimizer,
            loss: mlp.target_scale,
            batch_size: mlp.batch_size,
            epochs: 100,
            samples_per_epoch: None,
            early_stop: true,
            patience: mlp.patience,
            learning_rate: mlp.learning_rate,
            plateau_factor: mlp.plateau_factor,
            plateau_patience: mlp.plateau_patience,
            weight_decay: mlp.weight_decay,
            beta1: mlp.beta1,
            beta2: mlp.beta2,
            gradient_norm: mlp.gradient_norm,
            precision: Precision::Float32,
            keep_weights_every: 0,
            checkpoint_every: 10,
            folds: 10,
            score: Score::Mape,
            seed: 0,
        }
    }
}

/// Keys of a perceptron that a training decides.
pub(crate) const DECIDED: [&str; 14] = [
    "optimizer",
    "target_scale",
    "batch_size",
    "epochs",
    "patience",
    "learning_rate",
    "plateau_factor",
    "plateau_patience",
    "weight_decay",
    "beta1",
    "beta2",
    "gradient_norm",
    "validation_share",
    "seed",
];

impl Training {
    /// The name by content.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn digest(&self) -> Result<String, Failure> {
        digest("training", self)
    }

    /// Sets what a training decides of a perceptron.
    pub(crate) fn apply(&self, settings: &mut mlp::Settings, seed: u64) {
        settings.optimizer = self.optimizer;
        settings.target_scale = self.loss;
        settings.batch_size = self.batch_size;
        settings.epochs = self.epochs;
        settings.patience = if self.early_stop { self.patience } else { 0 };
        settings.learning_rate = self.learning_rate;
        settings.plateau_factor = self.plateau_factor;
        settings.plateau_patience = self.plateau_patience;
        settings.weight_decay = self.weight_decay;
        settings.beta1 = self.beta1;
        settings.beta2 = self.beta2;
        settings.gradient_norm = self.gradient_norm;
        settings.seed = seed;
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut settings = mlp::Settings::default();
        self.apply(&mut settings, 0);
        settings.check()?;
        if self.early_stop && self.patience == 0 {
            return Err("`patience` must be at least 1 where `early_stop` is true".into());
        }
        if self.samples_per_epoch == Some(0) {
            return Err("`samples_per_epoch` must be at least 1".into());
        }
        if self.checkpoint_every == 0 {
            return Err("`checkpoint_every` must be at least 1".into());
        }
        if self.folds == 1 {
            return Err("`folds` must be 0 or at least 2".into());
        }
        Ok(())
    }
}
