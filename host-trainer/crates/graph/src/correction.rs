//! What a graph does not tell, and what that may add to a predicted run time: layout changes that TensorRT inserts between kernels by
//! timing them, and 1×1 convolutions that it runs as matrix products or not, likewise.

use shared::engine::{Engine, Layer, LayerKind, Precision};

/// Time that a list of layers may lack, or have too much of, and by how many real engines.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// What it is for.
    pub what: &'static str,
    /// Smallest addition to the run time, ms.
    pub lower_ms: f64,
    /// Median addition, ms.
    pub median_ms: f64,
    /// Largest addition, ms.
    pub upper_ms: f64,
    /// Engines behind it.
    pub engines: usize,
}

/// Shares of run time, 0 to 1, that engines spent on layout changes between kernels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayoutChanges {
    /// Smallest share.
    pub lower: f64,
    /// Median share.
    pub median: f64,
    /// Largest share.
    pub upper: f64,
    /// Engines measured.
    pub engines: usize,
}

/// Shares of run time in `Reformat` layers that touch neither input nor output, of engines with a layer profile, in ascending order.
/// Without Q/DQ nodes: AlexNet and MobileNetV2 (TensorRT 10, FP16, desktop), ResNet-18 (TensorRT 8, FP16 and FP32, A100).
const FLOAT: [f64; 4] = [0.0, 0.0, 0.0, 0.0212];
/// With Q/DQ nodes (TensorRT 8, A100): ResNet-18 in three placements, MobileNetV2 in two and two builds each. Where an engine has two
/// profiles, the larger share.
const QUANTIZED: [f64; 7] = [0.0, 0.0140, 0.0280, 0.0319, 0.0963, 0.1981, 0.2052];

impl LayoutChanges {
    /// What was measured on engines like this one.
    #[must_use]
    pub fn of(is_quantized: bool) -> Self {
        let shares: &[f64] = if is_quantized { &QUANTIZED } else { &FLOAT };
        let middle = shares.len() / 2;
        let median =
            if shares.len().is_multiple_of(2) { (shares[middle - 1] + shares[middle]) / 2.0 } else { shares[middle] };
        Self { lower: shares[0], median, upper: shares[shares.len() - 1], engines: shares.len() }
    }

    /// What they add to a time that lacks them, ms: `time · share / (1 − share)`.
    ///
    /// ```
    /// let changes = graph::LayoutChanges { lower: 0.0, median: 0.1, upper: 0.5, engines: 3 };
    /// let correction = changes.added_to(9.0);
    /// assert_eq!((correction.lower_ms, correction.median_ms, correction.upper_ms), (0.0, 1.0, 9.0));
    /// ```
    #[must_use]
    pub fn added_to(self, time_ms: f64) -> Correction {
        let [lower_ms, median_ms, upper_ms] =
            [self.lower, self.median, self.upper].map(|share| time_ms * share / (1.0 - share));
        Correction { what: "layout changes between kernels", lower_ms, median_ms, upper_ms, engines: self.engines }
    }
}

/// Input channels from which a 1×1 convolution more likely runs as a matrix product. Of the 1×1 convolutions of stride 1 in engines
/// of TensorRT 10 for a desktop GPU, the rule says what was built of 144 in 170 (MobileNetV2, five builds) and of 44 in 50
/// (YOLO26n); of two builds of MobileNetV2 for an Orin Nano, of 30 in 68.
pub(crate) const PRODUCT_CHANNELS: i64 = 96;
/// Engines behind [`PRODUCT_CHANNELS`].
const CHOICES: usize = 8;

/// Whether TensorRT may run a layer as a convolution or as a matrix product, and decides by timing: a 1×1 convolution of stride 1 and
/// one group over an image, in floating point.
#[must_use]
pub fn may_be_product(layer: &Layer) -> bool {
    let ones =
        |extents: &Option<Vec<u32>>| extents.as_ref().is_none_or(|extents| extents.iter().all(|&extent| extent == 1));
    let image = layer.inputs.first().and_then(|image| image.dims.get(2..)).unwrap_or_default();
    matches!(layer.kind, LayerKind::Convolution | LayerKind::Dense)
        && layer.kernel.is_some()
        && ones(&layer.kernel)
        && ones(&layer.stride)
        && layer.groups.unwrap_or(1) == 1
        && layer.precision() != Some(Precision::Int8)
        && image.iter().any(|&extent| extent > 1)
}

/// Whether it likely does run as a product, by the layer's input channels.
#[must_use]
pub fn is_likely_product(layer: &Layer) -> bool {
    layer.inputs.first().and_then(|image| image.dims.get(1)).is_some_and(|&channels| channels >= PRODUCT_CHANNELS)
}

/// The engine with every such layer as a convolution, and with every one as a product; none without any.
pub(crate) fn either_way(engine: &Engine) -> Option<[Engine; 2]> {
    engine.layers.iter().any(may_be_product).then(|| {
        [LayerKind::Convolution, LayerKind::Dense].map(|kind| {
            let mut changed = engine.clone();
            changed.layers.iter_mut().filter(|layer| may_be_product(layer)).for_each(|layer| layer.kind = kind);
            changed
        })
    })
}

/// The correction for 1×1 convolutions, by the times of the list and of both engines of [`either_way`], ms.
pub(crate) fn of_products(listed_ms: f64, either_ms: [f64; 2]) -> Correction {
    let added = either_ms.map(|ms| ms - listed_ms);
    Correction {
        what: "1×1 convolutions, each as a convolution or as a matrix product",
        lower_ms: added[0].min(added[1]).min(0.0),
        median_ms: 0.0,
        upper_ms: added[0].max(added[1]).max(0.0),
        engines: CHOICES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_order() {
        assert!(FLOAT.is_sorted() && QUANTIZED.is_sorted());
        assert_eq!(LayoutChanges::of(false), LayoutChanges { lower: 0.0, median: 0.0, upper: 0.0212, engines: 4 });
        assert_eq!(LayoutChanges::of(true).median, 0.0319);
    }

    #[test]
    fn a_correction_for_products_holds_the_list_itself() {
        let correction = of_products(10.0, [12.0, 11.0]);
        assert_eq!((correction.lower_ms, correction.median_ms, correction.upper_ms), (0.0, 0.0, 2.0));
        let correction = of_products(10.0, [12.0, 9.5]);
        assert_eq!((correction.lower_ms, correction.upper_ms), (-0.5, 2.0));
    }
}
