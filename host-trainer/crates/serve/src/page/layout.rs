//! The layout of every page: head, navigation, footer, and formatting that all views share.

use super::assets::{ICON, SCRIPT, STYLE};
use maud::{DOCTYPE, Markup, html};
use shared::failure::printable;

/// The tabs of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    /// Engines.
    Predict,
    /// Two engines side by side.
    Compare,
    /// What is deployed.
    Models,
    /// Trials.
    Studies,
    /// Tasks and their workers.
    Batches,
    /// Signing in.
    None,
}

/// The frame of a page: what stands around its content.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Every device with the SHA-256 of its deployed models.
    pub(super) deployed: Vec<(String, String)>,
    /// The visitor.
    pub(super) visitor: Visitor,
}

/// The visitor of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visitor {
    /// The server asks for no tokens.
    Local,
    /// Has not signed in.
    Stranger,
    /// Has signed in, under a token's name.
    Known(String),
}

const TABS: [(Tab, &str, &str); 5] = [
    (Tab::Predict, "/", "Predict"),
    (Tab::Compare, "/compare", "Compare"),
    (Tab::Models, "/models", "Models"),
    (Tab::Studies, "/studies", "Studies"),
    (Tab::Batches, "/batches", "Batches"),
];

/// Events after which a page reloads its live sections.
const EVENTS: &str = "models models_refused study missed";

/// A whole page.
pub(super) fn page(frame: &Frame, tab: Tab, title: &str, main: &Markup) -> Markup {
    let events = (frame.visitor != Visitor::Stranger).then_some("/v1/events");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (printable(title)) " · Layerjoule" }
                link rel="icon" href=(ICON.path) type="image/svg+xml";
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body data-events=[events] data-event-types=(EVENTS) {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    div {
                        a.brand href="/" { (mark()) span { "Layerjoule" } }
                        nav aria-label="Main" {
                            @for (each, path, name) in TABS {
                                a href=(path) aria-current=[(each == tab).then_some("page")] { (name) }
                            }
                        }
                        @match &frame.visitor {
                            Visitor::Local => {}
                            Visitor::Stranger => a.link href="/login" { "Sign in" },
                            Visitor::Known(name) => form method="post" action="/logout" {
                                button.link type="submit" title=(printable(name)) { "Sign out" }
                            },
                        }
                    }
                }
                main #main tabindex="-1" { (main) }
                footer.foot {
                    div {
                        span { "host-trainer " (env!("CARGO_PKG_VERSION")) }
                        dl #deployed data-live { (deployed(&frame.deployed)) }
                    }
                }
                div.veil aria-hidden="true" { "Drop to predict" }
                div.toast #toast role="status" aria-live="polite" {}
            }
        }
    }
}

fn deployed(models: &[(String, String)]) -> Markup {
    html! {
        @for (device, digest) in models {
            div { dt { (printable(device)) } dd title=(digest) { (short(digest)) } }
        }
    }
}

fn mark() -> Markup {
    html! {
        svg viewBox="0 0 22 22" aria-hidden="true" {
            rect x="1" y="12" width="4" height="9" rx="1" {}
            rect x="6.4" y="5" width="4" height="16" rx="1" {}
            rect x="11.8" y="9" width="4" height="12" rx="1" {}
            rect x="17.2" y="1" width="4" height="20" rx="1" {}
        }
    }
}

/// The first digits of a digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Text with a capital first letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut sentence: String = chars.next().map(char::to_uppercase).into_iter().flatten().chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?', ':']) {
        sentence.push('.');
    }
    sentence
}

/// A number with a fixed count of decimals.
pub(super) use shared::figures::figure as number;

/// A number with about four digits.
pub(super) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        v if v >= 0.1 || v == 0.0 => 3,
        v if v >= 0.01 => 4,
        _ => return format!("{value:.3e}"),
    };
    format!("{value:.decimals$}")
}

/// The query of a link: the pairs whose value is not empty.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut serializer = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        serializer.append_pair(name, value);
    }
    serializer.finish()
}

/// A bar that fills a percentage of its width. Screen readers read the number beside it.
pub(super) fn share_bar(percent: f64) -> Markup {
    html! {
        svg.share viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(format!("{:.2}", percent.clamp(0.0, 100.0))) height="6" {}
        }
    }
}
