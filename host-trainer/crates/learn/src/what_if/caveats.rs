//! What a user should know of outlooks, each thing once.

use super::anchors::Anchors;
use super::explore::{Origin, Outlook};
use std::collections::BTreeSet;

/// What a user should know of outlooks before trusting them, as sentences without a full stop.
#[must_use]
pub fn caveats<'a>(anchors: &Anchors, outlooks: impl IntoIterator<Item = &'a Outlook>) -> Vec<String> {
    let outlooks: Vec<&Outlook> = outlooks.into_iter().collect();
    let mut said: Vec<String> = Vec::new();
    if !anchors.without_clocks.is_empty() {
        said.push(format!("left out, since their clocks are not known: {}", anchors.without_clocks.join(", ")));
    }
    for note in outlooks.iter().flat_map(|outlook| &outlook.notes) {
        if !said.contains(note) {
            said.push(note.clone());
        }
    }
    let missing = outlooks.iter().map(|outlook| outlook.missing_layers).max().unwrap_or(0);
    if missing > 0 {
        said.push(format!("nothing predicts {missing} layers; run times without them are lower bounds"));
    }
    let outside = outlooks.iter().map(|outlook| outlook.layers_outside_training_range).max().unwrap_or(0);
    if outside > 0 {
        said.push(format!("up to {outside} layers lie outside the range that training saw"));
    }
    let notes: BTreeSet<&String> = anchors.all.iter().flat_map(|anchor| &anchor.models.device().notes).collect();
    said.extend(notes.into_iter().cloned());
    let by_law = outlooks.iter().any(|outlook| outlook.origin != Origin::Model);
    if by_law && outlooks.iter().all(|outlook| outlook.power_w.is_none()) {
        said.push("no power was measured in any mode: energy is not predicted".to_owned());
    }
    said
}
