//! An engine's prediction: totals, charts, and the table of its layers.

use super::layout::{figure, number, query, sentence, share_bar};
use super::pictures::{self, Cost, looks};
use super::rows::{self, Order, PAGE_ROWS, Sort, arrange, kind_name, shape};
use super::upload;
use learn::model::Roofline;
use learn::predict::{Bounds, LayerPrediction, Prediction, Source, Totals};
use maud::{Markup, html};
use serde::Deserialize;
use shared::engine::{Diagnostic, Engine};
use shared::failure::printable;

/// Oddities listed in full; the rest is counted.
const ODDITIES: usize = 200;

/// What a link to a result says beside the engine.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Choice {
    /// The device; none: the default one.
    pub(super) device: Option<String>,
    /// The optimisation profile.
    #[serde(default)]
    pub(super) profile: usize,
    /// How layers are sorted.
    pub(super) sort: Option<Sort>,
    /// Which way.
    pub(super) order: Option<Order>,
    /// Only layers that hold this text.
    #[serde(default)]
    pub(super) q: String,
    /// Page of the table, from 1.
    #[serde(default)]
    pub(super) page: usize,
}

/// A prediction with what it was made from.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// SHA-256 of the file.
    pub(super) id: &'a str,
    /// The name it came under.
    pub(super) name: &'a str,
    /// What was read from it.
    pub(super) engine: &'a Engine,
    /// What was odd about it.
    pub(super) diagnostics: &'a [Diagnostic],
    /// The prediction on the chosen device.
    pub(super) prediction: &'a Prediction,
    /// The chosen device's roofline.
    pub(super) roofline: Option<&'a Roofline>,
    /// Totals on every device, or why there are none.
    pub(super) devices: &'a [(String, Result<Totals, String>)],
    /// What the link said.
    pub(super) choice: &'a Choice,
}

