//! The questions before a promotion and before a rollback.

use super::layout::{number, sentence, short};
use super::models_view::link;
use estimators::metrics::Metrics;
use maud::{Markup, html};
use registry::{Alias, Comparison, Promotion, Trail, Verdict, Version};
use shared::failure::printable;

/// The content of the question before a promotion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The model that would be promoted.
    pub(super) candidate: &'a Version,
    /// The one deployed.
    pub(super) deployed: Option<&'a Version>,
    /// The comparison that decides, or why there is none.
    pub(super) compared: &'a Result<Comparison, String>,
    /// Whether a rollback declined the candidate.
    pub(super) taken_back: bool,
    /// Why the attempt just made was declined.
    pub(super) declined: Option<&'a str>,
    /// The reason given in that attempt.
    pub(super) reason: &'a str,
}

/// The question before a promotion.
pub(super) fn promote(question: &Question<'_>) -> Markup {
    let Question { candidate, deployed, compared: comparison, taken_back, declined, reason } = *question;
    let record = &candidate.record;
    let verdict = comparison.as_ref().map(Comparison::verdict);
    let better = matches!(verdict, Ok(Verdict::Better)) && !taken_back;
    html! {
        p.small { a href="/models" { "Models" } " / " (printable(record.alias.device())) " / " a href=(link(&record.alias)) { (record.alias.table().name()) " " (record.alias.target().name()) } }
        h1 { "Promote version " (candidate.version) "?" }
        p.muted { "It answers within seconds; requests in flight finish on the old model." }
        @if let Some(declined) = declined { div.note-box.error role="alert" { p { strong { "Not promoted: " (sentence(&printable(declined))) } } p { "Promote against the figures, with a reason, if you know better." } } }
        div.card {
            h2 { "Side by side" }
            (side_by_side(candidate, deployed))
            @if taken_back { div.note-box.warn { p { "A rollback took this model back: only a promotion by force brings it back." } } }
            @match &verdict {
                Ok(Verdict::Better) => div.note-box.done { p { @if deployed.is_some() { "It is better than the deployed model on the figure that decides." } @else { "Nothing is deployed here yet." } } },
                Ok(Verdict::NotBetter(why) | Verdict::Incomparable(why)) => div.note-box.warn { p { (sentence(&printable(why))) } },
                Err(why) => div.note-box.error { p { (sentence(&printable(why))) } },
            }
        }
        form.card method="post" action=(link(&record.alias) + "/promote") {
            input type="hidden" name="model" value=(record.model);
            div.field {
                label for="reason" { "Why" }
                input #reason type="text" name="reason" required maxlength="500" value=(printable(reason)) autocomplete="off";
                span.hint { "It stands in the history with your name." }
            }
            @if !better {
                div.field { label { input type="checkbox" name="force" value="yes"; " Promote against the figures" } }
            }
            div.row { button.primary type="submit" data-busy="Promoting…" { "Promote" } a.button href=(link(&record.alias)) { "Cancel" } }
        }
    }
}

fn side_by_side(candidate: &Version, deployed: Option<&Version>) -> Markup {
    let mut sets: Vec<&String> = candidate.record.metrics.keys().collect();
    sets.extend(deployed.iter().flat_map(|d| d.record.metrics.keys()));
    sets.sort();
    sets.dedup();
    let of = |version: Option<&Version>, set: &str| version.and_then(|v| v.record.metrics.get(set)).copied();
    html! {
        div.sheet tabindex="0" role="region" aria-label="Figures side by side (scrolls)" {
            table {
                thead { tr {
                    th scope="col" { "On" } th scope="col" { "Figure" }
                    th.n scope="col" { "Deployed" @if let Some(d) = deployed { ", version " (d.version) } }
                    th.n scope="col" { "Candidate, version " (candidate.version) }
                } }
                tbody { @for set in sets {
                    @for (name, pick) in FIGURES {
                        tr {
                            th scope="row" { (printable(set)) } td { (name) }
                            td.n { (number(of(deployed, set).as_ref().and_then(pick), 3)) }
                            td.n { (number(of(Some(candidate), set).as_ref().and_then(pick), 3)) }
                        }
                    }
                } }
            }
        }
        dl.facts {
            dt { "Model kind" } dd { (printable(deployed.map_or("–", |d| &d.record.model_kind))) " → " (printable(&candidate.record.model_kind)) }
            dt { "Data" } dd.mono.small { (short(deployed.map_or("–", |d| &d.record.data_sha256))) " → " (short(&candidate.record.data_sha256)) }
            dt { "Registered" } dd { (printable(&candidate.record.registered.when)) " by " (printable(&candidate.record.registered.who)) }
        }
    }
}

/// A metric with its name.
type NamedMetric = (&'static str, fn(&Metrics) -> Option<f64>);

const FIGURES: [NamedMetric; 3] =
    [("MAPE %", |m| m.mape_percent), ("within ±10 % %", |m| m.within_10_percent), ("R²", |m| m.r2)];

/// The question before a rollback.
pub(super) fn rollback(alias: &Alias, trail: &Trail) -> Markup {
    let name = |p: &Promotion| format!("version {} · {}", p.version, registry::short(p.to));
    html! {
        p.small { a href="/models" { "Models" } " / " (printable(alias.device())) " / " a href=(link(alias)) { (alias.table().name()) " " (alias.target().name()) } }
        h1 { "Roll back?" }
        @match (trail.deployed(), trail.previous()) {
            (Some(now), Some(before)) => {
                div.card {
                    dl.facts {
                        dt { "Deployed" } dd { (name(now)) ", since " (printable(&now.stamp.when)) }
                        dt { "Goes back to" } dd { (name(before)) }
                    }
                    p.muted { "The deployed model counts as declined from then on: only a promotion by force brings it back." }
                }
                form.card method="post" action=(link(alias) + "/rollback") {
                    div.field {
                        label for="reason" { "Why" }
                        input #reason type="text" name="reason" required maxlength="500" autocomplete="off";
                        span.hint { "It stands in the history with your name." }
                    }
                    div.row { button.danger type="submit" data-busy="Rolling back…" { "Roll back" } a.button href=(link(alias)) { "Cancel" } }
                }
            }
            _ => div.card { p { "No model was deployed before the one that is: there is nothing to go back to." } a.button href=(link(alias)) { "Back" } },
        }
    }
}
