//! Two engines, or one on two devices, layer by layer.

use super::engine_charts::Cost;
use super::layer_rows::{GROUPS, PAGE_ROWS, group, kind_name, shape};
use super::layout::{figure, number, query};
use super::pairs::{By, Pair, pair};
use super::upload_form::RecentEngine;
use super::work;
use charts::{Axis, Bar, Bars};
use learn::predict::{LayerPrediction, Prediction, Total, Totals};
use maud::{Markup, html};
use serde::Deserialize;
use shared::engine::{Engine, Layer};
use shared::failure::printable;

/// The query of a comparison.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct CompareQuery {
    /// The first engine.
    pub(super) a: Option<String>,
    /// The second engine.
    pub(super) b: Option<String>,
    /// The first engine's device.
    pub(super) device: Option<String>,
    /// The second engine's device. `None` for the same one.
    pub(super) device_b: Option<String>,
    /// The order of rows.
    pub(super) sort: Option<CompareOrder>,
    /// The page of the table, from 1.
    #[serde(default)]
    pub(super) page: usize,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CompareOrder {
    /// The largest difference first, either way.
    #[default]
    Difference,
    /// Execution order.
    Index,
}

/// One of the two engines.
#[derive(Debug)]
pub(super) struct ComparedEngine<'a> {
    /// SHA-256 of the file.
    pub(super) id: &'a str,
    /// The name of the uploaded file.
    pub(super) name: &'a str,
    /// The parsed engine.
    pub(super) engine: &'a Engine,
    /// Its prediction.
    pub(super) prediction: &'a Prediction,
}

impl ComparedEngine<'_> {
    fn layers(&self) -> Vec<&Layer> {
        self.prediction.layers.iter().filter_map(|p| self.engine.layers.get(p.index)).collect()
    }
}

/// The form that chooses the engines.
pub(super) fn form(recent: &[RecentEngine], devices: &[String], choice: &CompareQuery) -> Markup {
    let engines = |name: &str, label: &str, chosen: Option<&String>| {
        html! {
            div.field {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    @for engine in recent {
                        option value=(engine.id) selected[chosen == Some(&engine.id)] { (printable(&engine.name)) " · " (engine.id.get(..8).unwrap_or_default()) }
                    }
                }
            }
        }
    };
    let chooser = |name: &str, label: &str, chosen: Option<&String>| {
        html! {
            div.field {
                label for=(name) { (label) }
                select id=(name) name=(name) { @for device in devices { option value=(device) selected[chosen == Some(device)] { (printable(device)) } } }
            }
        }
    };
    html! {
        form.card method="get" action="/compare" {
            @if recent.is_empty() {
                p { "There is no engine to compare yet. " a href="/" { "Drop one" } ", then another." }
            } @else {
                div.cols.two {
                    div { (engines("a", "First engine", choice.a.as_ref())) (chooser("device", "on", choice.device.as_ref())) }
                    div { (engines("b", "Second engine", choice.b.as_ref().or(choice.a.as_ref()))) (chooser("device_b", "on", choice.device_b.as_ref().or(choice.device.as_ref()))) }
                }
                button.primary type="submit" { "Compare" }
            }
        }
        form.drop method="post" action="/engines" enctype="multipart/form-data" data-drop {
            h2 { @if choice.a.is_some() { "Compare the first with another file" } @else { "Drop two engine infos or ONNX graphs" } }
            @if let Some(a) = &choice.a { input type="hidden" name="against" value=(a); }
            @if let Some(device) = &choice.device { input type="hidden" name="device" value=(device); }
            div.inline {
                div.field { label for="file" { "Choose files" } input #file type="file" name="file" accept=".json,.txt,.onnx,application/json" multiple; }
                button type="submit" data-busy="Predicting…" { "Compare" }
            }
        }
    }
}

