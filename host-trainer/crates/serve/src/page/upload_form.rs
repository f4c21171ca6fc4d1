//! The form that takes an engine, dropped, chosen or pasted, and the start page.

use super::layout::{query, short};
use maud::{Markup, html};
use shared::failure::printable;
use simulate::architectures::NAMES;

/// An engine that was uploaded before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecentEngine {
    /// SHA-256 of the file.
    pub(super) id: String,
    /// The name of the uploaded file.
    pub(super) name: String,
    /// The number of its layers.
    pub(super) layers: usize,
}

/// The form. `again` where it follows a result.
pub(super) fn form(device: Option<&str>, again: bool) -> Markup {
    html! {
        form.drop method="post" action="/engines" enctype="multipart/form-data" data-drop {
            h2 { @if again { "Another engine" } @else { "Drop an engine info or an ONNX graph anywhere" } }
            p.muted {
                "The JSON that " code { "trtexec --exportLayerInfo" } " or TensorRT's engine inspector wrote, or a network as ONNX: its layers "
                "are listed as TensorRT would likely fuse them in FP16. It stays on this machine."
            }
            @if let Some(device) = device { input type="hidden" name="device" value=(device); }
            div.cols.two {
                div.field {
                    label for="file" { "Choose a file" }
                    input #file type="file" name="file" accept=".json,.txt,.onnx,application/json" multiple;
                    span.hint { "Two files are compared with each other." }
                }
                div.field {
                    label for="text" { "or paste its text" }
                    textarea #text name="text" spellcheck="false" autocomplete="off" {}
                }
            }
            button.primary type="submit" data-busy="Predicting…" { "Predict" }
        }
    }
}

/// The start page.
pub(super) fn start(recent: &[RecentEngine], device: Option<&str>) -> Markup {
    html! {
        div.head {
            div {
                h1 { "What does this engine cost on a Jetson?" }
                p.muted { "Run time, power and energy of every layer, predicted before the board is on the desk." }
            }
        }
        (form(device, false))
        div.cols.two {
            section.card {
                h2 { "Try one of these" }
                p.muted { "Well-known networks at 224 × 224, FP16, as TensorRT fuses them." }
                form.row method="post" action="/engines" enctype="multipart/form-data" {
                    @if let Some(device) = device { input type="hidden" name="device" value=(device); }
                    @for name in NAMES { button type="submit" name="sample" value=(name) { (name) } }
                }
            }
            section.card {
                h2 { "Seen lately" }
                @if recent.is_empty() {
                    p.muted { "Nothing yet. What you drop is kept here, so that a link to its result opens again." }
                } @else {
                    table {
                        thead { tr { th scope="col" { "Engine" } th.n scope="col" { "Layers" } th scope="col" { "Id" } } }
                        tbody { @for engine in recent {
                            tr {
                                td.wrap { a href=(format!("/engines/{}", engine.id)) { (printable(&engine.name)) } }
                                td.n { (engine.layers) }
                                td.mono.small { a href=(format!("/compare?{}", query(&[("a", &engine.id)]))) title="Compare" { (short(&engine.id)) } }
                            }
                        } }
                    }
                }
            }
        }
    }
}
