//! Studies: trials as they run, the best so far, what each option does to the error.

use super::layout::{figure, sentence};
use super::study_routes::TARGETS;
use crate::studies::{Checked, Order, Situation};
use charts::{Axis, Plot, Point};
use learn::fit::kinds::Kind;
use maud::{Markup, html};
use shared::failure::printable;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::studies::{Progress, Study, Trial, TrialState};

/// Trials listed; the API has all.
const LISTED: usize = 200;
/// Options plotted.
const PLOTTED: usize = 8;

/// The link to a study.
pub(super) fn link(name: &str) -> String {
    let part: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/studies/{part}")
}

/// The list, and the form that begins another.
pub(super) fn list(studies: &[(Study, Progress)], situation: &Situation, has_data: bool, devices: &[String]) -> Markup {
    html! {
        div.head { div {
            h1 { "Studies" }
            p.muted { "Searches for a model's best options, trial by trial, judged on networks held out." }
        } }
        section #studies data-live aria-label="Studies" {
            @if let Some((name, why)) = &situation.failure {
                div.note-box.error role="alert" { p { strong { (printable(name)) " could not go on. " } (sentence(&printable(why))) } }
            }
            div.card {
                @if studies.is_empty() {
                    p { "No studies yet. Drop a grid below, or run " code { "host-trainer tune" } " on the same database: its studies show here." }
                } @else {
                    div.sheet tabindex="0" role="region" aria-label="Studies (scrolls)" {
                        table {
                            thead { tr { th scope="col" { "Study" } th scope="col" { "State" } th scope="col" { "Chosen by" } th.n scope="col" { "Trials" } th scope="col" { "Progress" } th.n scope="col" { "Best" } } }
                            tbody { @for (study, progress) in studies {
                                tr {
                                    th scope="row" { a href=(link(&study.name)) { (printable(&study.name)) } }
                                    td { (badge(situation.state(&study.name, progress))) }
                                    td { (study.specification.sampler.name()) }
                                    td.n { (progress.counts.finished()) " of " (progress.trials) }
                                    td { (bar(progress)) }
                                    td.n { (progress.best.as_ref().and_then(|best| best.value).map_or_else(|| "–".to_owned(), figure)) }
                                }
                            } }
                        }
                    }
                }
            }
        }
        (form(has_data, devices))
    }
}

fn bar(progress: &Progress) -> Markup {
    html! { progress max=(progress.trials.max(1)) value=(progress.counts.finished()) aria-label="Trials done" { (progress.counts.finished()) } }
}

fn badge(state: &str) -> Markup {
    html! { @match state {
        "done" | "running" | "running elsewhere" => span.badge.on { (state) },
        "waiting" => span.badge.warn { (state) },
        _ => span.badge { (state) },
    } }
}

