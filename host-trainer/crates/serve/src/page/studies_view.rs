//! The views of the list of studies, the form that begins one, and the question before it.

use super::form_select::select;
use super::layout::{figure, sentence};
use super::study_view::{badge, bar, link};
use crate::studies::{CheckedStudy, QueueStatus, StudyRequest};
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use maud::{Markup, html};
use shared::failure::printable;
use shared::figures::known;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::studies::{Progress, Study};

/// The quantities that a study can be about.
pub(super) const TARGETS: [Measurand; 3] = [Measurand::Runtime, Measurand::Power, Measurand::Energy];

/// The list of studies, and the form that begins another.
pub(super) fn list(studies: &[(Study, Progress)], status: &QueueStatus, has_data: bool, devices: &[String]) -> Markup {
    html! {
        div.head { div {
            h1 { "Studies" }
            p.muted { "Searches for a model's best options, trial by trial, judged on networks held out." }
        } }
        section #studies data-live aria-label="Studies" {
            @if let Some((name, why)) = &status.failure {
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
                                    td { (badge(status.state(&study.name, progress))) }
                                    td { (study.specification.sampler.name()) }
                                    td.n { (progress.counts.finished()) " of " (progress.trials) }
                                    td { (bar(progress)) }
                                    td.n { (known(progress.best.as_ref().and_then(|best| best.value), figure)) }
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

/// The question before a study begins.
pub(super) fn question(request: &StudyRequest, checked: &CheckedStudy) -> Markup {
    let specification = &checked.specification;
    let space = toml::to_string(&specification.space).unwrap_or_default();
    html! {
        p.small { a href="/studies" { "Studies" } }
        h1 { (checked.trials) @if checked.trials == 1 { " trial" } @else { " trials" } }
        p.muted { "Study " code { (checked.name) } ", chosen by " (specification.sampler.name())
            @if specification.pruner != Pruner::None { ", given up early by " (specification.pruner.name()) }
            @if let Some(rows) = request.samples { ", on " (rows) " rows of each table" }
            ". Each trial fits models on folds cut by network." }
        div.card {
            h2 { "What is searched" }
            pre { (printable(&space)) }
            h2 { "What is minimised" }
            pre { (printable(&toml::to_string(&specification.objective).unwrap_or_default())) }
        }
        form.card method="post" action="/studies/begin" {
            input type="hidden" name="file" value=(request.file);
            textarea.hidden name="text" hidden readonly { "\n" (request.text) }
            input type="hidden" name="kind" value=(request.kind.map_or("", Kind::name));
            input type="hidden" name="target" value=(request.target.map_or("", |target| target.name()));
            input type="hidden" name="device" value=(request.device.as_deref().unwrap_or_default());
            input type="hidden" name="sampler" value=(request.sampler.map_or("", Sampler::name));
            input type="hidden" name="pruner" value=(request.pruner.map_or("", Pruner::name));
            input type="hidden" name="trials" value=(request.trials.map_or_else(String::new, |trials| trials.to_string()));
            input type="hidden" name="samples" value=(request.samples.map_or_else(String::new, |rows| rows.to_string()));
            div.row { button.primary type="submit" data-busy="Starting…" { "Start" } a.button href="/studies" { "Cancel" } }
        }
    }
}
