//! The quality report as one page that needs nothing else: no scripts, no fonts, no pictures but its own.

use super::quality::{LayerReport, Quality};
use std::fmt::Write;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 28.0;

/// Text that cannot be taken for markup.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Renders the page.
#[must_use]
pub fn render(quality: &Quality) -> String {
    let mut page = String::new();
    let model = escape(&quality.model);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Alignment of {model}</title><style>\
         body{{font:14px system-ui,sans-serif;margin:2em auto;max-width:980px;color:#222}}h1{{font-size:1.4em}}\
         h2{{font-size:1.1em;margin-top:2em}}table{{border-collapse:collapse}}td,th{{padding:.15em .7em .15em 0;text-align:left}}\
         td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}svg{{background:#fafafa}}.measured{{color:#186a3b}}\
         .attributed{{color:#7d6608}}.not{{color:#922b21}}.name{{max-width:30em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}}\
         </style></head><body><h1>Alignment of {model}</h1><p>Method: <b>{}</b>. {}.</p>",
        quality.method.name(),
        escape(&quality.because)
    );
    summary(&mut page, quality);
    if !quality.picture.pieces.is_empty() {
        page.push_str("<h2>Power over inferences</h2><p>Bars: attributed power of each layer; grey: outside layers; dots: readings at the end of their window.</p>");
        windows(&mut page, quality);
    }
    if quality.trace.len() > 1 {
        page.push_str("<h2>Power over the whole log</h2>");
        trace(&mut page, &quality.trace);
    }
    if !quality.layers.is_empty() {
        page.push_str("<h2>Readings in each layer's time</h2>");
        bars(&mut page, &quality.layers);
        page.push_str("<h2>Layers</h2>");
        layers(&mut page, &quality.layers);
    }
    if !quality.notes.is_empty() {
        page.push_str("<h2>Notes</h2><ul>");
        for note in &quality.notes {
            let _ = write!(page, "<li>{}</li>", escape(note));
        }
        page.push_str("</ul>");
    }
    page.push_str("<h2>Made from</h2><table>");
    for (name, hash) in &quality.made_from {
        let _ = write!(page, "<tr><td>{}</td><td><code>{}</code></td></tr>", escape(name), escape(hash));
    }
    page.push_str("</table></body></html>\n");
    page
}

fn summary(page: &mut String, quality: &Quality) {
    page.push_str("<table>");
    for (what, value) in super::summary::lines(quality) {
        let _ = write!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(what), escape(&value));
    }
    page.push_str("</table>");
}

/// Maps values to the drawing.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
}

impl Scale {
    fn of(x: (f64, f64), values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let room = ((high - low) * 0.05).max(1e-9);
        Self { x, y: if low <= high { (low - room, high + room) } else { (0.0, 1.0) } }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0).max(1e-12) * (WIDTH - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        (HEIGHT - BOTTOM) * (1.0 - (value - self.y.0) / (self.y.1 - self.y.0))
    }

    fn open(&self, page: &mut String, x_unit: &str, y_unit: &str) {
        let _ = write!(
            page,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" role=\"img\"><g font-size=\"11\" fill=\"#555\">"
        );
        for i in 0..=4 {
            let value = self.y.0 + (self.y.1 - self.y.0) * f64::from(i) / 4.0;
            let y = self.y(value);
            let _ = write!(
                page,
                "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e5e5e5\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.2}</text>",
                LEFT - 4.0,
                y + 4.0
            );
        }
        for i in 0..=6 {
            let value = self.x.0 + (self.x.1 - self.x.0) * f64::from(i) / 6.0;
            let _ = write!(
                page,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.1}</text>",
                self.x(value).min(WIDTH - 14.0),
                HEIGHT - 14.0
            );
        }
        let _ = write!(
            page,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{x_unit}</text><text x=\"4\" y=\"12\">{y_unit}</text></g>",
            WIDTH - 2.0,
            HEIGHT - 2.0
        );
    }
}

fn windows(page: &mut String, quality: &Quality) {
    let picture = &quality.picture;
    let layers = quality.layers.len() as u32;
    // Two inferences or so: more cannot be told apart.
    let count = picture.pieces.iter().position(|p| p.0 > picture.start_us + 2.5e3 * quality.energy.period_ms);
    let pieces = &picture.pieces[..count.unwrap_or(picture.pieces.len()).max(1)];
    let start = picture.start_us;
    let end = pieces.last().map_or(start, |p| p.0);
    let watts = |component: u32| {
        if component < layers { quality.layers[component as usize].power_w } else { quality.energy.outside_w }
    };
    let samples: Vec<(f64, f64)> = picture.samples.iter().copied().filter(|s| s.0 >= start && s.0 <= end).collect();
    let values = pieces.iter().filter_map(|p| watts(p.1)).chain(samples.iter().map(|s| s.1));
    let scale = Scale::of((0.0, (end - start) / 1e3), values);
    scale.open(page, "ms", "W");
    let mut from = start;
    for &(until, component) in pieces {
        if let Some(power) = watts(component) {
            let (x0, x1) = (scale.x((from - start) / 1e3), scale.x((until - start) / 1e3));
            let y = scale.y(power);
            let colour =
                if component >= layers { "#d0d0d0".into() } else { format!("hsl({},55%,62%)", component * 47 % 360) };
            let name = quality.layers.get(component as usize).map_or("outside layers", |l| &l.name);
            let _ = write!(
                page,
                "<rect x=\"{x0:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{colour}\"><title>{}: {power:.2} W</title></rect>",
                (x1 - x0).max(0.2),
                (HEIGHT - BOTTOM - y).max(0.5),
                escape(name)
            );
        }
        from = until;
    }
    for (at, power) in samples {
        let _ = write!(
            page,
            "<circle cx=\"{:.2}\" cy=\"{:.2}\" r=\"2.2\" fill=\"#1f2d3d\"/>",
            scale.x((at - start) / 1e3),
            scale.y(power)
        );
    }
    page.push_str("</svg>");
}

fn trace(page: &mut String, points: &[(f64, f64)]) {
    let scale = Scale::of((points[0].0, points[points.len() - 1].0), points.iter().map(|p| p.1));
    scale.open(page, "s", "W");
    page.push_str("<polyline fill=\"none\" stroke=\"#2e6da4\" points=\"");
    for (at, power) in points {
        let _ = write!(page, "{:.1},{:.1} ", scale.x(*at), scale.y(*power));
    }
    page.push_str("\"/></svg>");
}

fn bars(page: &mut String, layers: &[LayerReport]) {
    let scale = Scale::of((0.0, layers.len() as f64), layers.iter().map(|l| l.readings as f64).chain([0.0]));
    scale.open(page, "layer", "readings");
    for layer in layers {
        let (x0, x1) = (scale.x(layer.index as f64), scale.x(layer.index as f64 + 1.0));
        let y = scale.y(layer.readings as f64);
        let _ = write!(
            page,
            "<rect x=\"{:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"#5b8db8\"><title>{}: {}</title></rect>",
            x0 + 0.5,
            (x1 - x0 - 1.0).max(0.3),
            (scale.y(0.0) - y).max(0.0),
            escape(&layer.name),
            layer.readings
        );
    }
    page.push_str("</svg>");
}

fn layers(page: &mut String, layers: &[LayerReport]) {
    page.push_str(
        "<table><tr><th class=\"n\">#</th><th>layer</th><th>type</th><th class=\"n\">ms</th><th class=\"n\">W</th>\
         <th class=\"n\">90 %</th><th class=\"n\">mJ</th><th class=\"n\">independent readings</th><th>verdict</th></tr>",
    );
    let number = |v: Option<f64>, d: usize| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.d$}"));
    for layer in layers {
        let name = escape(&layer.name);
        let class = layer.verdict.name().split(' ').next().unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td class=\"n\">{}</td><td class=\"name\" title=\"{name}\">{name}</td><td>{}</td><td class=\"n\">{:.4}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{} – {}</td><td class=\"n\">{}</td><td class=\"n\">{:.0}</td><td class=\"{class}\">{}</td></tr>",
            layer.index,
            escape(&layer.layer_type),
            layer.runtime_ms,
            number(layer.power_w, 3),
            number(layer.power_low_w, 2),
            number(layer.power_high_w, 2),
            number(layer.energy_mj, 4),
            layer.independent_samples,
            layer.verdict.name()
        );
    }
    page.push_str("</table>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<script>\"a\"&'\u{1b}"), "&lt;script&gt;&quot;a&quot;&amp;&#39;\u{fffd}");
    }
}
