//! What a model must stand before it is deployed.

use super::{Alias, Error, short};
use learn::model::{Artefact, Device};
use learn::predict::Models;
use std::collections::BTreeSet;
use std::path::Path;
use store::Digest;

/// Self-tests that agree within this much still prove a copy; a card may ask for closer agreement, not for less.
const LOOSEST_SELF_TEST: f64 = 1e-2;

/// Checks that a model is what its alias says, that its graph holds nothing but operators of ours within the size caps and
/// no data from elsewhere, that it reads features that its layers have, and that it reproduces its self-test.
pub(super) async fn check(
    alias: Alias,
    model: Digest,
    artefact: Artefact,
    device: Device,
) -> Result<(Artefact, Device), Error> {
    // Loading a graph takes long enough to hold up a server's other requests.
    let checked = tokio::task::spawn_blocking(move || {
        let result = examine(&alias, &artefact, &device);
        result.map(|()| (artefact, device))
    });
    let unfit = |reason: String| Error::Unfit { model: short(model), reason };
    match checked.await {
        Ok(Ok(whole)) => Ok(whole),
        Ok(Err(reason)) => Err(unfit(reason)),
        Err(e) => Err(unfit(format!("the ONNX runtime gave up: {e}"))),
    }
}

fn examine(alias: &Alias, artefact: &Artefact, device: &Device) -> Result<(), String> {
    let card = &artefact.card;
    if (card.device.as_str(), card.layer_kind, card.target) != (alias.device(), alias.table(), alias.target()) {
        let named = format!("{}/{}/{}", card.device, card.layer_kind.name(), card.target.name());
        return Err(format!("its card is of {named}, not of {alias}"));
    }
    if device.name != alias.device() {
        return Err(format!("its device file is of {}, not of {}", device.name, alias.device()));
    }
    if card.unit != alias.target().unit() {
        return Err(format!("it predicts {}, not {}", card.unit, alias.target().unit()));
    }
    let test = &card.self_test;
    if test.inputs.is_empty() || test.inputs.len() != test.outputs.len() {
        return Err("its card holds no self-test".into());
    }
    if test.inputs.iter().any(|row| row.len() != card.features.len()) {
        return Err("the self-test of its card has rows of another width than its features".into());
    }
    if !(0.0..=LOOSEST_SELF_TEST).contains(&test.tolerance) {
        return Err(format!("its card lets the self-test be off by {}", test.tolerance));
    }
    let copy = Artefact { card: card.clone(), onnx: artefact.onnx.clone() };
    let models = Models::of(device.clone(), vec![copy], Path::new(""));
    models.load(&BTreeSet::from([alias.table()])).map_err(|failure| failure.message)
}