impl View<'_> {
    fn cost(&self) -> Cost {
        if self.prediction.totals.average_power_w.is_some() { Cost::Energy } else { Cost::Runtime }
    }

    fn sorting(&self) -> (Sort, Order) {
        let default = if self.cost() == Cost::Energy { Sort::Energy } else { Sort::Runtime };
        let sort = self.choice.sort.unwrap_or(default);
        (sort, self.choice.order.unwrap_or(sort.first()))
    }

    /// Whether any layer has an interval.
    fn bounded(&self) -> bool {
        self.prediction.layers.iter().any(|layer| layer.row.runtime_bounds.is_some())
    }

    /// A link to this result with something else about it.
    fn link(&self, device: &str, sorting: Option<(Sort, Order)>, page: usize) -> String {
        let (sort, order) = sorting.unzip();
        let profile = if self.choice.profile > 0 { self.choice.profile.to_string() } else { String::new() };
        let page = if page > 1 { page.to_string() } else { String::new() };
        let query = query(&[
            ("device", device),
            ("profile", &profile),
            ("sort", sort.map_or("", Sort::name)),
            ("order", order.map_or("", Order::name)),
            ("q", &self.choice.q),
            ("page", &page),
        ]);
        format!("/engines/{}?{query}", self.id)
    }

    fn download(&self, extension: &str) -> String {
        let profile = if self.choice.profile > 0 { self.choice.profile.to_string() } else { String::new() };
        let query = query(&[("device", &self.prediction.device), ("profile", &profile)]);
        format!("/engines/{}.{extension}?{query}", self.id)
    }

    /// The page's content.
    pub(super) fn render(&self) -> Markup {
        let device = &self.prediction.device;
        html! {
            div.head {
                div {
                    h1 { (printable(self.name)) }
                    p.muted {
                        (self.prediction.totals.layers) " layers · "
                        (charts::number(self.engine.macs() as f64)) " MACs · "
                        (charts::number(self.engine.parameters() as f64)) " parameters"
                    }
                }
                div.row.actions {
                    a.button href=(self.download("csv")) download { "CSV" }
                    a.button href=(self.download("json")) download { "JSON" }
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
                div.card { (pictures::in_order(&self.prediction.layers, self.cost())) }
                div.cols.two {
                    div.card { (pictures::by_kind(&self.prediction.layers, self.cost())) }
                    div.card { (pictures::roofline(self.engine, &self.prediction.layers, self.roofline)) }
                }
                (self.table())
                @if self.devices.len() > 1 { (self.device_table()) }
            }
            section aria-label="Another engine" { (upload::form(Some(device), true)) }
        }
    }

    fn warnings(&self) -> Markup {
        let shown: Vec<&Diagnostic> = self.diagnostics.iter().take(ODDITIES).collect();
        html! {
            @if !self.prediction.warnings.is_empty() {
                div.note-box.warn {
                    details #warnings open[self.prediction.warnings.len() <= 4] {
                        summary { "What to know before trusting these numbers (" (self.prediction.warnings.len()) ")" }
                        ul { @for warning in &self.prediction.warnings { li.wrap { (sentence(&printable(warning))) } } }
                    }
                }
            }
            @if self.diagnostics.len() > 5 {
                div.note-box {
                    details #oddities {
                        summary { (self.diagnostics.len()) " oddities of the file" }
                        ul { @for oddity in &shown { li.wrap { (printable(&oddity.to_string())) } } }
                        @if shown.len() < self.diagnostics.len() { p.muted { "The first " (shown.len()) " of " (self.diagnostics.len()) "." } }
                    }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        let (sort, order) = self.sorting();
        let rows = arrange(&self.prediction.layers, &self.choice.q, sort, order);
        let pages = rows.len().div_ceil(PAGE_ROWS).max(1);
        let page = self.choice.page.clamp(1, pages);
        let shown = &rows[(page - 1) * PAGE_ROWS..(page * PAGE_ROWS).min(rows.len())];
        let whole = shown.len() == self.prediction.layers.len();
        let looks = looks(&self.prediction.layers, self.cost());
        let total = self.cost().total(&self.prediction.totals);
        let power = self.prediction.totals.average_power_w.is_some();
        let decimals = if total > 1000.0 { 2 } else { 4 };
        let bounded = self.bounded();
        let head = |column: Sort, name: &str, class: &str| {
            let now = (column == sort).then_some(order);
            let next = now.map_or(column.first(), Order::flipped);
            let link = format!("{}#layers", self.link(&self.prediction.device, Some((column, next)), 1));
            html! {
                th.(class) scope="col" aria-sort=[now.map(Order::aria)] data-first=(column.first().aria()) { a href=(link) { (name) } }
            }
        };
        html! {
            section.card #layers {
                div.row.spread {
                    h2 { "Layers" }
                    form.inline method="get" action=(format!("/engines/{}", self.id)) role="search" {
                        input type="hidden" name="device" value=(self.prediction.device);
                        input type="hidden" name="sort" value=(sort.name());
                        input type="hidden" name="order" value=(order.name());
                        @if self.choice.profile > 0 { input type="hidden" name="profile" value=(self.choice.profile); }
                        label.sr for="filter" { "Only layers that hold" }
                        input #filter type="search" name="q" value=(printable(&self.choice.q)) placeholder="Filter by name or kind" data-filter="layer-table";
                        button type="submit" { "Filter" }
                    }
                }
                p.muted.small #filter-count role="status" {
                    @if !self.choice.q.trim().is_empty() { (rows.len()) " of " (self.prediction.layers.len()) " layers. " a href=(self.link_without_filter()) { "Show all" } }
                    @else if pages > 1 { "Rows " ((page - 1) * PAGE_ROWS + 1) " to " ((page - 1) * PAGE_ROWS + shown.len()) " of " (rows.len()) }
                }
                @if rows.is_empty() {
                    p { "No layer holds “" (printable(self.choice.q.trim())) "”." }
                } @else {
                    div.sheet tabindex="0" role="region" aria-label="Layers (scrolls)" {
                        table #layer-table data-sortable=[whole.then_some("")] {
                            caption.sr { "Layers, sorted by " (sort.name()) ", " (order.aria()) }
                            thead { tr {
                                (head(Sort::Index, "#", "n wide"))
                                (head(Sort::Name, "Layer", ""))
                                (head(Sort::Kind, "Kind", "wide"))
                                (head(Sort::Runtime, "Run time ms", "n"))
                                @if bounded { th.n.wide scope="col" { "Interval ms" } }
                                @if power { (head(Sort::Power, "Power W", "n")) (head(Sort::Energy, "Energy mJ", "n")) }
                                th.n.wide scope="col" { "Share %" }
                                th.wide scope="col" { "Source" }
                            } }
                            tbody { @for layer in shown { (self.row(layer, power, total, decimals, &looks)) } }
                        }
                    }
                    @if pages > 1 { (self.pages(page, pages, sort, order)) }
                }
            }
        }
    }

    fn link_without_filter(&self) -> String {
        let query = query(&[("device", &self.prediction.device)]);
        format!("/engines/{}?{query}#layers", self.id)
    }

    fn pages(&self, page: usize, pages: usize, sort: Sort, order: Order) -> Markup {
        let link = |to: usize| format!("{}#layers", self.link(&self.prediction.device, Some((sort, order)), to));
        html! {
            nav.pages aria-label="Pages of the table" {
                @if page > 1 { a.button href=(link(page - 1)) rel="prev" { "Previous" } }
                span.muted { "Page " (page) " of " (pages) }
                @if page < pages { a.button href=(link(page + 1)) rel="next" { "Next" } }
            }
        }
    }

    fn row(
        &self,
        layer: &LayerPrediction,
        power: bool,
        total: f64,
        decimals: usize,
        looks: &[usize; rows::GROUPS.len()],
    ) -> Markup {
        let value = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
        let (runtime, watts) = (layer.row.runtime_prediction.map(|t| t.0), layer.row.power_prediction.map(|p| p.0));
        let energy = layer.row.energy_prediction.map(|e| e.0);
        let cost = if power { energy } else { runtime };
        let share = cost.filter(|_| total > 0.0).map(|c| 100.0 * c / total);
        let shape = self.engine.layers.get(layer.index).map(shape).unwrap_or_default();
        let look = looks[rows::group(layer.kind)];
        html! {
            tr id=(format!("layer-{}", layer.index)) {
                td.n.wide data-v=(layer.index) { (layer.index) }
                td.layer-name {
                    div.name title=(printable(&layer.layer_name)) { (printable(&layer.layer_name)) }
                    @if !shape.is_empty() { div.muted.small { (shape) } }
                }
                td.wide {
                    span.kind { svg.dot viewBox="0 0 10 10" aria-hidden="true" { rect class=(format!("f{look}")) width="10" height="10" rx="2" {} } (kind_name(layer.kind)) }
                    div.muted.small.wide { (printable(&layer.layer_type)) }
                }
                td.n data-v=(value(runtime)) { (number(runtime, decimals)) }
                @if self.bounded() { td.n.muted.wide { (interval(layer.row.runtime_bounds, decimals)) } }
                @if power {
                    td.n data-v=(value(watts)) { (number(watts, 2)) }
                    td.n data-v=(value(energy)) { (number(energy, decimals)) }
                }
                td.n.wide data-v=(value(share)) { (number(share, 1)) @if let Some(share) = share { (share_bar(share)) } }
                td.wide { (source(layer)) }
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
                                        td.n { (figure(t.runtime_ms.0)) }
                                        td.n.wide.muted { (bounds(t.runtime_bounds)) }
                                        td.n { @if t.average_power_w.is_some() { (figure(t.energy_mj.0)) } @else { "–" } }
                                        td.n.wide.muted { (bounds(t.energy_bounds)) }
                                        td.n { (number(t.average_power_w.map(|p| p.0), 2)) }
                                        td.n { (format!("{:.1}", t.runtime_modelled_percent)) }
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

/// Bounds as `low – high`.
fn interval(bounds: Option<Bounds>, decimals: usize) -> String {
    bounds.map_or_else(|| "–".to_owned(), |b| format!("{:.decimals$} – {:.decimals$}", b.lower, b.upper))
}

fn source(layer: &LayerPrediction) -> Markup {
    let words = match layer.row.runtime_source {
        Source::Model => "model",
        Source::Roofline => "roofline",
        Source::Free => "costs nothing",
        Source::Unmodelled => "not predicted",
    };
    html! {
        @match layer.row.runtime_source {
            Source::Model => span.badge.on { (words) },
            Source::Unmodelled => span.badge.bad { (words) },
            _ => span.badge { (words) },
        }
        @if !layer.row.outside_training_range.is_empty() {
            " " span.badge.warn title=(printable(&layer.row.outside_training_range.join(", "))) { "outside training" }
        }
    }
}

/// The totals as large figures.
fn tiles(totals: &Totals) -> Markup {
    let bounds = |bounds: Option<Bounds>, unit: &str| match bounds {
        Some(b) => format!("{:.0} %: {} to {} {unit}", 100.0 * b.level, figure(b.lower), figure(b.upper)),
        None => "no interval: training data too thin for one".to_owned(),
    };
    let runtime = totals.runtime_ms.0;
    let rate = if runtime > 0.0 {
        format!("{} inferences a second back to back", figure(1000.0 / runtime))
    } else {
        String::new()
    };
    let sources: Vec<String> = [Source::Model, Source::Roofline, Source::Free, Source::Unmodelled]
        .iter()
        .filter_map(|s| totals.layers_by_source.get(s.name()).map(|n| format!("{n} {}", s.name())))
        .collect();
    html! {
        dl.tiles {
            div {
                dt { "Energy of one inference" }
                @if totals.average_power_w.is_some() {
                    dd.value { (figure(totals.energy_mj.0)) span.unit { "mJ" } }
                    dd.note { (bounds(totals.energy_bounds, "mJ")) }
                } @else {
                    dd.value { "–" }
                    dd.note { "no power was measured on this device" }
                }
            }
            div {
                dt { "Run time" }
                dd.value { (figure(runtime)) span.unit { "ms" } }
                dd.note { (bounds(totals.runtime_bounds, "ms")) }
            }
            div {
                dt { "Average power" }
                dd.value { (number(totals.average_power_w.map(|p| p.0), 2)) span.unit { "W" } }
                dd.note { (rate) }
            }
            div {
                dt { "Run time from models" }
                dd.value { (format!("{:.1}", totals.runtime_modelled_percent)) span.unit { "%" } }
                dd.note { (sources.join(", ")) }
            }
        }
    }
}