fn form(has_data: bool, devices: &[String]) -> Markup {
    html! {
        form.drop method="post" action="/studies" enctype="multipart/form-data" data-drop {
            h2 { "Drop a grid or a search space" }
            p.muted {
                "JSON or TOML: a value or a list of values for each option is a grid, " code { "{ low = …, high = … }" } " a range to search. "
                "You see the number of trials before anything starts."
            }
            @if !has_data { div.note-box.warn { p { "This server was told of no training data: start it with " code { "--data DIR" } " to run studies here." } } }
            div.cols.two {
                div.field { label for="file" { "Choose a file" } input #file type="file" name="file" accept=".json,.toml,.txt"; }
                div.field { label for="text" { "or write it" } textarea #text name="text" spellcheck="false" autocomplete="off" placeholder="lasso.eps = [0.001, 0.01]" {} }
            }
            div.inline {
                (select("kind", "Model kind", Some("as the options say"), Kind::ALL.iter().map(|kind| kind.name())))
                (select("target", "Target", None, TARGETS.iter().map(|target| target.name())))
                div.field { label for="device" { "Device" } input #device type="text" name="device" list="devices" maxlength="100" autocomplete="off" spellcheck="false" placeholder="that of the data"; }
                datalist #devices { @for device in devices { option value=(device) {} } }
                (select("sampler", "Chosen by", Some("grid, or tpe for ranges"), Sampler::ALL.iter().map(|sampler| sampler.name())))
                (select("pruner", "Given up early by", None, Pruner::ALL.iter().map(|pruner| pruner.name())))
                div.field { label for="trials" { "Trials of a range" } input #trials type="number" name="trials" min="1" max="100000" value="20"; }
                div.field { label for="samples" { "Rows of each table" } input #samples type="number" name="samples" min="1" placeholder="all"; }
                button.primary type="submit" data-busy="Checking…" { "Check" }
            }
        }
    }
}

/// A choice by name; the first is taken where nobody chooses.
fn select(id: &str, label: &str, usual: Option<&str>, names: impl Iterator<Item = &'static str>) -> Markup {
    html! {
        div.field { label for=(id) { (label) } select id=(id) name=(id) {
            @if let Some(usual) = usual { option value="" { (usual) } }
            @for name in names { option value=(name) { (name) } }
        } }
    }
}

/// What would be begun.
pub(super) fn question(order: &Order, checked: &Checked) -> Markup {
    let specification = &checked.specification;
    let space = toml::to_string(&specification.space).unwrap_or_default();
    html! {
        p.small { a href="/studies" { "Studies" } }
        h1 { (checked.trials) @if checked.trials == 1 { " trial" } @else { " trials" } }
        p.muted { "Study " code { (checked.name) } ", chosen by " (specification.sampler.name())
            @if specification.pruner != Pruner::None { ", given up early by " (specification.pruner.name()) }
            @if let Some(rows) = order.samples { ", on " (rows) " rows of each table" }
            ". Each trial fits models on folds cut by network." }
        div.card {
            h2 { "What is searched" }
            pre { (printable(&space)) }
            h2 { "What is minimised" }
            pre { (printable(&toml::to_string(&specification.objective).unwrap_or_default())) }
        }
        form.card method="post" action="/studies/begin" {
            input type="hidden" name="file" value=(order.file);
            textarea.hidden name="text" hidden readonly { "\n" (order.text) }
            input type="hidden" name="kind" value=(order.kind.map_or("", Kind::name));
            input type="hidden" name="target" value=(order.target.map_or("", |target| target.name()));
            input type="hidden" name="device" value=(order.device.as_deref().unwrap_or_default());
            input type="hidden" name="sampler" value=(order.sampler.map_or("", Sampler::name));
            input type="hidden" name="pruner" value=(order.pruner.map_or("", Pruner::name));
            input type="hidden" name="trials" value=(order.trials.map_or_else(String::new, |trials| trials.to_string()));
            input type="hidden" name="samples" value=(order.samples.map_or_else(String::new, |rows| rows.to_string()));
            div.row { button.primary type="submit" data-busy="Starting…" { "Start" } a.button href="/studies" { "Cancel" } }
        }
    }
}

/// One study.
pub(super) fn study(study: &Study, progress: &Progress, trials: &[Trial], situation: &Situation) -> Markup {
    let state = situation.state(&study.name, progress);
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
            @if let Some((_, why)) = situation.failure.as_ref().filter(|(name, _)| *name == study.name) {
                div.note-box.error role="alert" { p { strong { "It could not go on. " } (sentence(&printable(why))) } }
            }
            (tiles(progress))
            @if let Some(best) = &progress.best { (best_card(best)) }
            div.cols.two {
                div.card { (history(trials)) }
                @for name in options(trials).iter().take(PLOTTED) { div.card { (option(name, trials)) } }
            }
            (table(trials))
        }
    }
}

fn tiles(progress: &Progress) -> Markup {
    let counts = &progress.counts;
    html! {
        dl.tiles {
            div { dt { "Trials" } dd.value { (counts.finished()) span.unit { "of " (progress.trials) } } dd { (bar(progress)) } }
            div { dt { "Best so far" } dd.value { (progress.best.as_ref().and_then(|b| b.value).map_or_else(|| "–".to_owned(), figure)) } dd.note { @if let Some(best) = &progress.best { "trial " (best.number) } @else { "no trial is complete yet" } } }
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

fn complete(trials: &[Trial]) -> impl Iterator<Item = (&Trial, f64)> {
    trials.iter().filter(|t| t.state == TrialState::Complete).filter_map(|t| Some((t, t.value?)))
}

fn history(trials: &[Trial]) -> Markup {
    let points: Vec<Point> = complete(trials)
        .map(|(t, value)| Point::named(format!("trial {}", t.number), t.number as f64, value))
        .collect();
    let mut best = f64::INFINITY;
    let so_far: Vec<Point> = complete(trials)
        .map(|(t, value)| {
            best = best.min(value);
            Point::new(t.number as f64, best)
        })
        .collect();
    Plot::new(
        "history",
        "Error by trial",
        "each point is a trial; the line is the best so far",
        Axis::linear("trial"),
        Axis::linear("error").including(0.0),
    )
    .points("trial", points)
    .line("best so far", so_far, false)
    .render()
}

/// Options that are numbers and differ between trials.
fn options(trials: &[Trial]) -> Vec<String> {
    let mut names: Vec<String> = trials.iter().flat_map(|t| t.parameters.keys().cloned()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &String| {
        let values: Vec<f64> = trials.iter().filter_map(|t| value_of(t, name)).collect();
        values.windows(2).any(|pair| pair[0].to_bits() != pair[1].to_bits())
    };
    names.into_iter().filter(differs).collect()
}

/// An option as a number: itself, or the sum of a list of widths.
fn value_of(trial: &Trial, name: &str) -> Option<f64> {
    match trial.parameters.get(name)? {
        toml::Value::Integer(value) => Some(*value as f64),
        toml::Value::Float(value) => Some(*value),
        toml::Value::Array(list) => {
            Some(list.iter().filter_map(|v| v.as_float().or(v.as_integer().map(|i| i as f64))).sum())
        }
        _ => None,
    }
}

fn option(name: &str, trials: &[Trial]) -> Markup {
    let values = || complete(trials).filter_map(|(t, error)| Some((t, value_of(t, name)?, error)));
    let (low, high) = values().fold((f64::INFINITY, 0.0_f64), |(low, high), (_, x, _)| (low.min(x), high.max(x)));
    let axis = if low > 0.0 && high / low > 50.0 { Axis::log(name) } else { Axis::linear(name) };
    let points = values().map(|(t, x, error)| Point::named(format!("trial {}", t.number), x, error)).collect();
    let title = format!("Error by {}", printable(name));
    Plot::new(&format!("option-{name}"), &title, "each point is a complete trial", axis, Axis::linear("error"))
        .points("trial", points)
        .render()
}

fn table(trials: &[Trial]) -> Markup {
    let said =
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
                                td.n { (trial.value.map_or_else(|| "–".to_owned(), figure)) }
                                td.n.wide { (trial.started_ms.zip(trial.finished_ms).map_or_else(|| "–".to_owned(), |(from, to)| format!("{:.1}", (to - from) as f64 / 1000.0))) }
                                td.mono.small.wrap { (printable(&said(trial))) @if let Some(reason) = &trial.reason { div.bad { (printable(reason)) } } }
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
