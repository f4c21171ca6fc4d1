//! The view of one alias: its registered models, the card of the deployed one, and its history.

use super::layout::{number, query, sentence, short};
use super::models_view::{link, mape, refused};
use estimators::metrics::Metrics;
use learn::model::Card;
use maud::{Markup, html};
use registry::{Action, Alias, Comparison, Listed, Promotion, Status, Trail, Version};
use shared::failure::printable;
use store::Entry;

/// Entries of the history shown. The command `models history` shows all.
const HISTORY: usize = 100;

/// The held-out metrics of a registered model, where it has some.
fn held_out(version: &Version) -> Option<&Metrics> {
    version.record.metrics.iter().find(|(set, _)| set.starts_with("cross-validation")).map(|(_, metrics)| metrics)
}

/// The content of the page of an alias.
#[derive(Debug)]
pub(super) struct AliasView<'a> {
    /// The alias.
    pub(super) alias: &'a Alias,
    /// The card of the deployed model.
    pub(super) card: Option<&'a Card>,
    /// Every registered model. `None` where models come from a folder.
    pub(super) listed: Option<&'a [Listed]>,
    /// The audit trail.
    pub(super) trail: Option<&'a Trail>,
    /// The outcome of the change just made.
    pub(super) notice: Option<&'a str>,
    /// Why the newest models were refused.
    pub(super) refused: Option<&'a str>,
}

/// The page of an alias.
pub(super) fn render(view: &AliasView<'_>) -> Markup {
    let alias = view.alias;
    let can_go_back = view.trail.is_some_and(|trail| trail.previous().is_some());
    html! {
        div.head {
            div {
                p.small { a href="/models" { "Models" } " / " (printable(alias.device())) }
                h1 { (alias.table().name()) " " (alias.target().name()) }
            }
            @if can_go_back { div.row.actions { a.button.danger href=(link(alias) + "/rollback") { "Roll back…" } } }
        }
        @if let Some(notice) = view.notice { div.note-box.done role="status" { p { (sentence(&printable(notice))) } } }
        section #alias data-live aria-label="Registered models" {
            @if let Some(reason) = view.refused { (refused(reason)) }
            @if let Some(listed) = view.listed { (candidates(alias, listed)) }
            @if let Some(card) = view.card { (self::card(card)) }
            @else { div.card { p { "Nothing is deployed here yet" @if view.listed.is_some_and(|l| !l.is_empty()) { "; promote one of the models above" } "." } } }
            @if let Some(trail) = view.trail { (history(trail)) }
        }
    }
}

fn candidates(alias: &Alias, listed: &[Listed]) -> Markup {
    html! {
        section.card {
            h2 { "Registered models" }
            div.sheet tabindex="0" role="region" aria-label="Registered models (scrolls)" {
                table {
                    thead { tr {
                        th.n scope="col" { "Version" } th scope="col" { "State" } th scope="col" { "Kind" }
                        th.n scope="col" { "Held-out MAPE %" } th.n scope="col" { "within ±10 % %" } th.n.wide scope="col" { "R²" }
                        th.wide scope="col" { "Registered" } th scope="col" { "Name" } th scope="col" { span.sr { "Promote" } }
                    } }
                    tbody { @for Listed { version, status } in listed.iter().rev() {
                        ({
                            let (record, metrics) = (&version.record, held_out(version));
                            let name = record.model.to_string();
                            html! {
                                tr.current[*status == Status::Deployed] {
                                    td.n { (version.version) }
                                    td { (badge(*status)) }
                                    td { (printable(&record.model_kind)) }
                                    td.n { (mape(metrics)) }
                                    td.n { (number(metrics.and_then(|m| m.within_10_percent), 1)) }
                                    td.n.wide { (number(metrics.and_then(|m| m.r2), 3)) }
                                    td.wide.small { (printable(&record.registered.when)) br; span.muted { (printable(&record.registered.who)) } }
                                    td.mono.small title=(name) { (short(&name)) }
                                    td.n { @if *status != Status::Deployed { a.button href=(format!("{}/promote?{}", link(alias), query(&[("model", &name)]))) { "Promote…" } } }
                                }
                            }
                        })
                    } }
                }
            }
        }
    }
}

fn badge(status: Status) -> Markup {
    html! {
        @match status {
            Status::Deployed => span.badge.on { (status.name()) },
            Status::Declined => span.badge.bad { (status.name()) },
            Status::Former | Status::Candidate => span.badge { (status.name()) },
        }
    }
}

