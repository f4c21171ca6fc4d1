//! Two engines, or one on two devices, compared by the operators that their layers contain.

use super::engine::warning_box;
use super::engine_charts::Cost;
use super::layer_rows::{GROUPS, PAGE_ROWS, group};
use super::layout::{figure, number, query, sentence};
use super::upload_form::RecentEngine;
use super::work;
use ::compare::{Comparison, GroupChange, MatchedBy, Part, Side};
use charts::{Axis, Bar, Bars};
use learn::predict::{Prediction, Total, Totals};
use maud::{Markup, html};
use serde::Deserialize;
use shared::engine::{Engine, Layer};
use shared::failure::printable;
use shared::figures::{UNKNOWN, known};

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
    let side = |of: &ComparedEngine<'_>| Side::predicted(of.name, of.engine, of.prediction);
    let comparison = Comparison::of(&side(a), &side(b));
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
            (causes(&comparison))
            (table(a, b, &comparison, cost, choice))
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
    let Some(change) = a.zip(b).map(|(a, b)| b - a) else { return html! { span.muted { (UNKNOWN) } } };
    let text = format!("{:.decimals$}", change.abs());
    if text.bytes().all(|c| c == b'0' || c == b'.') {
        return html! { span.muted { (text) } };
    }
    html! { @if change < 0.0 { span.good { "−" (text) } } @else { span.bad { "+" (text) } } }
}

fn percent(a: Option<f64>, b: Option<f64>) -> Markup {
    let share = a.zip(b).filter(|(a, _)| *a > 0.0).map(|(a, b)| 100.0 * (b - a) / a);
    html! { @match share { Some(share) => (difference(Some(0.0), Some(share), 1)), None => span.muted { (UNKNOWN) } } }
}

fn totals(a: &ComparedEngine<'_>, b: &ComparedEngine<'_>) -> Markup {
    let (x, y) = (&a.prediction.totals, &b.prediction.totals);
    // Each with its text, which says where it is a lower bound, and with the figure that can be compared.
    let energy = |t: &Totals| (t.energy.shown(|e| figure(e.0)), t.energy.whole().map(|e| e.0));
    let runtime = |t: &Totals| (t.runtime.shown(|t| figure(t.0)), t.runtime.whole().map(|t| t.0));
    let shown = |value: Option<f64>| (known(value, figure), value);
    let power = |t: &Totals| shown(t.average_power().map(|p| p.0));
    let rows = [
        ("Energy mJ", energy(x), energy(y)),
        ("Run time ms", runtime(x), runtime(y)),
        ("Average power W", power(x), power(y)),
        ("Run time from models %", shown(x.runtime_modelled_percent), shown(y.runtime_modelled_percent)),
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

/// Why the engines differ, and what to know before trusting it.
fn causes(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.causes.is_empty() {
            section.card #causes {
                h2 { "What differs" }
                ul { @for cause in &comparison.causes { li.wrap { (sentence(&printable(cause))) } } }
            }
        }
        (warning_box(&comparison.warnings))
    }
}

