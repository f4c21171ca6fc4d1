//! The view of one study: its progress, its best trial, its trials, and the error by option.

use super::layout::{figure, number, sentence};
use crate::studies::QueueStatus;
use maud::{Markup, html};
use shared::failure::printable;
use shared::figures::known;
use tune::studies::{Progress, Study, Trial, TrialState};

/// Trials listed. The API returns all.
const LISTED: usize = 200;

/// The link to a study.
pub(super) fn link(name: &str) -> String {
    let part: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/studies/{part}")
}

/// The progress of a study as a bar.
pub(super) fn bar(progress: &Progress) -> Markup {
    html! { progress max=(progress.trials.max(1)) value=(progress.counts.finished()) aria-label="Trials done" { (progress.counts.finished()) } }
}

/// The state of a study as a badge.
pub(super) fn badge(state: &str) -> Markup {
    html! { @match state {
        "done" | "running" | "running elsewhere" => span.badge.on { (state) },
        "waiting" => span.badge.warn { (state) },
        _ => span.badge { (state) },
    } }
}

/// The page of one study.
pub(super) fn render(study: &Study, progress: &Progress, trials: &[Trial], status: &QueueStatus) -> Markup {
    let state = status.state(&study.name, progress);
    let open = matches!(state, "running" | "waiting");
    html! {
        section #study data-live aria-label="Progress" {
            div.head {
                div {
                    p.small { a href="/studies" { "Studies" } }
                    h1 { (printable(&study.name)) " " (badge(state)) }
                    p.muted { "Chosen by " (study.specification.sampler.name()) "; seed " (study.specification.seed) }
                }
                div.row.actions {
                    @if open { form method="post" action=(link(&study.name) + "/stop") { button.danger type="submit" data-busy="Stopping…" { "Stop" } } }
                    @else if state != "done" { form method="post" action=(link(&study.name) + "/start") { button.primary type="submit" data-busy="Starting…" { "Start" } } }
                }
            }
            @if let Some((_, why)) = status.failure.as_ref().filter(|(name, _)| *name == study.name) {
                div.note-box.error role="alert" { p { strong { "It could not go on. " } (sentence(&printable(why))) } }
            }
            (tiles(progress))
            @if let Some(best) = &progress.best { (best_card(best)) }
            div.card { (report::history("history", "error", trials)) }
            div.cols.two { @for chart in report::options("option", "error", trials) { div.card { (chart) } } }
            (table(trials))
        }
    }
}

fn tiles(progress: &Progress) -> Markup {
    let counts = &progress.counts;
    html! {
        dl.tiles {
            div { dt { "Trials" } dd.value { (counts.finished()) span.unit { "of " (progress.trials) } } dd { (bar(progress)) } }
            div { dt { "Best so far" } dd.value { (known(progress.best.as_ref().and_then(|b| b.value), figure)) } dd.note { @if let Some(best) = &progress.best { "trial " (best.number) } @else { "no trial is complete yet" } } }
            div { dt { "Complete" } dd.value { (counts.complete) } dd.note { (counts.running) " running, " (counts.waiting) " waiting" } }
            div { dt { "Given up" } dd.value { (counts.pruned) } dd.note { (counts.failed) " failed" } }
        }
    }
}

fn best_card(best: &Trial) -> Markup {
    html! {
        section.card {
            h2 { "Best options" }
            dl.facts { @for (name, value) in &best.parameters { dt.mono.small { (printable(name)) } dd.mono { (printable(&value.to_string())) } } }
        }
    }
}

fn table(trials: &[Trial]) -> Markup {
    let options_of =
        |t: &Trial| t.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
    html! {
        section.card {
            h2 { "Trials" }
            @if trials.is_empty() { p.muted { "None yet. They appear here as they run." } } @else {
                div.sheet tabindex="0" role="region" aria-label="Trials (scrolls)" {
                    table #trials {
                        thead { tr { th.n scope="col" { "#" } th scope="col" { "State" } th.n scope="col" { "Error" } th.n.wide scope="col" { "Seconds" } th scope="col" { "Options" } } }
                        tbody { @for trial in trials.iter().rev().take(LISTED) {
                            tr {
                                td.n { (trial.number) }
                                td { (trial_badge(trial.state)) }
                                td.n { (known(trial.value, figure)) }
                                td.n.wide { (number(trial.started_ms.zip(trial.finished_ms).map(|(from, to)| (to - from) as f64 / 1000.0), 1)) }
                                td.mono.small.wrap { (printable(&options_of(trial))) @if let Some(reason) = &trial.reason { div.bad { (printable(reason)) } } }
                            }
                        } }
                    }
                }
                @if trials.len() > LISTED { p.muted { "The last " (LISTED) " of " (trials.len()) "." } }
            }
        }
    }
}

fn trial_badge(state: TrialState) -> Markup {
    html! { @match state {
        TrialState::Complete => span.badge.on { (state.name()) },
        TrialState::Running => span.badge.warn { (state.name()) },
        TrialState::Failed => span.badge.bad { (state.name()) },
        _ => span.badge { (state.name()) },
    } }
}
