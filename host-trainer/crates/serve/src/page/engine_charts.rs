//! Charts of an engine: costs in execution order, by kind, and against the device's roofline.

use super::layer_rows::{GROUPS, group};
use charts::{Axis, Breakdown, Column, Columns, Plot, Point, Share};
use learn::model::Roofline;
use learn::predict::{LayerPrediction, Totals};
use maud::Markup;
use shared::engine::Engine;
use std::collections::BTreeSet;

/// The most columns of a chart. With more layers, several share a column.
const MOST_COLUMNS: usize = 400;

/// The quantity that charts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Energy, mJ.
    Energy,
    /// Run time, ms, where no power is predicted.
    Runtime,
}

impl Cost {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Energy => "Energy",
            Self::Runtime => "Run time",
        }
    }

    /// Its unit.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Energy => "mJ",
            Self::Runtime => "ms",
        }
    }

    /// The cost of a layer.
    pub(super) fn of(self, layer: &LayerPrediction) -> Option<f64> {
        match self {
            Self::Energy => layer.row.energy_prediction.map(|e| e.0),
            Self::Runtime => layer.row.runtime_prediction.map(|t| t.0),
        }
    }

    /// The cost of an engine; none unless it is known as a whole.
    pub(super) fn total(self, totals: &Totals) -> Option<f64> {
        match self {
            Self::Energy => totals.energy.whole().map(|e| e.0),
            Self::Runtime => totals.runtime.whole().map(|t| t.0),
        }
    }

    /// What charts say of layers without a figure.
    fn note(self, layers: &[LayerPrediction]) -> Option<String> {
        let missing = layers.iter().filter(|layer| self.of(layer).is_none()).count();
        let what = self.name().to_lowercase();
        (missing > 0).then(|| format!("Not shown: {missing} layers whose {what} is not known."))
    }
}

/// The cost of each group of kinds, as far as it is known.
fn costs(layers: &[LayerPrediction], cost: Cost) -> [f64; GROUPS.len()] {
    let mut sums = [0.0; GROUPS.len()];
    for layer in layers {
        sums[group(layer.kind)] += cost.of(layer).unwrap_or(0.0);
    }
    sums
}

/// The groups of an engine, the costliest first. Charts give looks in this order.
fn present(layers: &[LayerPrediction], cost: Cost) -> Vec<usize> {
    let sums = costs(layers, cost);
    let known = layers.iter().filter(|layer| cost.of(layer).is_some());
    let kinds: BTreeSet<usize> = known.map(|layer| group(layer.kind)).collect();
    let mut order: Vec<usize> = kinds.into_iter().collect();
    order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]).then_with(|| GROUPS[*a].cmp(GROUPS[*b])));
    order
}

/// The look that charts give each group.
pub(super) fn looks(layers: &[LayerPrediction], cost: Cost) -> [usize; GROUPS.len()] {
    let order = present(layers, cost);
    std::array::from_fn(|group| order.iter().position(|g| *g == group).unwrap_or(GROUPS.len() - 1))
}

/// A column for each layer in execution order, or for several where there are many.
pub(super) fn in_order(layers: &[LayerPrediction], cost: Cost) -> Markup {
    let order = present(layers, cost);
    let looks = looks(layers, cost);
    let together = layers.len().div_ceil(MOST_COLUMNS).max(1);
    let columns = layers.chunks(together).map(|chunk| match chunk {
        [layer] => Column {
            name: layer.layer_name.clone(),
            parts: cost.of(layer).map(|value| (looks[group(layer.kind)], value)).into_iter().collect(),
        },
        several => {
            let sums = costs(several, cost);
            let parts = order.iter().map(|g| (looks[*g], sums[*g])).filter(|(_, sum)| *sum > 0.0).collect();
            Column { name: format!("layers {} to {}", several[0].index, several[several.len() - 1].index), parts }
        }
    });
    let title = format!("{} of the layers, in execution order", cost.name());
    let description = format!("{} layers; the table below has every number", layers.len());
    let axis = Axis::linear(cost.unit());
    let mut chart =
        Columns::new("in-order", &title, &description, axis, "layer, in execution order").columns(columns.collect());
    for group in order {
        chart = chart.series(GROUPS[group]);
    }
    if together > 1 {
        chart = chart.note(format!("Each column sums {together} layers that run one after the other."));
    }
    if let Some(note) = cost.note(layers) {
        chart = chart.note(note);
    }
    chart.render()
}

