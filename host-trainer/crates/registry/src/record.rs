//! What the registry knows of a model, and who did what when.

use super::{Alias, Error};
use estimators::metrics::Metrics;
use learn::model::{Card, Program};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use store::Digest;

/// The record's own version.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// A time and a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stamp {
    /// UTC, as RFC 3339 has it.
    pub when: String,
    /// `user@host`, or whatever the caller says.
    pub who: String,
}

impl Stamp {
    /// Now, by somebody.
    #[must_use]
    pub fn now(who: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let when = shared::run_folder::stamp::format_rfc3339(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        Self { when, who: who.to_owned() }
    }
}

/// A registered model. It never changes; what becomes of the model stands in the promotions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Record {
    /// `SCHEMA_VERSION`.
    pub schema_version: u32,
    /// The model's name: the SHA-256 of its card, which holds that of its graph, so that the same model has the same name
    /// wherever it is registered.
    #[schema(value_type = String)]
    pub model: Digest,
    /// SHA-256 of `model.onnx`.
    #[schema(value_type = String)]
    pub onnx: Digest,
    /// SHA-256 of the `device.json` of the same fit.
    #[schema(value_type = String)]
    pub device_file: Digest,
    /// What it can be deployed as.
    #[schema(value_type = String)]
    pub alias: Alias,
    /// The model kind.
    pub model_kind: String,
    /// How good it is, by the set it was judged on: `training`, `cross-validation by network`, `test`, `test: <network>`.
    pub metrics: BTreeMap<String, Metrics>,
    /// SHA-256 of the training data.
    pub data_sha256: String,
    /// The revision of the data, where they are under version.
    pub data_revision: Option<String>,
    /// The options it was fitted with.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Value,
    /// The program that fitted it.
    pub program: Program,
    /// When it was registered, and by whom.
    pub registered: Stamp,
    /// Where it came from, for a model that was brought in from another registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub imported_from: Option<Box<Record>>,
}

/// A registered model with its number among those of its alias.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Version {
    /// Counts from 1 within the alias.
    pub version: u64,
    /// The model.
    #[serde(flatten)]
    pub record: Record,
}

/// What a registration adds to what the files say.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// The revision of the training data.
    pub data_revision: Option<String>,
    /// Who registers.
    pub who: String,
}

impl Record {
    pub(super) fn new(model: Digest, card: &Card, device_file: Digest, provenance: &Provenance) -> Result<Self, Error> {
        let onnx = card.onnx_sha256.parse().map_err(|reason: &str| Error::Unfit {
            model: short(model),
            reason: format!("its card names no graph: {reason}"),
        })?;
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            model,
            onnx,
            device_file,
            alias: Alias::new(&card.device, card.layer_kind, card.target)?,
            model_kind: card.model_kind.clone(),
            metrics: metrics(card),
            data_sha256: card.data_sha256.clone(),
            data_revision: provenance.data_revision.clone(),
            configuration: card.configuration.clone(),
            program: card.program.clone(),
            registered: Stamp::now(&provenance.who),
            imported_from: None,
        })
    }
}

/// The figures of a card, by the set they were taken on.
fn metrics(card: &Card) -> BTreeMap<String, Metrics> {
    let scores = &card.scores;
    let mut metrics = BTreeMap::from([("training".to_owned(), scores.training)]);
    if let Some(held_out) = scores.cross_validation {
        metrics.insert(format!("cross-validation {}", scores.folds.as_deref().unwrap_or_default()), held_out);
    }
    if let Some(test) = scores.test {
        metrics.insert("test".to_owned(), test);
    }
    metrics.extend(scores.test_by_network.iter().map(|(network, m)| (format!("test: {network}"), *m)));
    metrics
}

/// A digest as people write it.
#[must_use]
pub fn short(digest: Digest) -> String {
    digest.to_string()[..12].to_owned()
}
