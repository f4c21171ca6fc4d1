//! The form that begins a batch, and the question before it.

use super::form_select::select;
use crate::batch_control::{BatchRequest, MOST_WORKERS};
use batch::grid::GridBatch;
use learn::fit::kinds::Kind;
use maud::{Markup, html};
use shared::failure::printable;

/// The form. `datasets` are those of batches, as `BATCH/NAME`.
pub(super) fn form(has_data: bool, datasets: &[String]) -> Markup {
    html! {
        form.drop method="post" action="/batches" enctype="multipart/form-data" data-drop {
            h2 { "Drop a grid" }
            p.muted {
                "JSON or TOML: a value or a list of values for each option. Every combination becomes a task of a batch that is worked on here. "
                "You see the number of tasks before anything starts."
            }
            @if !has_data && datasets.is_empty() { div.note-box.warn { p { "There is nothing to train on: start the server with " code { "--data DIR" } ", or generate a batch first." } } }
            div.cols.two {
                div.field { label for="file" { "Choose a file" } input #file type="file" name="file" accept=".json,.toml,.txt"; }
                div.field { label for="text" { "or write it" } textarea #text name="text" spellcheck="false" autocomplete="off" placeholder="mlp.hidden = [[16], [32, 32]]" {} }
            }
            div.inline {
                div.field { label for="data" { "Data" } select #data name="data" {
                    @if has_data { option value="" { "layers of this server" } }
                    @for name in datasets { option value=(name) { (printable(name)) } }
                } }
                (select("kind", "Model kind", Some("as the options say"), Kind::ALL.iter().map(|kind| kind.name())))
                div.field { label for="epochs" { "Epochs" } input #epochs type="number" name="epochs" min="1" max="100000" placeholder="100"; }
                div.field { label for="repeats" { "Networks of each" } input #repeats type="number" name="repeats" min="1" max="1000" value="1"; }
                div.field { label for="workers" { "Workers" } input #workers type="number" name="workers" min="1" max=(MOST_WORKERS) value="1"; }
                div.field { label for="device" { "Device" } input #device type="text" name="device" maxlength="100" autocomplete="off" spellcheck="false" placeholder="that of the data"; }
                div.field { label for="samples" { "Rows of each table" } input #samples type="number" name="samples" min="1" placeholder="all"; }
                div.field { label for="description" { "Description" } input #description type="text" name="description" maxlength="200" autocomplete="off"; }
                button.primary type="submit" data-busy="Checking…" { "Check" }
            }
        }
    }
}

/// The question before a batch begins.
pub(super) fn question(request: &BatchRequest, checked: &GridBatch) -> Markup {
    let text = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    html! {
        p.small { a href="/batches" { "Batches" } }
        h1 { (checked.tasks) @if checked.tasks == 1 { " task" } @else { " tasks" } }
        p.muted { "On " @if request.data.is_empty() { "the layers of this server" } @else { code { (printable(&request.data)) } }
            ", by " (request.workers.unwrap_or(1)) " workers of this machine. One task is tried first, to see that all fit." }
        div.card {
            h2 { "Configuration" }
            pre { (printable(&checked.configuration)) }
        }
        form.card method="post" action="/batches/begin" {
            input type="hidden" name="file" value=(request.file);
            textarea.hidden name="text" hidden readonly { "\n" (request.text) }
            input type="hidden" name="kind" value=(request.kind.map_or("", Kind::name));
            input type="hidden" name="data" value=(request.data);
            input type="hidden" name="device" value=(request.device.as_deref().unwrap_or_default());
            input type="hidden" name="samples" value=(text(request.samples.map(|rows| rows as u64)));
            input type="hidden" name="epochs" value=(text(request.epochs));
            input type="hidden" name="repeats" value=(text(request.repeats));
            input type="hidden" name="workers" value=(text(request.workers));
            input type="hidden" name="description" value=(request.description);
            div.row { button.primary type="submit" data-busy="Starting…" { "Start" } a.button href="/batches" { "Cancel" } }
        }
    }
}
