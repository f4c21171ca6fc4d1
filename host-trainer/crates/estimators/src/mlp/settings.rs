//! What a network is to be and how it is trained.

use serde::{Deserialize, Serialize};

/// Weights that all layers of a network may have together.
const MOST_WEIGHTS: usize = 4_000_000;

/// How measured values are scaled for training. All but `signed` give predictions that are positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetScale {
    /// The network gives the standardised logarithm; squared errors of it count. Takes positive values.
    #[default]
    Log,
    /// The network gives the value by a softplus; squared relative errors count. Takes positive values.
    Relative,
    /// The network gives the value by a softplus; squared errors count, over the spread. Takes values not below zero.
    Absolute,
    /// The network gives the standardised value itself; squared errors of it count. Takes any value.
    Signed,
}

/// What trains a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Adam, the weight decay added to gradients.
    #[default]
    Adam,
}

/// Everything that training a network can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Width of each hidden layer; each is followed by a rectifier.
    pub hidden: Vec<usize>,
    /// Share of each hidden layer's outputs that is dropped while training, one a layer; none are dropped where empty.
    pub dropouts: Vec<f64>,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Step size.
    pub learning_rate: f64,
    /// How slowly Adam's mean of gradients forgets.
    pub beta1: f64,
    /// How slowly Adam's mean of squared gradients forgets.
    pub beta2: f64,
    /// Share of each weight that is added to its gradient.
    pub weight_decay: f64,
    /// Rows a step.
    pub batch_size: usize,
    /// Passes over the training rows at most.
    pub epochs: usize,
    /// Epochs without a better validation loss after which training stops; 0 never stops.
    pub patience: usize,
    /// By what the step size is multiplied when the validation loss no longer falls.
    pub plateau_factor: f64,
    /// Epochs without a better validation loss after which it is; 0 leaves the step size alone.
    pub plateau_patience: usize,
    /// Norm to which a longer gradient is cut; 0 leaves gradients alone.
    pub gradient_norm: f64,
    /// Share of the rows kept for validation, whole groups at a time.
    pub validation_share: f64,
    /// How measured values are scaled.
    pub target_scale: TargetScale,
    /// Whether the logarithm of one plus each input is taken before it is standardised. Takes inputs above -1.
    pub log_inputs: bool,
    /// Networks trained from different seeds and validation rows; their outputs are averaged before they are scaled back.
    pub members: usize,
    /// Decides starting weights, validation rows, batches and dropout.
    pub seed: u64,
    /// For layers: whether operations, elements and what follows from them are inputs beside the sizes.
    pub work_inputs: bool,
    /// For layers: whether one network learns power and run time together. Each model still holds what it needs.
    pub joint: bool,
    /// For layers: rows up to which the kind `auto` tries a network too; 0 leaves it out.
    pub auto_rows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            dropouts: Vec::new(),
            optimizer: Optimizer::Adam,
            learning_rate: 5e-3,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 1e-6,
            batch_size: 64,
            epochs: 400,
            patience: 50,
            plateau_factor: 0.3,
            plateau_patience: 15,
            gradient_norm: 1.0,
            validation_share: 0.15,
            target_scale: TargetScale::Log,
            log_inputs: true,
            members: 4,
            seed: 0,
            work_inputs: true,
            joint: false,
            auto_rows: 300,
        }
    }
}

impl Settings {
    /// Checks the ranges that types cannot.
    ///
    /// # Errors
    /// A sentence that names the option.
    pub fn check(&self) -> Result<(), String> {
        let within =
            |name: &str, ok: bool, range: &str| if ok { Ok(()) } else { Err(format!("`{name}` must be {range}")) };
        let share = |x: f64| (0.0..1.0).contains(&x);
        within("hidden", (1..=8).contains(&self.hidden.len()), "1 to 8 layers")?;
        within("hidden", self.hidden.iter().all(|w| (1..=4096).contains(w)), "layers of 1 to 4,096")?;
        let weights: usize = self.hidden.windows(2).map(|pair| pair[0] * pair[1]).sum();
        within("hidden", weights <= MOST_WEIGHTS, "layers of 4,000,000 weights together at most")?;
        let dropouts = self.dropouts.is_empty() || self.dropouts.len() == self.hidden.len();
        within("dropouts", dropouts, "as many as there are hidden layers, or none")?;
        within("dropouts", self.dropouts.iter().all(|p| share(*p)), "at least 0 and below 1")?;
        within("learning_rate", self.learning_rate > 0.0 && self.learning_rate <= 1.0, "above 0 and at most 1")?;
        within("beta1", share(self.beta1), "at least 0 and below 1")?;
        within("beta2", share(self.beta2), "at least 0 and below 1")?;
        within("weight_decay", (0.0..=1.0).contains(&self.weight_decay), "0 to 1")?;
        within("batch_size", (1..=65_536).contains(&self.batch_size), "1 to 65,536")?;
        within("epochs", (1..=100_000).contains(&self.epochs), "1 to 100,000")?;
        let factor = self.plateau_factor;
        within("plateau_factor", factor > 0.0 && factor <= 1.0, "above 0 and at most 1")?;
        within("gradient_norm", self.gradient_norm >= 0.0 && self.gradient_norm.is_finite(), "0 or positive")?;
        within("validation_share", (0.0..=0.5).contains(&self.validation_share), "0 to 0.5")?;
        within("members", (1..=64).contains(&self.members), "1 to 64")
    }

    /// The share of a hidden layer's outputs that is dropped.
    pub(super) fn dropout(&self, layer: usize) -> f64 {
        self.dropouts.get(layer).copied().unwrap_or(0.0)
    }
}
