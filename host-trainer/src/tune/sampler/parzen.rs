//! Densities over a search space, estimated from points by a kernel at each, and one over everything besides.

use crate::tune::random::Stream;
use crate::tune::space::{Axis, Point};

/// Weight of the kernel over everything.
const PRIOR: f64 = 1.0;
/// Kernels' spread before there are many of them.
const SPREAD: f64 = 0.2;
/// Newest points that count in full; the older they are, the less the others do.
const IN_FULL: usize = 25;

/// A mixture of product kernels.
#[derive(Debug)]
pub(super) struct Mixture<'a> {
    kernels: Vec<(f64, Option<&'a Point>)>,
    spread: f64,
}

impl<'a> Mixture<'a> {
    /// The mixture over points, oldest first, with the prior as its last kernel. Spreads follow Scott's rule.
    pub(super) fn of(axes: &[Axis], points: &[&'a Point]) -> Self {
        let count = points.len();
        let weight = |age: usize| match count.checked_sub(IN_FULL) {
            Some(older) if age < older => (1.0 + age as f64 * (count as f64 - 1.0) / older as f64) / count as f64,
            _ => 1.0,
        };
        let mut kernels: Vec<(f64, Option<&Point>)> =
            points.iter().enumerate().map(|(age, point)| (weight(age), Some(*point))).collect();
        kernels.push((PRIOR, None));
        let total: f64 = kernels.iter().map(|(weight, _)| weight).sum();
        kernels.iter_mut().for_each(|(weight, _)| *weight /= total);
        let scott = SPREAD * (count.max(1) as f64).powf(-1.0 / (axes.len() as f64 + 4.0));
        let least = 1.0 / (count as f64 + 2.0).min(100.0);
        Self { kernels, spread: scott.max(least * SPREAD) }
    }

    /// Draws a point; elements that its kernel lacks are drawn from the prior.
    pub(super) fn draw(&self, axes: &[Axis], stream: &mut Stream) -> Point {
        let mut left = stream.uniform();
        let mut chosen = None;
        for (weight, centre) in &self.kernels {
            chosen = *centre;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        let centre = |i: usize| chosen.and_then(|point| point.get(i).copied().flatten());
        axes.iter().enumerate().map(|(i, axis)| Some(self.draw_on(axis, centre(i), stream))).collect()
    }

    fn draw_on(&self, axis: &Axis, centre: Option<f64>, stream: &mut Stream) -> f64 {
        if let Axis::Choice(count) = axis {
            let own = self.own_share(*count);
            return match centre {
                Some(centre) if stream.uniform() < own => centre,
                _ => stream.below(*count) as f64,
            };
        }
        let Some(centre) = centre else { return stream.uniform() };
        // Outside the range there is nothing: try again, which draws from the kernel cut off there.
        for _ in 0..64 {
            let x = centre + self.spread_on(axis) * stream.normal();
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

    /// A spread that lets neighbours of a whole number be drawn.
    fn spread_on(&self, axis: &Axis) -> f64 {
        match axis {
            Axis::Int { .. } => self.spread.max(axis.count().map_or(0.0, |count| 0.5 / count as f64)),
            _ => self.spread,
        }
    }

    /// Logarithm of the density at a point.
    pub(super) fn log_density(&self, axes: &[Axis], point: &Point) -> f64 {
        let logs: Vec<f64> = self
            .kernels
            .iter()
            .map(|(weight, centre)| {
                let of_axes = axes.iter().zip(point).enumerate().filter_map(|(i, (axis, x))| {
                    let centre = centre.and_then(|centre| centre.get(i).copied().flatten());
                    Some(self.log_density_on(axis, centre, (*x)?))
                });
                weight.ln() + of_axes.sum::<f64>()
            })
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
    }

    fn log_density_on(&self, axis: &Axis, centre: Option<f64>, x: f64) -> f64 {
        if let Axis::Choice(count) = axis {
            let even = 1.0 / (*count).max(1) as f64;
            let Some(centre) = centre else { return even.ln() };
            let own = self.own_share(*count);
            let share = (1.0 - own) * even + if centre == x { own } else { 0.0 };
            return share.ln();
        }
        let (centre, spread) = match centre {
            Some(centre) => (centre, self.spread_on(axis)),
            None => return 0.0,
        };
        let inside = normal_share((1.0 - centre) / spread) - normal_share(-centre / spread);
        let z = (x - centre) / spread;
        -0.5 * z * z - (spread * std::f64::consts::TAU.sqrt() * inside).ln()
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
        let mut stream = Stream::of(&[3]);
        let near = (0..1000).filter(|_| mixture.draw(&axes, &mut stream)[0].is_some_and(|x| x > 0.6)).count();
        assert!(near > 800, "{near}");
    }
}
