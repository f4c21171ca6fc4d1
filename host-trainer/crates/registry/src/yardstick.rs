//! By what figure, on what data, one model is better than another.

use super::Error;
use estimators::metrics::Metrics;
use learn::evaluate::{Baselines, Measurand, evaluate};
use learn::model::{Artefact, Card, Device, Target};
use learn::predict::Models;
use learn::training::TrainingData;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use store::Digest;

/// A figure that says how good a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean absolute percentage error.
    #[default]
    Mape,
    /// Root of the mean squared percentage error.
    Rmspe,
    /// Share of predictions within ±10 % of the measurement, in percent.
    #[serde(rename = "within-10-percent")]
    Within10Percent,
    /// Coefficient of determination.
    R2,
    /// Mean absolute error, in the target's unit.
    Mae,
    /// Root of the mean squared error, in the target's unit.
    Rmse,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Mape, Self::Rmspe, Self::Within10Percent, Self::R2, Self::Mae, Self::Rmse];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mape => "mape",
            Self::Rmspe => "rmspe",
            Self::Within10Percent => "within-10-percent",
            Self::R2 => "r2",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
        }
    }

    /// The figure, where there is one.
    #[must_use]
    pub fn of(self, metrics: &Metrics) -> Option<f64> {
        match self {
            Self::Mape => metrics.mape_percent,
            Self::Rmspe => metrics.rmspe_percent,
            Self::Within10Percent => metrics.within_10_percent,
            Self::R2 => metrics.r2,
            Self::Mae => metrics.mae,
            Self::Rmse => metrics.rmse,
        }
        .filter(|value| value.is_finite())
    }

    /// Whether `candidate` is strictly better than `deployed`.
    #[must_use]
    pub fn is_better(self, candidate: f64, deployed: f64) -> bool {
        match self {
            Self::Within10Percent | Self::R2 => candidate > deployed,
            Self::Mape | Self::Rmspe | Self::Mae | Self::Rmse => candidate < deployed,
        }
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|metric| metric.name() == text).ok_or_else(|| {
            Error::Name(format!("no metric `{text}`; known are {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// The data that models are judged on.
#[derive(Debug, Clone, Default)]
pub enum On {
    /// The folds that each model's own cross-validation held out. Two models compare only if their folds were cut from the
    /// same data.
    #[default]
    CrossValidation,
    /// The networks that each model's own fit kept back. Two models compare only if those are the same networks of the same
    /// data.
    Test,
    /// These data.
    Data(Arc<TrainingData>),
}

/// A metric and the data it is taken on.
#[derive(Debug, Clone, Default)]
pub struct Yardstick {
    /// The figure.
    pub metric: Metric,
    /// The data.
    pub on: On,
}

impl fmt::Display for Yardstick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = match &self.on {
            On::CrossValidation => "cross-validation",
            On::Test => "test networks",
            On::Data(data) => return write!(f, "{} on data {}", self.metric.name(), &data.hash[..12]),
        };
        write!(f, "{} on {on}", self.metric.name())
    }
}

/// A model as a yardstick sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Score {
    /// The model.
    #[schema(value_type = String)]
    pub model: Digest,
    /// Its figure; none where it has none on these data.
    pub value: Option<f64>,
    /// All its figures on these data.
    pub metrics: Option<Metrics>,
    /// SHA-256 of the data.
    pub data_sha256: String,
    /// Networks of the data that the model was trained on: on these it looks better than it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_on: Vec<String>,
    /// What else must agree for two figures to compare: the networks, and how folds were cut.
    #[serde(skip)]
    set: String,
}

/// Two models by one yardstick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Comparison {
    /// The figure.
    pub metric: Metric,
    /// `cross-validation`, `test`, or `data`.
    pub on: String,
    /// The model that would be promoted.
    pub candidate: Score,
    /// The model deployed until then.
    pub deployed: Option<Score>,
}

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The candidate is better, or nothing is deployed.
    Better,
    /// It is not.
    NotBetter(String),
    /// The figures cannot be compared.
    Incomparable(String),
}

impl Yardstick {
    /// Judges a model.
    ///
    /// # Errors
    /// A model that cannot be run on the data.
    pub fn score(&self, model: Digest, artefact: &Artefact, device: &Device) -> Result<Score, Error> {
        let card = &artefact.card;
        let (metrics, data_sha256, trained_on, set) = match &self.on {
            On::CrossValidation => {
                let set = format!("{:?} {:?}", card.scores.folds, card.training_networks);
                (card.scores.cross_validation, card.data_sha256.clone(), Vec::new(), set)
            }
            On::Test => (card.scores.test, card.data_sha256.clone(), Vec::new(), format!("{:?}", card.test_networks)),
            On::Data(data) => {
                let metrics = on_data(artefact, device, data)?;
                (metrics, data.hash.clone(), trained_on(card, data), String::new())
            }
        };
        let value = metrics.as_ref().and_then(|metrics| self.metric.of(metrics));
        Ok(Score { model, value, metrics, data_sha256, trained_on, set })
    }