fn table(
    a: &ComparedEngine<'_>,
    b: &ComparedEngine<'_>,
    comparison: &Comparison,
    cost: Cost,
    choice: &CompareQuery,
) -> Markup {
    let sort = choice.sort.unwrap_or_default();
    let change = |group: &GroupChange| match cost {
        Cost::Energy => group.energy_change_mj,
        Cost::Runtime => group.runtime_change_ms,
    };
    let mut order: Vec<(usize, &GroupChange)> = comparison.groups.iter().enumerate().collect();
    if sort == CompareOrder::Difference {
        let gap = |group: &GroupChange| change(group).map_or(f64::NEG_INFINITY, f64::abs);
        order.sort_by(|x, y| gap(y.1).total_cmp(&gap(x.1)));
    }
    let pages = order.len().div_ceil(PAGE_ROWS).max(1);
    let page = choice.page.clamp(1, pages);
    let shown = &order[(page - 1) * PAGE_ROWS..(page * PAGE_ROWS).min(order.len())];
    let by = |wanted: MatchedBy| comparison.groups.iter().filter(|group| group.matched_by == wanted).count();
    let only = |second: bool| {
        let alone = comparison.groups.iter().filter(|group| group.matched_by == MatchedBy::Nothing);
        alone.filter(|group| group.b.is_some() == second).count()
    };
    html! {
        section.card #layers {
            div.row.spread {
                h2 { "Operators" }
                ul.tabs {
                    li { a href=(link(a, b, None, 1) + "#layers") aria-current=[(sort == CompareOrder::Difference).then_some("true")] { "Largest change first" } }
                    li { a href=(link(a, b, Some(CompareOrder::Index), 1) + "#layers") aria-current=[(sort == CompareOrder::Index).then_some("true")] { "Execution order" } }
                }
            }
            p.muted.small {
                "Each row holds the layers of both engines that contain the same operators: "
                (by(MatchedBy::Operator)) " matched by operator, " (by(MatchedBy::Shape)) " by shape, " (by(MatchedBy::Place)) " by place; "
                (only(false)) " only in the first, " (only(true)) " only in the second. "
                "Reformats added for a row count in it. Changes are second less first: less is better."
            }
            div.sheet tabindex="0" role="region" aria-label="Operators compared (scrolls)" {
                table {
                    thead {
                        tr {
                            th scope="col" { "#" } th scope="col" { "Operators" } th scope="col" { "Precision" } th.n scope="col" { "Reformats" }
                            th.n scope="col" { "ms" } th.n scope="col" { "ms, second" } th.n scope="col" { "change" }
                            @if cost == Cost::Energy { th.n scope="col" { "mJ" } th.n scope="col" { "mJ, second" } th.n scope="col" { "change" } }
                            th.n scope="col" { "%" }
                        }
                    }
                    tbody { @for (at, group) in shown { (row(*at, group, cost)) } }
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

/// Layers of a row that are named; of more, their number.
const NAMED: usize = 4;

fn names(part: &Part) -> String {
    let mut names: Vec<&str> = part.layers.iter().take(NAMED).map(String::as_str).collect();
    let more = format!("and {} more layers", part.layers.len().saturating_sub(NAMED));
    if part.layers.len() > NAMED {
        names.push(&more);
    }
    names.join(", ")
}

fn row(at: usize, group: &GroupChange, cost: Cost) -> Markup {
    let sides = [group.a.as_ref(), group.b.as_ref()];
    let [runtime_a, runtime_b] = sides.map(|part| part.and_then(|part| part.runtime_ms));
    let [energy_a, energy_b] = sides.map(|part| part.and_then(|part| part.energy_mj));
    // What one side lacks costs nothing there.
    let of = |part: Option<&Part>, figure: Option<f64>| if part.is_none() { Some(0.0) } else { figure };
    let (first, second) = match cost {
        Cost::Energy => (of(sides[0], energy_a), of(sides[1], energy_b)),
        Cost::Runtime => (of(sides[0], runtime_a), of(sides[1], runtime_b)),
    };
    let both = |text: fn(&Part) -> String| {
        let [first, second] = sides.map(|part| known(part, text));
        if first == second { first } else { format!("{first} → {second}") }
    };
    let formats = |part: &Part| match part.precision.is_empty() {
        true => UNKNOWN.to_owned(),
        false => part.precision.iter().map(|p| p.name()).collect::<Vec<_>>().join("+"),
    };
    let [names_a, names_b] = sides.map(|part| part.map(names));
    html! {
        tr {
            td.n { (at) }
            td.layer-name {
                (printable(&group.name)) " "
                @match (group.matched_by, group.b.is_some()) {
                    (MatchedBy::Nothing, false) => span.badge { "only in the first" },
                    (MatchedBy::Nothing, true) => span.badge { "only in the second" },
                    (MatchedBy::Operator, _) => {},
                    (by, _) => span.muted.small { "by " (by.name()) },
                }
                @if let Some(first) = names_a.as_ref().or(names_b.as_ref()).filter(|names| **names != group.name) {
                    div.muted.small { (printable(first)) }
                }
                @if let (Some(first), Some(second)) = (&names_a, &names_b) { @if first != second { div.muted.small { "→ " (printable(second)) } } }
            }
            td { (both(formats)) } td.n { (both(|part| part.conversions.to_string())) }
            td.n { (number(runtime_a, 4)) } td.n { (number(runtime_b, 4)) } td.n { (difference(of(sides[0], runtime_a), of(sides[1], runtime_b), 4)) }
            @if cost == Cost::Energy {
                td.n { (number(energy_a, 4)) } td.n { (number(energy_b, 4)) } td.n { (difference(of(sides[0], energy_a), of(sides[1], energy_b), 4)) }
            }
            td.n { (percent(first, second)) }
        }
    }
}
