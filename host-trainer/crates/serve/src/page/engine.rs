//! An engine's prediction: totals, charts, and the table of its layers.

use super::engine_charts;
use super::engine_view::EngineView;
use super::layer_table;
use super::layout::{figure, number, query, sentence};
use super::upload_form;
use super::work;
use learn::predict::{Bounds, Source, Total, Totals};
use maud::{Markup, html};
use shared::engine::Diagnostic;
use shared::failure::printable;

/// Diagnostics listed. The rest is counted.
const DIAGNOSTICS: usize = 200;

impl EngineView<'_> {
    fn download(&self, extension: &str) -> String {
        let profile = if self.query.profile > 0 { self.query.profile.to_string() } else { String::new() };
        let query = query(&[("device", &self.prediction.device), ("profile", &profile)]);
        format!("/engines/{}.{extension}?{query}", self.id)
    }

    /// The page of the result.
    pub(super) fn render(&self) -> Markup {
        let device = &self.prediction.device;
        html! {
            div.head {
                div {
                    h1 { (printable(self.name)) }
                    p.muted {
                        (self.prediction.totals.layers) " layers · "
                        (work::macs(self.engine.layers.iter()).shown(charts::number)) " MACs · "
                        (work::parameters(self.engine.layers.iter()).shown(charts::number)) " parameters"
                    }
                }
                div.row.actions {
                    a.button href=(self.download("csv")) download { "CSV" }
                    a.button href=(self.download("json")) download { "JSON" }
                    a.button href=(format!("/engines/{}/modes?{}", self.id, query(&[("device", device)]))) { "Power modes…" }
                    a.button href=(format!("/compare?{}", query(&[("a", self.id), ("device", device)]))) { "Compare…" }
                    button type="button" data-copy=(self.link(device, None, 1)) hidden { "Copy link" }
                }
            }
            @if self.devices.len() > 1 {
                nav aria-label="Device" {
                    ul.tabs {
                        @for (name, _) in self.devices {
                            li { a href=(self.link(name, None, 1)) aria-current=[(name == device).then_some("true")] { (printable(name)) } }
                        }
                    }
                }
                p {}
            }
            section #result data-live aria-label="Prediction" {
                (tiles(&self.prediction.totals))
                (self.warnings())
                div.card { (engine_charts::in_order(&self.prediction.layers, self.cost())) }
                div.cols.two {
                    div.card { (engine_charts::by_kind(&self.prediction.layers, self.cost())) }
                    div.card { (engine_charts::roofline(self.engine, &self.prediction.layers, self.roofline)) }
                }
                (layer_table::render(self))
                @if self.devices.len() > 1 { (self.device_table()) }
            }
            section aria-label="Another engine" { (upload_form::form(Some(device), true)) }
        }
    }

    fn warnings(&self) -> Markup {
        let shown: Vec<&Diagnostic> = self.diagnostics.iter().take(DIAGNOSTICS).collect();
        let corrections = self.prediction.corrections.iter().map(|c| format!("not in the totals: {}", c.sentence()));
        let warnings: Vec<String> = self.prediction.warnings.iter().cloned().chain(corrections).collect();
        html! {
            (warning_box(&warnings))
            @if self.diagnostics.len() > 5 {
                div.note-box {
                    details #diagnostics {
                        summary { (self.diagnostics.len()) " diagnostics of the engine info" }
                        ul { @for diagnostic in &shown { li.wrap { (printable(&diagnostic.to_string())) } } }
                        @if shown.len() < self.diagnostics.len() { p.muted { "The first " (shown.len()) " of " (self.diagnostics.len()) "." } }
                    }
                }
            }
        }
    }

    fn device_table(&self) -> Markup {
        let bounds =
            |b: Option<Bounds>| b.map_or_else(String::new, |b| format!("{} – {}", figure(b.lower), figure(b.upper)));
        html! {
            section.card #devices {
                h2 { "On every device" }
                div.sheet tabindex="0" role="region" aria-label="Totals on every device (scrolls)" {
                    table {
                        thead { tr {
                            th scope="col" { "Device" } th.n scope="col" { "Run time ms" } th.n.wide scope="col" { "Interval" }
                            th.n scope="col" { "Energy mJ" } th.n.wide scope="col" { "Interval" } th.n scope="col" { "Power W" } th.n scope="col" { "By models %" }
                        } }
                        tbody { @for (name, totals) in self.devices {
                            tr.current[*name == self.prediction.device] {
                                th scope="row" { a href=(self.link(name, None, 1)) { (printable(name)) } }
                                @match totals {
                                    Ok(t) => {
                                        td.n { (t.runtime.shown(|t| figure(t.0))) }
                                        td.n.wide.muted { (bounds(t.runtime_bounds)) }
                                        td.n { (t.energy.shown(|e| figure(e.0))) }
                                        td.n.wide.muted { (bounds(t.energy_bounds)) }
                                        td.n { (number(t.average_power().map(|p| p.0), 2)) }
                                        td.n { (number(t.runtime_modelled_percent, 1)) }
                                    }
                                    Err(why) => td colspan="6" { (sentence(&printable(why))) },
                                }
                            }
                        } }
                    }
                }
            }
        }
    }
}

