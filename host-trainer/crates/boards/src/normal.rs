//! The normal distribution.

/// Φ: the probability that a standard normal variable lies below `z`. By the complementary error function of Press et al.,
/// *Numerical Recipes in C*, 2nd edition, section 6.2, whose relative error is below 1.2 · 10⁻⁷.
///
/// ```
/// assert!((boards::probability_below(0.0) - 0.5).abs() < 1e-7);
/// assert!((boards::probability_below(1.959964) - 0.975).abs() < 1e-6);
/// assert!((boards::probability_below(-1.959964) - 0.025).abs() < 1e-6);
/// ```
#[must_use]
pub fn probability_below(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let upper = 0.5 * t * (-x * x + polynomial).exp();
    if z > 0.0 { 1.0 - upper } else { upper }
}

/// The value that a standard normal variable lies below with a probability; ±∞ at 0 and 1. Bisection of
/// [`probability_below`].
///
/// ```
/// assert!((boards::quantile(0.95) - 1.644854).abs() < 1e-5);
/// ```
#[must_use]
pub fn quantile(probability: f64) -> f64 {
    if probability <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (-10.0, 10.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if probability_below(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}
