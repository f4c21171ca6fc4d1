//! Rows of layers: sorting, filtering, and the text of a shape.

use learn::predict::LayerPrediction;
use serde::Deserialize;
use shared::engine::{Layer, LayerKind};
use std::fmt::Write as _;

/// Rows on one page of a table.
pub(super) const PAGE_ROWS: usize = 500;

/// The column that layers are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sort {
    /// Execution order.
    Index,
    /// Name.
    Name,
    /// Kind, then execution order.
    Kind,
    /// Run time.
    Runtime,
    /// Power.
    Power,
    /// Energy.
    Energy,
}

/// The direction of sorting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// Small numbers first.
    Asc,
    /// Large numbers first.
    Desc,
}

impl Sort {
    /// The word in links.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Name => "name",
            Self::Kind => "kind",
            Self::Runtime => "runtime",
            Self::Power => "power",
            Self::Energy => "energy",
        }
    }

    /// The direction of a first click: costs from the largest, words and positions from the first.
    pub(super) fn first(self) -> Order {
        match self {
            Self::Index | Self::Name | Self::Kind => Order::Asc,
            Self::Runtime | Self::Power | Self::Energy => Order::Desc,
        }
    }

    fn value(self, layer: &LayerPrediction) -> f64 {
        let value = match self {
            Self::Runtime => layer.row.runtime_prediction.map(|t| t.0),
            Self::Power => layer.row.power_prediction.map(|p| p.0),
            Self::Energy => layer.row.energy_prediction.map(|e| e.0),
            Self::Index | Self::Name | Self::Kind => Some(layer.index as f64),
        };
        value.unwrap_or(f64::NEG_INFINITY)
    }
}

impl Order {
    /// The word in links.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }

    /// The value of `aria-sort`.
    pub(super) fn aria(self) -> &'static str {
        match self {
            Self::Asc => "ascending",
            Self::Desc => "descending",
        }
    }

    /// The other one.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }
}

/// The layers whose name, type or kind contains a text, in any case, sorted. Ties stay in execution order.
pub(super) fn arrange<'a>(
    layers: &'a [LayerPrediction],
    filter: &str,
    sort: Sort,
    order: Order,
) -> Vec<&'a LayerPrediction> {
    let wanted = filter.trim().to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&wanted);
    let mut rows: Vec<&LayerPrediction> = layers
        .iter()
        .filter(|l| wanted.is_empty() || holds(&l.layer_name) || holds(&l.layer_type) || holds(l.kind.words()))
        .collect();
    let compare = |a: &&LayerPrediction, b: &&LayerPrediction| match sort {
        Sort::Name => natural(&a.layer_name, &b.layer_name),
        Sort::Kind => a.kind.words().cmp(b.kind.words()),
        _ => sort.value(a).total_cmp(&sort.value(b)),
    };
    match order {
        Order::Asc => rows.sort_by(compare),
        Order::Desc => rows.sort_by(|a, b| compare(b, a)),
    }
    rows
}

/// Natural order: runs of digits compare by value, so `conv10` follows `conv9`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let (x, y) = match (a.peek().copied(), b.peek().copied()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        let ordering = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (digits(&mut a), digits(&mut b));
            x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
        } else {
            a.next();
            b.next();
            x.to_lowercase().cmp(y.to_lowercase())
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

/// A run of digits without leading zeros.
fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut run = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        if digit != '0' || !run.is_empty() {
            run.push(digit);
        }
    }
    run
}

/// The groups of kinds that charts tell apart, in the order of their colours.
pub(super) const GROUPS: [&str; 8] = [
    "convolution",
    "dense, products and attention",
    "depthwise and grouped",
    "pooling",
    "pointwise",
    "data movement",
    "reduction, softmax, normalisation",
    "other",
];

/// The group of a kind, an index into [`GROUPS`].
pub(super) fn group(kind: LayerKind) -> usize {
    // What costs nothing and what is not described are told apart nowhere else.
    (kind.family() as usize).min(GROUPS.len() - 1)
}

