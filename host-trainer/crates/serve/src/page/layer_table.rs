//! The table of layers in a result.

use super::engine_charts::{Cost, looks};
use super::engine_view::EngineView;
use super::layer_rows::{GROUPS, Order, PAGE_ROWS, Sort, arrange, group, shape};
use super::layout::{number, query, share_bar};
use learn::predict::{Bounds, LayerPrediction, Source};
use maud::{Markup, html};
use shared::failure::printable;

/// The table of layers: sorted, filtered, in pages.
pub(super) fn render(view: &EngineView<'_>) -> Markup {
    let (sort, order) = view.sorting();
    let rows = arrange(&view.prediction.layers, &view.query.q, sort, order);
    let pages = rows.len().div_ceil(PAGE_ROWS).max(1);
    let page = view.query.page.clamp(1, pages);
    let shown = &rows[(page - 1) * PAGE_ROWS..(page * PAGE_ROWS).min(rows.len())];
    let whole = shown.len() == view.prediction.layers.len();
    let looks = looks(&view.prediction.layers, view.cost());
    let total = view.cost().total(&view.prediction.totals);
    let power = view.cost() == Cost::Energy;
    let decimals = if total.is_some_and(|total| total > 1000.0) { 2 } else { 4 };
    let bounded = view.bounded();
    let head = |column: Sort, name: &str, class: &str| {
        let now = (column == sort).then_some(order);
        let next = now.map_or(column.first(), Order::flipped);
        let link = format!("{}#layers", view.link(&view.prediction.device, Some((column, next)), 1));
        html! {
            th.(class) scope="col" aria-sort=[now.map(Order::aria)] data-first=(column.first().aria()) { a href=(link) { (name) } }
        }
    };
    html! {
        section.card #layers {
            div.row.spread {
                h2 { "Layers" }
                form.inline method="get" action=(format!("/engines/{}", view.id)) role="search" {
                    input type="hidden" name="device" value=(view.prediction.device);
                    input type="hidden" name="sort" value=(sort.name());
                    input type="hidden" name="order" value=(order.name());
                    @if view.query.profile > 0 { input type="hidden" name="profile" value=(view.query.profile); }
                    label.sr for="filter" { "Only layers that hold" }
                    input #filter type="search" name="q" value=(printable(&view.query.q)) placeholder="Filter by name or kind" data-filter="layer-table";
                    button type="submit" { "Filter" }
                }
            }
            p.muted.small #filter-count role="status" {
                @if !view.query.q.trim().is_empty() { (rows.len()) " of " (view.prediction.layers.len()) " layers. " a href=(link_without_filter(view)) { "Show all" } }
                @else if pages > 1 { "Rows " ((page - 1) * PAGE_ROWS + 1) " to " ((page - 1) * PAGE_ROWS + shown.len()) " of " (rows.len()) }
            }
            @if rows.is_empty() {
                p { "No layer holds “" (printable(view.query.q.trim())) "”." }
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
                        tbody { @for layer in shown { (row(view, layer, power, total, decimals, &looks)) } }
                    }
                }
                @if pages > 1 { (pages_of(view, page, pages, sort, order)) }
            }
        }
    }
}

fn link_without_filter(view: &EngineView<'_>) -> String {
    let query = query(&[("device", &view.prediction.device)]);
    format!("/engines/{}?{query}#layers", view.id)
}

fn pages_of(view: &EngineView<'_>, page: usize, pages: usize, sort: Sort, order: Order) -> Markup {
    let link = |to: usize| format!("{}#layers", view.link(&view.prediction.device, Some((sort, order)), to));
    html! {
        nav.pages aria-label="Pages of the table" {
            @if page > 1 { a.button href=(link(page - 1)) rel="prev" { "Previous" } }
            span.muted { "Page " (page) " of " (pages) }
            @if page < pages { a.button href=(link(page + 1)) rel="next" { "Next" } }
        }
    }
}

fn row(
    view: &EngineView<'_>,
    layer: &LayerPrediction,
    power: bool,
    total: Option<f64>,
    decimals: usize,
    looks: &[usize; GROUPS.len()],
) -> Markup {
    let value = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    let (runtime, watts) = (layer.row.runtime_prediction.map(|t| t.0), layer.row.power_prediction.map(|p| p.0));
    let energy = layer.row.energy_prediction.map(|e| e.0);
    let cost = if power { energy } else { runtime };
    let share = cost.zip(total.filter(|total| *total > 0.0)).map(|(c, total)| 100.0 * c / total);
    let shape = view.engine.layers.get(layer.index).map(shape).unwrap_or_default();
    let look = looks[group(layer.kind)];
    html! {
        tr id=(format!("layer-{}", layer.index)) {
            td.n.wide data-v=(layer.index) { (layer.index) }
            td.layer-name {
                div.name title=(printable(&layer.layer_name)) { (printable(&layer.layer_name)) }
                @if !shape.is_empty() { div.muted.small { (shape) } }
            }
            td.wide {
                span.kind { svg.dot viewBox="0 0 10 10" aria-hidden="true" { rect class=(format!("f{look}")) width="10" height="10" rx="2" {} } (layer.kind.words()) }
                div.muted.small.wide { (printable(&layer.layer_type)) }
            }
            td.n data-v=(value(runtime)) { (number(runtime, decimals)) }
            @if view.bounded() { td.n.muted.wide { (interval(layer.row.runtime_bounds, decimals)) } }
            @if power {
                td.n data-v=(value(watts)) { (number(watts, 2)) }
                td.n data-v=(value(energy)) { (number(energy, decimals)) }
            }
            td.n.wide data-v=(value(share)) { (number(share, 1)) @if let Some(share) = share { (share_bar(share)) } }
            td.wide { (source(layer)) }
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
