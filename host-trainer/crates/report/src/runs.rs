//! The quality report as one page that needs nothing else: no scripts, no fonts, no pictures but its own.

use align::quality::{LayerReport, Quality};
use charts::page;
use charts::{Axis, Column, Columns, Plot, Point, Span};
use maud::{Markup, html};
use shared::figures::figure;
use shared::units::Watts;

const STYLE: &str = "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
    .measured{color:var(--chart-2)}.attributed{color:var(--chart-4)}.not{color:var(--chart-6)}\
    .name{max-width:30em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}";

/// Renders the page.
#[must_use]
pub fn render(quality: &Quality) -> String {
    let title = format!("Alignment of {}", quality.model);
    let content = html! {
        h1 { (shared::failure::printable(&title)) }
        p { "Method: " b { (quality.method.name()) } ". " (quality.because) "." }
        table {
            @for (what, value) in align::summary::lines(quality) { tr { th scope="row" { (what) } td { (value) } } }
        }
        @if !quality.excerpt.pieces.is_empty() {
            h2 { "Power over inferences" }
            p { "Blocks: attributed power of each layer; grey: outside layers; points: readings at the end of their window." }
            (windows(quality))
        }
        @if quality.trace.len() > 1 {
            h2 { "Power over the whole log" }
            (trace(&quality.trace))
        }
        @if !quality.layers.is_empty() {
            h2 { "Readings in each layer's time" }
            (readings(&quality.layers))
            h2 { "Layers" }
            (layers(&quality.layers))
        }
        @if !quality.notes.is_empty() {
            h2 { "Notes" }
            ul { @for note in &quality.notes { li { (shared::failure::printable(note)) } } }
        }
        h2 { "Made from" }
        table { @for (name, hash) in &quality.made_from { tr { th scope="row" { (name) } td { code { (hash) } } } } }
    };
    page::render(&title, STYLE, &content)
}

fn windows(quality: &Quality) -> Markup {
    let picture = &quality.excerpt;
    let count = quality.layers.len() as u32;
    // Two inferences or so: more cannot be told apart.
    let two = quality.energy.period.map(|period| picture.start_us + 2.5e3 * period.0);
    let shown = two.and_then(|two| picture.pieces.iter().position(|p| p.0 > two));
    let pieces = &picture.pieces[..shown.unwrap_or(picture.pieces.len()).max(1)];
    let start = picture.start_us;
    let end = pieces.last().map_or(start, |p| p.0);
    let mut from = start;
    let mut spans = Vec::new();
    for &(until, component) in pieces {
        let layer = quality.layers.get(component as usize).filter(|_| component < count);
        let watts = layer.map_or(quality.energy.outside_power, |layer| layer.power);
        if let Some(Watts(height)) = watts {
            spans.push(Span {
                from: (from - start) / 1e3,
                to: (until - start) / 1e3,
                height,
                look: layer.map(|_| component as usize % charts::LOOKS),
                name: layer.map_or_else(|| "outside layers".to_owned(), |layer| layer.name.clone()),
            });
        }
        from = until;
    }
    let within = picture.samples.iter().filter(|s| s.0 >= start && s.0 <= end);
    let samples = within.map(|(at, power)| Point::new((at - start) / 1e3, *power)).collect();
    Plot::new(
        "windows",
        "Power over inferences",
        "Attributed power of each layer over time, with the sensor's readings",
        Axis::linear("time, ms"),
        Axis::linear("power, W"),
    )
    .wide()
    .spans(spans)
    .points("reading", samples)
    .render()
}

fn trace(points: &[(f64, f64)]) -> Markup {
    let points = points.iter().map(|(at, power)| Point::new(*at, *power)).collect();
    Plot::new(
        "trace",
        "Power over the whole log",
        "Readings of the sensor from the first to the last",
        Axis::linear("time, s"),
        Axis::linear("power, W"),
    )
    .wide()
    .line("power", points, false)
    .render()
}

fn readings(layers: &[LayerReport]) -> Markup {
    let columns = layers.iter().map(|l| Column { name: l.name.clone(), parts: vec![(0, l.readings as f64)] }).collect();
    Columns::new(
        "readings",
        "Readings in each layer's time",
        "How many readings of the sensor fell into the time of each layer",
        Axis::linear("readings"),
        "layer, in execution order",
    )
    .series("readings")
    .columns(columns)
    .render()
}

fn layers(layers: &[LayerReport]) -> Markup {
    let rows = layers.iter().map(|layer| {
        let class = layer.verdict.name().split(' ').next().unwrap_or_default();
        let name = shared::failure::printable(&layer.name);
        html! {
            tr {
                td class="n" { (layer.index) }
                td class="name" title=(name) { (name) }
                td { (shared::failure::printable(&layer.layer_type)) }
                td class="n" { (figure(layer.runtime.map(|t| t.0), 4)) }
                td class="n" { (figure(layer.power.map(|p| p.0), 3)) }
                td class="n" { (figure(layer.power_low.map(|p| p.0), 2)) " – " (figure(layer.power_high.map(|p| p.0), 2)) }
                td class="n" { (figure(layer.energy.map(|e| e.0), 4)) }
                td class="n" { (format!("{:.0}", layer.independent_samples)) }
                td class=(class) { (layer.verdict.name()) }
            }
        }
    });
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Layers (scrolls)" {
            table {
                thead { tr {
                    th class="n" scope="col" { "#" } th scope="col" { "layer" } th scope="col" { "type" }
                    th class="n" scope="col" { "ms" } th class="n" scope="col" { "W" } th class="n" scope="col" { "90 %" }
                    th class="n" scope="col" { "mJ" } th class="n" scope="col" { "independent readings" } th scope="col" { "verdict" }
                } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}
