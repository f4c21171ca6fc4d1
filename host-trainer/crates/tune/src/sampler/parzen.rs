//! Densities over a search space, estimated from points by a kernel at each, and one over everything besides.

use crate::space::{Axis, Point};
use shared::random::SplitMix64;

/// Weight of the kernel over everything.
const PRIOR: f64 = 1.0;
/// Kernels at which the least spread stops shrinking.
const FINEST: f64 = 100.0;
/// Widest that a kernel at a point is.
const WIDEST: f64 = 0.3;
/// Newest points that count in full; the older they are, the less the others do.
const IN_FULL: usize = 25;

/// A mixture of product kernels, the last of them over everything.
#[derive(Debug)]
pub(super) struct Mixture<'a> {
    kernels: Vec<Kernel<'a>>,
}

#[derive(Debug)]
struct Kernel<'a> {
    weight: f64,
    /// None over everything.
    centre: Option<&'a Point>,
    /// On each axis.
    spreads: Vec<f64>,
}

impl Kernel<'_> {
    /// Centre and spread on an axis; `None` where the kernel is even there.
    fn on(&self, axis: usize) -> Option<(f64, f64)> {
        Some((self.centre?.get(axis).copied().flatten()?, self.spreads[axis]))
    }
}

impl<'a> Mixture<'a> {
    /// The mixture over points, oldest first. On each axis a kernel reaches as far as the farther of its neighbours
    /// (Bergstra et al., 2011, section 4), within bounds.
    pub(super) fn of(axes: &[Axis], points: &[&'a Point]) -> Self {
        let count = points.len();
        let weight = |age: usize| match count.checked_sub(IN_FULL) {
            Some(older) if age < older => (1.0 + age as f64 * (count as f64 - 1.0) / older as f64) / count as f64,
            _ => 1.0,
        };
        let mut kernels: Vec<Kernel<'_>> = points
            .iter()
            .enumerate()
            .map(|(age, point)| Kernel { weight: weight(age), centre: Some(point), spreads: vec![1.0; axes.len()] })
            .collect();
        for (i, axis) in axes.iter().enumerate().filter(|(_, axis)| !matches!(axis, Axis::Choice(_))) {
            let least = least_spread(axis, count);
            let mut placed: Vec<(f64, usize)> =
                points.iter().enumerate().filter_map(|(k, point)| Some(((*point.get(i)?)?, k))).collect();
            placed.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (place, (x, kernel)) in placed.iter().enumerate() {
                let below = place.checked_sub(1).map(|place| x - placed[place].0);
                let above = placed.get(place + 1).map(|(next, _)| next - x);
                // Alone it reaches to the farther end; at an end it knows one neighbour.
                let reach = match (below, above) {
                    (Some(below), Some(above)) => below.max(above),
                    (Some(one), None) | (None, Some(one)) if placed.len() > 2 => one,
                    (one, other) => one.or(other).unwrap_or(0.0).max(*x).max(1.0 - x),
                };
                kernels[*kernel].spreads[i] = reach.min(WIDEST).max(least);
            }
        }
        kernels.push(Kernel { weight: PRIOR, centre: None, spreads: Vec::new() });
        let total: f64 = kernels.iter().map(|kernel| kernel.weight).sum();
        kernels.iter_mut().for_each(|kernel| kernel.weight /= total);
        Self { kernels }
    }

    /// Draws a point; elements that its kernel lacks are drawn evenly.
    pub(super) fn draw(&self, axes: &[Axis], stream: &mut SplitMix64) -> Point {
        let mut left = stream.uniform();
        let chosen = self.kernels.iter().find(|kernel| {
            left -= kernel.weight;
            left < 0.0
        });
        let on = |i: usize| chosen.and_then(|kernel| kernel.on(i));
        axes.iter().enumerate().map(|(i, axis)| Some(self.draw_on(axis, on(i), stream))).collect()
    }

    fn draw_on(&self, axis: &Axis, kernel: Option<(f64, f64)>, stream: &mut SplitMix64) -> f64 {
        if let Axis::Choice(count) = axis {
            let own = self.own_share(*count);
            return match kernel {
                Some((centre, _)) if stream.uniform() < own => centre,
                _ => stream.below(*count) as f64,
            };
        }
        let Some((centre, spread)) = kernel else { return stream.uniform() };
        // Outside the range there is nothing: try again, which draws from the kernel cut off there.
        for _ in 0..64 {
            let x = centre + spread * stream.normal();
            if (0.0..=1.0).contains(&x) {
                return x;
            }
        }
        centre
    }

    /// Of a kernel on a choice, the share of its own value; the rest is even over all values.
    fn own_share(&self, count: usize) -> f64 {
        let kernels = self.kernels.len() as f64;
        1.0 / (1.0 + count as f64 * PRIOR / kernels)
    }

    /// Logarithm of the density at a point.
    pub(super) fn log_density(&self, axes: &[Axis], point: &Point) -> f64 {
        let logs: Vec<f64> = self
            .kernels
            .iter()
            .map(|kernel| {
                let of_axes = axes.iter().zip(point).enumerate();
                let logs = of_axes.filter_map(|(i, (axis, x))| Some(self.log_density_on(axis, kernel.on(i), (*x)?)));
                kernel.weight.ln() + logs.sum::<f64>()
            })
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
    }

    fn log_density_on(&self, axis: &Axis, kernel: Option<(f64, f64)>, x: f64) -> f64 {
        if let Axis::Choice(count) = axis {
            let even = 1.0 / (*count).max(1) as f64;
            let Some((centre, _)) = kernel else { return even.ln() };
            let own = self.own_share(*count);
            let share = (1.0 - own) * even + if centre == x { own } else { 0.0 };
            return share.ln();
        }
        let Some((centre, spread)) = kernel else { return 0.0 };
        let inside = normal_share((1.0 - centre) / spread) - normal_share(-centre / spread);
        let z = (x - centre) / spread;
        -0.5 * z * z - (spread * std::f64::consts::TAU.sqrt() * inside).ln()
    }
}

/// The least spread of a kernel: it narrows as the number of kernels grows, but lets neighbours of a whole number be drawn.
fn least_spread(axis: &Axis, count: usize) -> f64 {
    let fine = 1.0 / (count as f64 + 1.0).min(FINEST);
    match axis {
        Axis::Int { .. } => fine.max(axis.count().map_or(0.0, |count| 0.5 / count as f64)).min(1.0),
        _ => fine,
    }
}

/// The standard normal's share below a value, to about 1e-7 (Abramowitz and Stegun, 7.1.26).
fn normal_share(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let polynomial =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = 0.5 * polynomial * (-z * z).exp();
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_add_up_to_one() {
        let axes = [Axis::Float { low: 0.0, high: 1.0, log: false }, Axis::Choice(3)];
        let points: Vec<Point> = vec![vec![Some(0.1), Some(0.0)], vec![Some(0.95), Some(2.0)]];
        let mixture = Mixture::of(&axes, &points.iter().collect::<Vec<_>>());
        let steps = 1000;
        let mass: f64 = (0..steps)
            .flat_map(|i| (0..3).map(move |c| vec![Some((f64::from(i) + 0.5) / f64::from(steps)), Some(f64::from(c))]))
            .map(|point| mixture.log_density(&axes, &point).exp() / f64::from(steps))
            .sum();
        assert!((mass - 1.0).abs() < 1e-4, "{mass}");
    }

    #[test]
    fn draws_gather_where_the_kernels_are() {
        let axes = [Axis::Float { low: 0.0, high: 1.0, log: false }];
        let point = vec![Some(0.9)];
        let points: Vec<&Point> = vec![&point; 30];
        let mixture = Mixture::of(&axes, &points);
        let mut stream = SplitMix64::keyed(&[3]);
        let near = (0..1000).filter(|_| mixture.draw(&axes, &mut stream)[0].is_some_and(|x| x > 0.6)).count();
        assert!(near > 800, "{near}");
    }
}