/// The comparison.
pub(super) fn render(a: &ComparedEngine<'_>, b: &ComparedEngine<'_>, choice: &CompareQuery) -> Markup {
    let has_energy = |side: &ComparedEngine<'_>| side.prediction.totals.energy.at_least().is_some();
    let both_power = has_energy(a) && has_energy(b);
    let cost = if both_power { Cost::Energy } else { Cost::Runtime };
    let pairs = pair(&a.layers(), &b.layers());
    html! {
        div.head {
            div {
                h1 { (printable(a.name)) " → " (printable(b.name)) }
                p.muted { (printable(&a.prediction.device)) " → " (printable(&b.prediction.device)) }
            }
            div.row.actions {
                a.button href=(link(b, a, None, 1)) { "Swap" }
                button type="button" data-copy=(link(a, b, choice.sort, 1)) hidden { "Copy link" }
            }
        }
        section #comparison data-live aria-label="Comparison" {
            div.cols.side {
                (totals(a, b))
                div.card { (by_kind(a, b, cost)) }
            }
            (table(a, b, &pairs, cost, choice))
        }
    }
}

fn link(a: &ComparedEngine<'_>, b: &ComparedEngine<'_>, sort: Option<CompareOrder>, page: usize) -> String {
    let page = if page > 1 { page.to_string() } else { String::new() };
    let sort = if sort == Some(CompareOrder::Index) { "index" } else { "" };
    let pairs = [
        ("a", a.id),
        ("b", b.id),
        ("device", &a.prediction.device),
        ("device_b", &b.prediction.device),
        ("sort", sort),
        ("page", &page),
    ];
    format!("/compare?{}", query(&pairs))
}

/// A difference with its sign. Less is better for every quantity here.
fn difference(a: Option<f64>, b: Option<f64>, decimals: usize) -> Markup {
    let Some(change) = a.zip(b).map(|(a, b)| b - a) else { return html! { span.muted { "–" } } };
    let text = format!("{:.decimals$}", change.abs());
    if text.bytes().all(|c| c == b'0' || c == b'.') {
        return html! { span.muted { (text) } };
    }
    html! { @if change < 0.0 { span.good { "−" (text) } } @else { span.bad { "+" (text) } } }
}

fn percent(a: Option<f64>, b: Option<f64>) -> Markup {
    let share = a.zip(b).filter(|(a, _)| *a > 0.0).map(|(a, b)| 100.0 * (b - a) / a);
    html! { @match share { Some(share) => (difference(Some(0.0), Some(share), 1)), None => span.muted { "–" } } }
}

fn totals(a: &ComparedEngine<'_>, b: &ComparedEngine<'_>) -> Markup {
    let (x, y) = (&a.prediction.totals, &b.prediction.totals);
    // Each with its text, which says where it is a lower bound, and with the figure that can be compared.
    let energy = |t: &Totals| (t.energy.shown(|e| figure(e.0)), t.energy.whole().map(|e| e.0));
    let runtime = |t: &Totals| (t.runtime.shown(|t| figure(t.0)), t.runtime.whole().map(|t| t.0));
    let known = |value: Option<f64>| (value.map_or_else(|| "–".to_owned(), figure), value);
    let power = |t: &Totals| known(t.average_power().map(|p| p.0));
    let rows = [
        ("Energy mJ", energy(x), energy(y)),
        ("Run time ms", runtime(x), runtime(y)),
        ("Average power W", power(x), power(y)),
        ("Run time from models %", known(x.runtime_modelled_percent), known(y.runtime_modelled_percent)),
    ];
    let scaled = |total: &Total<f64>, unit: f64| {
        (total.shown(|sum| figure_or_whole(sum / unit)), total.whole().map(|sum| sum / unit))
    };
    let count = |side: &ComparedEngine<'_>, what: &str| match what {
        "Layers" => (side.prediction.layers.len().to_string(), Some(side.prediction.layers.len() as f64)),
        "GMACs" => scaled(&work::macs(side.layers().into_iter()), 1e9),
        _ => scaled(&work::bytes(side.layers().into_iter()), 1e6),
    };
    html! {
        div.card {
            h2 { "Totals" }
            table {
                thead { tr { th scope="col" { span.sr { "What" } } th.n scope="col" { "First" } th.n scope="col" { "Second" } th.n scope="col" { "Change" } th.n scope="col" { "%" } } }
                tbody {
                    @for (name, (first_text, first), (second_text, second)) in rows {
                        tr {
                            th scope="row" { (name) }
                            td.n { (first_text) } td.n { (second_text) }
                            @if name.ends_with('%') { td {} td {} } @else { td.n { (difference(first, second, 3)) } td.n { (percent(first, second)) } }
                        }
                    }
                    @for name in ["Layers", "GMACs", "MB moved"] {
                        tr { th scope="row" { (name) } td.n { (count(a, name).0) } td.n { (count(b, name).0) } td {} td.n { (percent(count(a, name).1, count(b, name).1)) } }
                    }
                }
            }
        }
    }
}