/// What to know before trusting numbers; nothing without a warning.
pub(super) fn warning_box(warnings: &[String]) -> Markup {
    html! {
        @if !warnings.is_empty() {
            div.note-box.warn {
                details #warnings open[warnings.len() <= 4] {
                    summary { "What to know before trusting these numbers (" (warnings.len()) ")" }
                    ul { @for warning in warnings { li.wrap { (sentence(&printable(warning))) } } }
                }
            }
        }
    }
}

/// The totals as large figures.
fn tiles(totals: &Totals) -> Markup {
    let runtime = totals.runtime.whole().map(|t| t.0).filter(|t| *t > 0.0);
    let rate = runtime.map_or_else(String::new, |t| format!("{} inferences a second back to back", figure(1000.0 / t)));
    let sources: Vec<String> = [Source::Model, Source::Roofline, Source::Free, Source::Unmodelled]
        .iter()
        .filter_map(|s| totals.layers_by_source.get(s.name()).map(|n| format!("{n} {}", s.name())))
        .collect();
    html! {
        dl.tiles {
            (sum("Energy of one inference", &totals.energy, |e| e.0, totals.energy_bounds, "mJ"))
            (sum("Run time", &totals.runtime, |t| t.0, totals.runtime_bounds, "ms"))
            div {
                dt { "Average power" }
                dd.value { (number(totals.average_power().map(|p| p.0), 2)) span.unit { "W" } }
                dd.note { (rate) }
            }
            div {
                dt { "Run time from models" }
                dd.value { (number(totals.runtime_modelled_percent, 1)) span.unit { "%" } }
                dd.note { (sources.join(", ")) }
            }
        }
    }
}

/// A sum as a large figure: with its interval, or with what it lacks.
fn sum<U: Copy>(name: &str, total: &Total<U>, value: impl Fn(U) -> f64, bounds: Option<Bounds>, unit: &str) -> Markup {
    let missing = total.missing_layers();
    let note = match (bounds, total.at_least()) {
        (Some(b), _) => format!("{:.0} %: {} to {} {unit}", 100.0 * b.level, figure(b.lower), figure(b.upper)),
        (None, Some(_)) if total.is_whole() => "no interval: the models come without one".to_owned(),
        (None, Some(_)) => format!("{missing} layers are not predicted"),
        (None, None) => "not known; the notes below say why".to_owned(),
    };
    html! {
        div {
            dt { (name) }
            dd.value { (total.shown(|sum| figure(value(sum)))) @if total.at_least().is_some() { span.unit { (unit) } } }
            dd.note { (note) }
        }
    }
}
