//! What a graph does not tell: time spent on layout changes that TensorRT inserts between kernels by timing them.

/// Time that layers add which a graph does not tell, as measured on real engines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    /// Smallest share of an engine's run time, 0 to 1.
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

impl Correction {
    /// What was measured on engines like this one.
    #[must_use]
    pub fn of(is_quantized: bool) -> Self {
        let shares: &[f64] = if is_quantized { &QUANTIZED } else { &FLOAT };
        let middle = shares.len() / 2;
        let median =
            if shares.len().is_multiple_of(2) { (shares[middle - 1] + shares[middle]) / 2.0 } else { shares[middle] };
        Self { lower: shares[0], median, upper: shares[shares.len() - 1], engines: shares.len() }
    }

    /// What it adds to a time that lacks it: `time · share / (1 − share)` for the smallest, the median and the largest share.
    ///
    /// ```
    /// let correction = graph::Correction { lower: 0.0, median: 0.1, upper: 0.5, engines: 3 };
    /// assert_eq!(correction.added_to(9.0), [0.0, 1.0, 9.0]);
    /// ```
    #[must_use]
    pub fn added_to(self, time: f64) -> [f64; 3] {
        [self.lower, self.median, self.upper].map(|share| time * share / (1.0 - share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_order() {
        assert!(FLOAT.is_sorted() && QUANTIZED.is_sorted());
        assert_eq!(Correction::of(false), Correction { lower: 0.0, median: 0.0, upper: 0.0212, engines: 4 });
        assert_eq!(Correction::of(true).median, 0.0319);
    }
}