fn figure_or_whole(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { figure(value) }
}

fn by_kind(a: &ComparedEngine<'_>, b: &ComparedEngine<'_>, cost: Cost) -> Markup {
    let mut change: [Option<f64>; GROUPS.len()] = [None; GROUPS.len()];
    let mut unknown = [false; GROUPS.len()];
    for (side, sign) in [(a, -1.0), (b, 1.0)] {
        for layer in &side.prediction.layers {
            match cost.of(layer) {
                Some(value) => *change[group(layer.kind)].get_or_insert(0.0) += sign * value,
                None => unknown[group(layer.kind)] = true,
            }
        }
    }
    // A change is known where every layer of the kind is, on both sides.
    for (change, _) in change.iter_mut().zip(unknown).filter(|(_, unknown)| *unknown) {
        *change = None;
    }
    let left_out: Vec<&str> =
        GROUPS.iter().zip(unknown).filter(|(_, unknown)| *unknown).map(|(name, _)| *name).collect();
    let mut bars: Vec<Bar> = change
        .iter()
        .zip(GROUPS)
        .filter_map(|(change, name)| Some(Bar { name: name.to_owned(), value: (*change)?, range: None }))
        .collect();
    bars.sort_by(|x, y| y.value.abs().total_cmp(&x.value.abs()));
    let title = format!("Change of {} by kind, {}", cost.name().to_lowercase(), cost.unit());
    let chart = Bars::new("change", &title, "second less first; negative is less", Axis::linear(cost.unit()), bars);
    if left_out.is_empty() {
        return chart.render();
    }
    chart.note(format!("Not shown, since some of their layers are not predicted: {}.", left_out.join(", "))).render()
}