    /// Puts two scores side by side.
    #[must_use]
    pub fn compare(&self, candidate: Score, deployed: Option<Score>) -> Comparison {
        let on = match &self.on {
            On::CrossValidation => "cross-validation",
            On::Test => "test",
            On::Data(_) => "data",
        };
        Comparison { metric: self.metric, on: on.into(), candidate, deployed }
    }
}

impl Comparison {
    /// Whether the candidate is better than what is deployed, on the same data.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let Some(deployed) = &self.deployed else { return Verdict::Better };
        let (name, candidate) = (self.metric.name(), &self.candidate);
        if candidate.data_sha256 != deployed.data_sha256 || candidate.set != deployed.set {
            return Verdict::Incomparable(format!(
                "its {} {name} was not taken on the same data as that of the deployed model",
                self.on
            ));
        }
        match (candidate.value, deployed.value) {
            (None, _) => Verdict::Incomparable(format!("it has no {name} on {}", self.on)),
            (_, None) => Verdict::Incomparable(format!("the deployed model has no {name} on {}", self.on)),
            (Some(new), Some(old)) if self.metric.is_better(new, old) => Verdict::Better,
            (Some(new), Some(old)) => Verdict::NotBetter(format!(
                "its {name} on {} is {new:.4}, that of the deployed model {} is {old:.4}",
                self.on,
                super::short(deployed.model)
            )),
        }
    }
}

/// The model's figures on the rows of its layer kind.
fn on_data(artefact: &Artefact, device: &Device, data: &TrainingData) -> Result<Option<Metrics>, Error> {
    let card = &artefact.card;
    let Some(rows) = data.tables.get(&card.layer_kind) else { return Ok(None) };
    let of_kind = TrainingData { tables: [(card.layer_kind, rows.clone())].into(), ..TrainingData::default() };
    let copy = Artefact { card: card.clone(), onnx: artefact.onnx.clone() };
    let models = Models::of(device.clone(), vec![copy], Path::new(&card.device));
    let evaluation = evaluate(&models, &of_kind, of_kind.name_of(&card.device), false, &Baselines::default())?;
    let target = match card.target {
        Target::Power => Measurand::Power,
        Target::Runtime => Measurand::Runtime,
    };
    let line = evaluation.rows.into_iter().find(|line| line.kind == card.layer_kind.name() && line.target == target);
    Ok(line.map(|line| line.metrics))
}

fn trained_on(card: &Card, data: &TrainingData) -> Vec<String> {
    let known: BTreeSet<&str> = card.training_networks.iter().map(String::as_str).collect();
    data.tables
        .get(&card.layer_kind)
        .into_iter()
        .flatten()
        .map(|row| row.network.as_str())
        .filter(|network| known.contains(network))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, value: Option<f64>, data: &str) -> Score {
        Score {
            model: Digest::of(name.as_bytes()),
            value,
            metrics: None,
            data_sha256: data.into(),
            trained_on: Vec::new(),
            set: String::new(),
        }
    }

    #[test]
    fn only_strictly_better_on_the_same_data_is_better() {
        let verdict = |metric, new, old, data| {
            let yardstick = Yardstick { metric, on: On::CrossValidation };
            yardstick.compare(score("new", new, "a"), Some(score("old", old, data))).verdict()
        };
        assert_eq!(verdict(Metric::Mape, Some(1.0), Some(2.0), "a"), Verdict::Better);
        assert!(matches!(verdict(Metric::Mape, Some(2.0), Some(2.0), "a"), Verdict::NotBetter(_)));
        assert_eq!(verdict(Metric::R2, Some(0.9), Some(0.8), "a"), Verdict::Better);
        assert!(matches!(verdict(Metric::R2, Some(0.7), Some(0.8), "a"), Verdict::NotBetter(_)));
        assert!(matches!(verdict(Metric::Mape, Some(1.0), Some(2.0), "b"), Verdict::Incomparable(_)));
        assert!(matches!(verdict(Metric::Mape, None, Some(2.0), "a"), Verdict::Incomparable(_)));
        assert!(matches!(verdict(Metric::Mape, Some(1.0), None, "a"), Verdict::Incomparable(_)));
        let first = Yardstick::default().compare(score("new", None, "a"), None);
        assert_eq!(first.verdict(), Verdict::Better);
    }
}
