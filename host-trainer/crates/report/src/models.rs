//! What the models are, and what their cards say of held-out data.

use super::input::Report;
use super::table::table;
use estimators::metric_columns::{COUNT, MAPE};
use maud::{Markup, html};

pub(super) fn section(report: &Report<'_>) -> Markup {
    let same = report.cards.iter().filter(|card| card.data_sha256 == report.data.hash).count();
    let rows: Vec<Vec<String>> = report
        .cards
        .iter()
        .map(|card| {
            let scores = &card.scores;
            vec![
                format!("{} {}", card.layer_kind.name(), card.target.name()),
                card.model_kind.clone(),
                scores.folds.clone().unwrap_or_else(|| "none".to_owned()),
                card.training_rows.to_string(),
                card.training_networks.len().to_string(),
                MAPE.figure(Some(&scores.training)),
                MAPE.figure(scores.cross_validation.as_ref()),
                MAPE.figure(scores.test.as_ref()),
                COUNT.figure(scores.test.as_ref()),
            ]
        })
        .collect();
    html! {
        div class="told" { @for sentence in seen(report, same) { p { (sentence) } } }
        @if rows.is_empty() { p { "No kind of layer has a model: the device's roofline and median power speak for all." } }
        @else {
            (table(
                "Mean absolute percentage errors by the models' cards",
                &["model", "kind", "folds", "rows", "networks", "on training rows", "on held-out folds", "on test networks", "n (test)"],
                3,
                &rows,
            ))
            p {
                "“On held-out folds” is the honest column: each row was predicted by a model that had not seen its network "
                "(“by network”), or, where there was one network only, its layer (“by layer”). “On training rows” is in-sample."
            }
        }
    }
}

/// Whether what follows is in-sample, in sentences.
fn seen(report: &Report<'_>, same: usize) -> Vec<String> {
    let mut sentences = Vec::new();
    if same > 0 {
        sentences.push(format!(
            "In-sample: {same} of {} models were fitted on exactly these data. What follows shows how well they reproduce what \
             they were taught, and where they do not; for accuracy on new networks read “on held-out folds” below.",
            report.cards.len()
        ));
    }
    let (seen, all) = (report.pairs.iter().filter(|pair| pair.seen).count(), report.pairs.len());
    if same < report.cards.len() || report.cards.is_empty() {
        let measurements = charts::number(all as f64);
        sentences.push(match seen {
            0 => format!("Held out: none of the {measurements} measurements is of a network that training saw."),
            n if n == all => format!(
                "In-sample by network: all {measurements} measurements are of networks that training saw, if not the same rows."
            ),
            n => format!(
                "Partly in-sample: {} of {measurements} measurements are of networks that training saw; charts tell them apart.",
                charts::number(n as f64)
            ),
        });
    }
    sentences
}
