//! A choice by name in a form.

use maud::{Markup, html};

/// A choice by name. The first entry is the default.
pub(super) fn select(id: &str, label: &str, usual: Option<&str>, names: impl Iterator<Item = &'static str>) -> Markup {
    html! {
        div.field { label for=(id) { (label) } select id=(id) name=(id) {
            @if let Some(usual) = usual { option value="" { (usual) } }
            @for name in names { option value=(name) { (name) } }
        } }
    }
}
