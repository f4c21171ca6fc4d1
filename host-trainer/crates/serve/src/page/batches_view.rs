//! The view of the list of batches, and what a batch's view shares with it.

use super::layout::{figure, sentence};
use crate::batches::{List, Standing};
use batch::status::Counts;
use maud::{Markup, html};
use shared::failure::printable;
use shared::figures::duration;

/// Seconds after which a page about batches looks again: their workers are other processes, which tell the server nothing.
pub(super) const LOOK_AGAIN_S: u32 = 5;

/// The link to a batch.
pub(super) fn link(name: &str) -> String {
    let part: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/batches/{}", part.replace('+', "%20"))
}

/// The progress of a batch as a bar.
pub(super) fn bar(counts: &Counts) -> Markup {
    html! { progress max=(counts.all().max(1)) value=(counts.done) aria-label="Tasks done" { (counts.done) } }
}

/// The states of tasks that there are, in words.
pub(super) fn states(counts: &Counts) -> Markup {
    let all = [
        (counts.running, "running", "badge warn"),
        (counts.pending, "pending", "badge"),
        (counts.done, "done", "badge on"),
        (counts.failed, "failed", "badge bad"),
        (counts.lost, "lost", "badge bad"),
        (counts.cancelled, "cancelled", "badge"),
    ];
    html! { @for (count, state, class) in all { @if count > 0 { span class=(class) { (count) " " (state) } " " } } }
}

/// The list of batches, the newest first.
pub(super) fn render(list: &List, form: &Markup) -> Markup {
    let List { batches, older, wrong } = list;
    html! {
        div.head { div {
            h1 { "Batches" }
            p.muted { "Many trainings as tasks, worked on by processes here or on other machines." }
        } }
        section #batches data-live data-look-again=(LOOK_AGAIN_S) aria-label="Batches" {
            @for failure in wrong { div.note-box.error role="alert" { p { (sentence(&printable(&failure.message))) } } }
            div.card {
                @if batches.is_empty() {
                    p { "No batches yet. Drop a grid below, or run " code { "host-trainer batch generate" } "; " code { "--batches DIR" } " says where they lie." }
                } @else {
                    div.sheet tabindex="0" role="region" aria-label="Batches (scrolls)" {
                        table {
                            thead { tr { th scope="col" { "Batch" } th scope="col" { "Tasks" } th scope="col" { "Progress" } th.n scope="col" { "Workers" } th.n scope="col" { "Best" } th.n scope="col" { "Left" } th scope="col" { "Description" } } }
                            tbody { @for (name, standing) in batches { (row(name, standing)) } }
                        }
                    }
                    @if *older > 0 { p.muted { (older) " older ones are not listed." } }
                }
            }
        }
        (form)
    }
}

fn row(name: &str, standing: &Standing) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(link(name)) { (printable(name)) } }
            @match standing.as_ref() {
                Ok(status) => {
                    td { (states(&status.counts)) }
                    td { (bar(&status.counts)) }
                    td.n { (status.workers.len()) }
                    td.n { (status.best.values().copied().reduce(f64::min).map_or_else(|| "–".to_owned(), figure)) }
                    td.n { (duration(status.seconds_left)) }
                    td { (printable(&status.description)) }
                }
                Err(failure) => td.bad colspan="6" { "Its tasks cannot be read: " (printable(&failure.message)) }
            }
        }
    }
}