/// A model's card.
fn card(card: &Card) -> Markup {
    let networks = |names: &[String]| if names.is_empty() { "none".to_owned() } else { printable(&names.join(", ")) };
    let sets = [
        (
            format!("held out{}", card.scores.folds.as_deref().map_or_else(String::new, |f| format!(", {f}"))),
            card.scores.cross_validation.as_ref(),
        ),
        ("test networks".to_owned(), card.scores.test.as_ref()),
        ("training".to_owned(), Some(&card.scores.training)),
    ];
    let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap_or_default();
    html! {
        section.card {
            h2 { "Card of the deployed model" }
            div.cols.two {
                dl.facts {
                    dt { "Model kind" } dd { (printable(&card.model_kind)) }
                    dt { "Predicts" } dd { (card.target.name()) ", " (printable(&card.unit)) }
                    dt { "Fitted by" } dd { (printable(&card.program.name)) " " (printable(&card.program.version)) }
                    dt { "Rows" } dd { (card.training_rows) }
                    dt { "Trained on" } dd { (networks(&card.training_networks)) }
                    dt { "Kept back" } dd { (networks(&card.test_networks)) }
                    dt { "Interval" } dd {
                        @match card.interval {
                            Some(i) => { (format!("{:.0} % of measurements lie between {:.2} and {:.2} times the prediction", 100.0 * i.level, i.lower_ratio, i.upper_ratio)) },
                            None => { "none: the model comes without one" },
                        }
                    }
                    dt { "Data" } dd.mono.small { (printable(&card.data_sha256)) }
                    dt { "Graph" } dd.mono.small { (printable(&card.onnx_sha256)) }
                }
                div.sheet tabindex="0" role="region" aria-label="Figures (scrolls)" {
                    table {
                        thead { tr { th scope="col" { "On" } th.n scope="col" { "n" } th.n scope="col" { "MAPE %" } th.n scope="col" { "RMSPE %" } th.n scope="col" { "±10 % %" } th.n scope="col" { "R²" } } }
                        tbody { @for (name, metrics) in &sets { @if let Some(m) = metrics {
                            tr { th scope="row" { (printable(name)) } td.n { (m.n) } td.n { (number(m.mape_percent, 1)) } td.n { (number(m.rmspe_percent, 1)) } td.n { (number(m.within_10_percent, 1)) } td.n { (number(m.r2, 3)) } }
                        } } }
                    }
                }
            }
            @if !card.notes.is_empty() { h3 { "Notes" } ul { @for note in &card.notes { li.wrap { (printable(note)) } } } }
            details #features {
                summary { (card.features.len()) " features and the range that training saw of them" }
                div.sheet tabindex="0" role="region" aria-label="Features (scrolls)" {
                    table {
                        thead { tr { th scope="col" { "Feature" } th scope="col" { "Unit" } th.n scope="col" { "Least" } th.n scope="col" { "Most" } } }
                        tbody { @for f in card.features.iter().chain(&card.derived_ranges) {
                            tr { th scope="row" { (printable(&f.name)) } td { (printable(&f.unit)) } td.n { (charts::number(f.min)) } td.n { (charts::number(f.max)) } }
                        } }
                    }
                }
            }
            details #configuration { summary { "Configuration and fit" } pre { (printable(&pretty(&card.configuration))) } pre { (printable(&pretty(&card.fit))) } }
        }
    }
}

fn history(trail: &Trail) -> Markup {
    let entries = trail.entries();
    html! {
        section.card {
            h2 { "History" }
            @if entries.is_empty() { p.muted { "Nothing was ever promoted here." } } @else {
                div.sheet tabindex="0" role="region" aria-label="History (scrolls)" {
                    table #history {
                        thead { tr { th.n scope="col" { "#" } th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Why" } } }
                        tbody { @for entry in entries.iter().rev().take(HISTORY) { (history_row(entry)) } }
                    }
                }
                @if entries.len() > HISTORY { p.muted { "The last " (HISTORY) " of " (entries.len()) "; " code { "host-trainer models history" } " shows all." } }
            }
        }
    }
}

fn history_row(Entry { number, value: p }: &Entry<Promotion>) -> Markup {
    let name = |digest: &store::Digest| registry::short(*digest);
    html! {
        tr {
            td.n { (number) }
            td.nowrap { (printable(&p.stamp.when)) }
            td { (printable(&p.stamp.who)) }
            td {
                @match p.action { Action::Promote => span.badge.on { "promote" }, Action::Rollback => span.badge.warn { "roll back" } }
                @if p.forced { " " span.badge.bad { "forced" } }
            }
            td.mono.small { @match &p.from { Some(from) => { (name(from)) }, None => "–" } }
            td.mono.small { (name(&p.to)) " · " (p.version) }
            td.wrap {
                (printable(p.reason.as_deref().unwrap_or_default()))
                @if let Some(c) = &p.comparison { div.muted.small { (figures(c)) } }
            }
        }
    }
}

/// The metrics that decided a promotion.
fn figures(c: &Comparison) -> String {
    let candidate = number(c.candidate.value, 3);
    match &c.deployed {
        Some(deployed) => format!("{} on {}: {candidate} against {}", c.metric.name(), c.on, number(deployed.value, 3)),
        None => format!("{} on {}: {candidate}; nothing was deployed", c.metric.name(), c.on),
    }
}
