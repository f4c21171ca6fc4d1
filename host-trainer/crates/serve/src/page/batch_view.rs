//! The view of one batch: its tasks by state, its workers, how training goes, and its results.

use super::batches_view::{LOOK_AGAIN_S, bar, link, states};
use super::layout::{figure, short};
use crate::batch_control::MOST_WORKERS;
use crate::batches::{LISTED_TASKS, Told};
use batch::Unfinished;
use batch::status::{Shown, Status, TaskStatus};
use maud::{Markup, html};
use shared::failure::printable;
use shared::figures::duration;
use std::collections::HashMap;

/// Running tasks whose losses are drawn.
const DRAWN: usize = 8;
/// Workers listed.
const WORKERS: usize = 200;

/// The page of one batch.
pub(super) fn render(told: &Told) -> Markup {
    let Told { batch, status, unfinished } = told;
    let tasks: HashMap<&str, &TaskStatus> = status.tasks.iter().map(|task| (task.row.id.as_str(), task)).collect();
    let kept: HashMap<&str, &Unfinished> = unfinished.iter().map(|one| (one.task.as_str(), one)).collect();
    html! {
        // Outside what is looked at again: a number that somebody types stays.
        div.head {
            div {
                p.small { a href="/batches" { "Batches" } }
                h1 { (printable(&status.name)) }
                p.muted { @if !status.description.is_empty() { (printable(&status.description)) "; " } "for " (printable(&status.engine)) }
            }
            (actions(status))
        }
        section #batch data-live data-look-again=(LOOK_AGAIN_S) aria-label="Progress" {
            (tiles(status))
            (workers(status, &tasks, &kept))
            (models(status))
            (running(told))
            (trouble(told))
            @if !status.results.is_empty() {
                h2 { "Results" }
                div.cols.two { @for chart in report::result_charts("results", batch, &status.results) { div.card { (chart) } } }
            }
        }
    }
}

/// Starting workers where tasks are open, and stopping those that were started.
fn actions(status: &Status) -> Markup {
    html! {
        div.row.actions {
            @if status.counts.open() > 0 {
                form.inline method="post" action=(link(&status.name) + "/start") {
                    div.field { label for="workers-to-start" { "Workers" } input #workers-to-start type="number" name="workers" min="1" max=(MOST_WORKERS) value="1"; }
                    button.primary type="submit" data-busy="Starting…" { "Start" }
                }
            }
            @if status.counts.open() > 0 && !status.submissions.is_empty() {
                form method="post" action=(link(&status.name) + "/stop") { button.danger type="submit" data-busy="Stopping…" { "Stop" } }
            }
        }
    }
}

fn tiles(status: &Status) -> Markup {
    let counts = &status.counts;
    let best = status.best.iter().min_by(|a, b| a.1.total_cmp(b.1));
    html! {
        dl.tiles {
            div { dt { "Tasks" } dd.value { (counts.done) span.unit { "of " (counts.all()) } } dd { (bar(counts)) } }
            div { dt { "Best so far" } dd.value { (best.map_or_else(|| "–".to_owned(), |(_, score)| figure(*score))) } dd.note { @if let Some((label, _)) = best { (printable(label)) } @else { "no task is done yet" } } }
            div { dt { "States" } dd.note { (states(counts)) } }
            div { dt { "Left" } dd.value { (duration(status.seconds_left)) } dd.note { (status.workers.len()) @if status.workers.len() == 1 { " worker" } @else { " workers" } } }
        }
    }
}

/// A time since something, by the clock that stamped both.
fn ago(seen_ms: i64, silent_s: i64, at_ms: i64) -> String {
    duration(Some(silent_s.max(0) as f64 + (seen_ms - at_ms).max(0) as f64 / 1e3))
}

fn workers(status: &Status, tasks: &HashMap<&str, &TaskStatus>, kept: &HashMap<&str, &Unfinished>) -> Markup {
    html! {
        section.card {
            h2 { "Workers" }
            @if status.workers.is_empty() { p.muted { "None is registered. Start some above, or by " code { "host-trainer batch submit" } "; " code { "batch work" } " is one." } } @else {
                div.sheet tabindex="0" role="region" aria-label="Workers (scrolls)" {
                    table #workers {
                        thead { tr { th scope="col" { "Worker" } th.n scope="col" { "Registered" } th.n scope="col" { "Last seen" } th scope="col" { "Works on" } th.n scope="col" { "Epoch" } } }
                        tbody { @for worker in status.workers.iter().take(WORKERS) {
                            tr {
                                th scope="row" { (printable(&worker.owner)) }
                                td.n { (worker.since_ms.map_or_else(|| "–".to_owned(), |since| format!("{} ago", ago(worker.seen_ms, worker.silent_s, since)))) }
                                td.n { (duration(Some(worker.silent_s.max(0) as f64))) " ago" }
                                @match &worker.task {
                                    None => { td.muted { "waits" } td.n { "–" } }
                                    Some(task) => {
                                        td { @if let Some(found) = tasks.get(task.as_str()) { (printable(&found.label)) " " } code { (printable(short(task))) } }
                                        td.n { (kept.get(task.as_str()).map_or_else(|| "–".to_owned(), |kept| kept.epochs.to_string())) }
                                    }
                                }
                            }
                        } }
                    }
                }
                @if status.workers.len() > WORKERS { p.muted { "The first " (WORKERS) " of " (status.workers.len()) "." } }
                p.muted { "Epochs as workers kept them last. A worker that was ended by force stays listed; its task counts as lost." }
            }
        }
    }
}

