//! The load behind first-order lags, integrated in closed form over constant pieces.

/// Two first-order lags in series, either of which may be none: what lies in front of a chip, and a filtered sensor's own.
#[derive(Debug, Clone)]
pub(super) struct Front {
    first_s: f64,
    second_s: f64,
    first_w: f64,
    second_w: f64,
    /// Integral of the power behind the first lag since the start, J.
    energy_j: f64,
}

impl Front {
    /// Two time constants in s (0 is none), settled at a power.
    pub(super) fn new(first_s: f64, second_s: f64, settled_w: f64) -> Self {
        // The closed form divides by the difference; a hundred-thousandth apart, both are the same to every digit that counts.
        let equal = (first_s - second_s).abs() < 1e-5 * first_s;
        let second_s = if equal { first_s * (1.0 + 1e-5) } else { second_s };
        Self { first_s, second_s, first_w: settled_w, second_w: settled_w, energy_j: 0.0 }
    }

    /// Lets constant power flow.
    pub(super) fn flow(&mut self, seconds: f64, watts: f64) {
        // 1 − e^(−t/τ), without losing the digits of a short piece.
        let settled = |tau: f64| if tau > 0.0 { -(-seconds / tau).exp_m1() } else { 1.0 };
        let off = self.first_w - watts;
        let by_first = settled(self.first_s);
        self.energy_j += watts * seconds + off * self.first_s * by_first;
        self.first_w -= off * by_first;
        if self.second_s > 0.0 {
            // y₂ = P + A·e^(−t/τ₁) + B·e^(−t/τ₂) with A = (y₁ − P)·τ₁/(τ₁ − τ₂) and B = y₂ − P − A at the start.
            let a = off * self.first_s / (self.first_s - self.second_s);
            let b = self.second_w - watts - a;
            self.second_w = watts + a * (1.0 - by_first) + b * (1.0 - settled(self.second_s));
        } else {
            self.second_w = self.first_w;
        }
    }

    /// The power behind both lags.
    pub(super) fn watts(&self) -> f64 {
        self.second_w
    }

    /// The energy behind the first lag since the start, J.
    pub(super) fn energy_j(&self) -> f64 {
        self.energy_j
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The closed form against small steps of the differential equations.
    #[test]
    fn lags_in_series_agree_with_small_steps() {
        for (first_s, second_s) in [(0.0, 0.0), (2e-4, 0.0), (0.0, 3e-3), (2e-4, 3e-3), (1e-3, 1e-3)] {
            let mut front = Front::new(first_s, second_s, 4.0);
            let (mut first, mut second, mut energy) = (4.0, 4.0, 0.0);
            let step = 1e-7;
            for (pieces, watts) in [(3_000, 9.0), (500, 2.0), (8_000, 6.5)] {
                front.flow(f64::from(pieces) * step, watts);
                for _ in 0..pieces {
                    let before = first;
                    first =
                        if first_s > 0.0 { first + (watts - first) * (1.0 - (-step / first_s).exp()) } else { watts };
                    let middle = if first_s > 0.0 { 0.5 * (before + first) } else { watts };
                    second = if second_s > 0.0 {
                        second + (middle - second) * (1.0 - (-step / second_s).exp())
                    } else {
                        first
                    };
                    energy += middle * step;
                }
                assert!((front.watts() - second).abs() < 1e-5, "{first_s} {second_s}: {} {second}", front.watts());
                assert!(
                    (front.energy_j() - energy).abs() < 1e-9,
                    "{first_s} {second_s}: {} {energy}",
                    front.energy_j()
                );
            }
        }
    }
}