/// The shapes of a layer: `64×56×56 → 128×28×28, 3×3, stride 2, fp16`. Empty where the engine info has none.
pub(super) fn shape(layer: &Layer) -> String {
    let extents = |dims: &[i64]| -> String {
        let told: Vec<String> = dims.iter().map(|d| if *d < 0 { "?".to_owned() } else { d.to_string() }).collect();
        told.join("×")
    };
    let spatial = |extents: &[u32]| extents.iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
    let mut text = match (layer.input(), layer.output()) {
        (Some(input), Some(output)) => format!("{} → {}", extents(&input.dims), extents(&output.dims)),
        (None, Some(output)) => format!("→ {}", extents(&output.dims)),
        (Some(input), None) => extents(&input.dims),
        (None, None) => String::new(),
    };
    if let Some(kernel) = layer.kernel.as_deref().filter(|k| !k.is_empty()) {
        let _ = write!(text, ", {}", spatial(kernel));
    }
    if let Some(stride) = layer.stride.as_deref().filter(|s| s.iter().any(|extent| *extent != 1)) {
        let same = stride.windows(2).all(|pair| pair[0] == pair[1]);
        let _ = write!(text, ", stride {}", spatial(if same { &stride[..1] } else { stride }));
    }
    if let Some(groups) = layer.groups.filter(|g| *g > 1) {
        let _ = write!(text, ", {groups} groups");
    }
    if let Some(precision) = layer.precision() {
        let _ = write!(text, ", {}", precision.name());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::predict::{RowPrediction, Source};
    use shared::units::{Millijoules, Millis};

    fn layer(index: usize, name: &str, runtime: Option<f64>) -> LayerPrediction {
        LayerPrediction {
            index,
            layer_name: name.to_owned(),
            layer_type: "CaskConvolution".to_owned(),
            kind: LayerKind::Convolution,
            operators: Vec::new(),
            precision: None,
            output: Vec::new(),
            weights: None,
            row: RowPrediction {
                power_prediction: None,
                runtime_prediction: runtime.map(Millis),
                energy_prediction: runtime.map(Millijoules),
                power_bounds: None,
                runtime_bounds: None,
                runtime_source: Source::Model,
                power_source: Source::Unmodelled,
                outside_training_range: Vec::new(),
            },
        }
    }

    fn names(rows: &[&LayerPrediction]) -> Vec<String> {
        rows.iter().map(|l| l.layer_name.clone()).collect()
    }

    #[test]
    fn layers_are_sorted_and_filtered() {
        let layers = [
            layer(0, "conv10", Some(2.0)),
            layer(1, "Conv9", None),
            layer(2, "pool", Some(3.0)),
            layer(3, "a", Some(2.0)),
        ];
        let by = |sort, order| names(&arrange(&layers, "", sort, order));
        assert_eq!(by(Sort::Runtime, Order::Desc), ["pool", "conv10", "a", "Conv9"]);
        assert_eq!(by(Sort::Runtime, Order::Asc), ["Conv9", "conv10", "a", "pool"]);
        assert_eq!(by(Sort::Name, Order::Asc), ["a", "Conv9", "conv10", "pool"]);
        assert_eq!(by(Sort::Index, Order::Desc), ["a", "pool", "Conv9", "conv10"]);
        assert_eq!(names(&arrange(&layers, " CONV1", Sort::Index, Order::Asc)), ["conv10"]);
        assert_eq!(arrange(&layers, "Cask", Sort::Index, Order::Asc).len(), 4);
    }

    #[test]
    fn a_shape_reads_as_one_line() {
        let info = simulate::architectures::engine_info("resnet18", simulate::architectures::Options::default())
            .expect("known");
        let (engine, _) = shared::engine::parse(info.as_bytes()).expect("our own");
        assert_eq!(shape(&engine.layers[0]), "1×3×224×224 → 1×3×224×224, fp16");
        let convolution = engine.layers.iter().find(|l| l.kind == LayerKind::Convolution).expect("has one");
        assert_eq!(shape(convolution), "1×3×224×224 → 1×64×112×112, 7×7, stride 2, fp16");
    }
}