fn models(status: &Status) -> Markup {
    html! {
        section.card {
            h2 { "Models" }
            div.sheet tabindex="0" role="region" aria-label="Models (scrolls)" {
                table {
                    thead { tr { th scope="col" { "Class and architecture" } th scope="col" { "Tasks" } th scope="col" { "Progress" } th.n scope="col" { "Best" } } }
                    tbody { @for (label, counts) in &status.models {
                        tr {
                            th scope="row" { (printable(label)) }
                            td { (states(counts)) }
                            td { (bar(counts)) }
                            td.n { (status.best.get(label).map_or_else(|| "–".to_owned(), |best| figure(*best))) }
                        }
                    } }
                }
            }
        }
    }
}

/// The losses of tasks that run.
fn running(told: &Told) -> Markup {
    let charts: Vec<Markup> = told
        .running()
        .filter(|(_, one)| !one.losses.is_empty())
        .take(DRAWN)
        .enumerate()
        .filter_map(|(number, (task, one))| {
            let title = format!("Loss of {}, task {}, {} epochs so far", task.label, short(&one.task), one.epochs);
            report::losses_so_far(&format!("running-{number}"), &title, &one.losses)
        })
        .collect();
    html! {
        @if !charts.is_empty() {
            h2 { "Running" }
            div #running.cols.two { @for chart in &charts { div.card { (chart) } } }
        }
    }
}

/// Tasks that nothing will come of without somebody's help, and why.
fn trouble(told: &Told) -> Markup {
    let count = told.trouble().count();
    html! {
        @if count > 0 {
            section.card {
                h2 { "Failed and lost" }
                div.sheet tabindex="0" role="region" aria-label="Failed and lost tasks (scrolls)" {
                    table {
                        thead { tr { th scope="col" { "Task" } th scope="col" { "State" } th scope="col" { "Worker" } th scope="col" { "Reason" } } }
                        tbody { @for task in told.trouble().take(LISTED_TASKS) {
                            tr {
                                th scope="row" { (printable(&task.label)) " " code { (printable(short(&task.row.id))) } }
                                td { @if task.shown == Shown::Failed { "failed" } @else { "lost" } }
                                td { (printable(task.row.owner.as_deref().unwrap_or("–"))) }
                                td.wrap { (printable(task.row.reason.as_deref().unwrap_or("–"))) }
                            }
                        } }
                    }
                }
                @if count > LISTED_TASKS { p.muted { "The first " (LISTED_TASKS) " of " (count) "." } }
            }
        }
    }
}