fn table(a: &ComparedEngine<'_>, b: &ComparedEngine<'_>, pairs: &[Pair], cost: Cost, choice: &CompareQuery) -> Markup {
    let sort = choice.sort.unwrap_or_default();
    let layer =
        |side: &'_ ComparedEngine<'_>, at: Option<usize>| at.and_then(|at| side.prediction.layers.get(at).cloned());
    let value = |side: &ComparedEngine<'_>, at: Option<usize>| {
        at.and_then(|at| side.prediction.layers.get(at)).and_then(|l| cost.of(l))
    };
    // A layer that one side lacks costs nothing there; one that is not predicted costs what nobody knows.
    let of = |side: &ComparedEngine<'_>, at: Option<usize>| if at.is_none() { Some(0.0) } else { value(side, at) };
    let gap = |p: &Pair| of(b, p.b).zip(of(a, p.a)).map_or(f64::NEG_INFINITY, |(second, first)| (second - first).abs());
    let mut order: Vec<(usize, &Pair)> = pairs.iter().enumerate().collect();
    if sort == CompareOrder::Difference {
        order.sort_by(|x, y| gap(y.1).total_cmp(&gap(x.1)));
    }
    let pages = order.len().div_ceil(PAGE_ROWS).max(1);
    let page = choice.page.clamp(1, pages);
    let shown = &order[(page - 1) * PAGE_ROWS..(page * PAGE_ROWS).min(order.len())];
    let by = |wanted: By| pairs.iter().filter(|p| p.by == wanted).count();
    let only = |second: bool| pairs.iter().filter(|p| p.by == By::Nothing && p.b.is_some() == second).count();
    html! {
        section.card #layers {
            div.row.spread {
                h2 { "Layers" }
                ul.tabs {
                    li { a href=(link(a, b, None, 1) + "#layers") aria-current=[(sort == CompareOrder::Difference).then_some("true")] { "Largest change first" } }
                    li { a href=(link(a, b, Some(CompareOrder::Index), 1) + "#layers") aria-current=[(sort == CompareOrder::Index).then_some("true")] { "Execution order" } }
                }
            }
            p.muted.small {
                (by(By::Name)) " pairs by name, " (by(By::Shape)) " by shape; " (only(false)) " layers only in the first, " (only(true)) " only in the second. "
                "Changes are second less first: less is better."
            }
            div.sheet tabindex="0" role="region" aria-label="Layers compared (scrolls)" {
                table {
                    thead {
                        tr {
                            th scope="col" { "#" } th scope="col" { "Layer" }
                            th.n scope="col" { "ms" } th.n scope="col" { "ms, second" } th.n scope="col" { "change" }
                            @if cost == Cost::Energy { th.n scope="col" { "mJ" } th.n scope="col" { "mJ, second" } th.n scope="col" { "change" } }
                            th.n scope="col" { "%" }
                        }
                    }
                    tbody { @for (at, pair) in shown { (row(*at, layer(a, pair.a), layer(b, pair.b), (a, b), cost)) } }
                }
            }
            @if pages > 1 {
                nav.pages aria-label="Pages of the table" {
                    @if page > 1 { a.button href=(link(a, b, Some(sort), page - 1) + "#layers") rel="prev" { "Previous" } }
                    span.muted { "Page " (page) " of " (pages) }
                    @if page < pages { a.button href=(link(a, b, Some(sort), page + 1) + "#layers") rel="next" { "Next" } }
                }
            }
        }
    }
}

fn row(
    at: usize,
    x: Option<LayerPrediction>,
    y: Option<LayerPrediction>,
    sides: (&ComparedEngine<'_>, &ComparedEngine<'_>),
    cost: Cost,
) -> Markup {
    let runtime = |l: &Option<LayerPrediction>| l.as_ref().and_then(|l| l.row.runtime_prediction).map(|t| t.0);
    let energy = |l: &Option<LayerPrediction>| l.as_ref().and_then(|l| l.row.energy_prediction).map(|e| e.0);
    let value = |l: &Option<LayerPrediction>| l.as_ref().and_then(|l| cost.of(l));
    let text =
        |l: &LayerPrediction, side: &ComparedEngine<'_>| side.engine.layers.get(l.index).map(shape).unwrap_or_default();
    let (shape_a, shape_b) = (x.as_ref().map(|l| text(l, sides.0)), y.as_ref().map(|l| text(l, sides.1)));
    html! {
        tr {
            td.n { (at) }
            td.layer-name {
                @if let Some(layer) = x.as_ref().or(y.as_ref()) { (printable(&layer.layer_name)) " " span.muted.small { (kind_name(layer.kind)) } }
                @match (&x, &y) {
                    (Some(x), Some(y)) if x.layer_name != y.layer_name => div.small { "→ " (printable(&y.layer_name)) },
                    (Some(_), None) => div { span.badge { "only in the first" } },
                    (None, Some(_)) => div { span.badge { "only in the second" } },
                    _ => {}
                }
                div.muted.small {
                    (shape_a.as_deref().or(shape_b.as_deref()).unwrap_or_default())
                    @if let (Some(first), Some(second)) = (&shape_a, &shape_b) { @if first != second { div { "→ " (second) } } }
                }
            }
            td.n { (number(runtime(&x), 4)) } td.n { (number(runtime(&y), 4)) } td.n { (difference(runtime(&x), runtime(&y), 4)) }
            @if cost == Cost::Energy {
                td.n { (number(energy(&x), 4)) } td.n { (number(energy(&y), 4)) } td.n { (difference(energy(&x), energy(&y), 4)) }
            }
            td.n { (percent(value(&x), value(&y))) }
        }
    }
}
