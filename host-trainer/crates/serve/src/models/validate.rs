//! Validation of models before they answer requests.

use super::deployment::DeployedModels;
use learn::model::{Card, Target};
use learn::predict::Models;
use sha2::{Digest, Sha256};
use shared::engine::Table;
use shared::failure::{Failure, Kind, printable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest tolerance of a self-test. A looser test would not detect a wrong model.
const LOOSEST_SELF_TEST: f64 = 1e-2;

/// Loads every model of a device. Each must pass the checks of its hash, its operators and its self-test.
///
/// # Errors
/// A model that fails a check; a device without models.
pub(super) fn validate(models: Models) -> Result<DeployedModels, Failure> {
    models.load(&Table::ALL.into_iter().collect())?;
    let json = |e: serde_json::Error| Failure::from_error(Kind::Data, e);
    let mut whole = Sha256::new();
    whole.update(serde_json::to_vec(models.device()).map_err(json)?);
    let mut digests = BTreeMap::new();
    for card in models.cards() {
        check_card(card, &models.device().name)?;
        let name = format!("{}/{}", card.layer_kind.name(), card.target.name());
        whole.update(name.as_bytes());
        whole.update(serde_json::to_vec(card).map_err(json)?);
        digests.insert(name, card.onnx_sha256.clone());
    }
    if digests.is_empty() {
        let (device, targets) = (&models.device().name, Target::ALL.map(Target::name).join(" nor "));
        return Err(Failure::data(format!("{device} has models of neither {targets}")));
    }
    Ok(DeployedModels { models: Arc::new(models), digests, digest: format!("{:x}", whole.finalize()) })
}

/// Refuses a card whose device, unit or self-test cannot be right. A promotion checks the same; this also catches entries that
/// were written to the store without it.
fn check_card(card: &Card, device: &str) -> Result<(), Failure> {
    let test = &card.self_test;
    let wrong = if card.device != device {
        format!("is of `{}`, not of {device}", printable(&card.device))
    } else if card.unit != card.target.unit() {
        format!("predicts {}, not {}", printable(&card.unit), card.target.unit())
    } else if test.inputs.is_empty() || !(0.0..=LOOSEST_SELF_TEST).contains(&test.tolerance) {
        "has no self-test that would prove anything".to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::data(format!("a model of {} layers {wrong}", card.layer_kind.name())))
}