/// The cost by kind.
pub(super) fn by_kind(layers: &[LayerPrediction], cost: Cost) -> Markup {
    let sums = costs(layers, cost);
    let shares =
        present(layers, cost).into_iter().map(|g| Share { name: GROUPS[g].to_owned(), amount: sums[g] }).collect();
    let title = format!("{} by kind of layer", cost.name());
    let how = "shares of what is known, largest first";
    let chart = Breakdown::new("by-kind", &title, how, cost.unit(), shares);
    match cost.note(layers) {
        Some(note) => chart.lacking(note).render(),
        None => chart.render(),
    }
}

/// The roofline: rate over operations per byte of each layer, below the limits of the device.
pub(super) fn roofline(engine: &Engine, layers: &[LayerPrediction], roofline: Option<&Roofline>) -> Markup {
    let looks_order = present(layers, Cost::Runtime);
    let mut series: Vec<Vec<Point>> = vec![Vec::new(); GROUPS.len()];
    let mut precisions: BTreeSet<u32> = BTreeSet::new();
    for prediction in layers {
        let Some(layer) = engine.layers.get(prediction.index) else { continue };
        let (Some(macs), Some(runtime)) = (layer.macs().filter(|m| *m > 0), prediction.row.runtime_prediction) else {
            continue;
        };
        let bytes = layer.bytes_moved();
        if bytes == 0 || runtime.0 <= 0.0 {
            continue;
        }
        precisions.insert(Roofline::bits(layer.precision()));
        let (intensity, rate) = (macs as f64 / bytes as f64, macs as f64 * 1e-6 / runtime.0);
        series[group(prediction.kind)].push(Point::named(prediction.layer_name.clone(), intensity, rate));
    }
    let points = || series.iter().flatten().map(|p| p.x).filter(|x| x.is_finite() && *x > 0.0);
    let (low, high) = points().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), x| (low.min(x), high.max(x)));
    let mut plot = Plot::new(
        "roofline",
        "Roofline",
        "each point is a layer; its height is limited by the device's bandwidth and arithmetic",
        Axis::log("MACs for each byte moved"),
        Axis::log("GMAC/s"),
    );
    if let Some(roofline) = roofline.filter(|r| r.ms_per_megabyte > 0.0 && low <= high) {
        let bandwidth = 1.0 / roofline.ms_per_megabyte;
        for (bits, ms_per_gmac) in
            roofline.ms_per_gmac.iter().filter(|(bits, ms)| precisions.contains(bits) && **ms > 0.0)
        {
            let peak = 1000.0 / ms_per_gmac;
            let ridge = peak / bandwidth;
            let (from, to) = ((low * 0.7).min(ridge * 0.5), (high * 1.4).max(ridge * 2.0));
            let limit = |x: f64| (x, (x * bandwidth).min(peak));
            plot = plot.guide(&format!("limit, {bits} bit"), vec![limit(from), limit(ridge), limit(to)]);
        }
        plot = plot.note(format!(
            "Limits as fitted from this device's training rows: {} GB/s; a launch takes {} µs.",
            charts::number(bandwidth),
            charts::number(roofline.launch_ms * 1000.0)
        ));
    }
    for group in looks_order {
        if series[group].is_empty() {
            continue;
        }
        plot = plot.points(GROUPS[group], std::mem::take(&mut series[group]));
    }
    plot.render()
}
