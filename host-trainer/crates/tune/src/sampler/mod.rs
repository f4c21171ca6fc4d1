//! Samplers: which point a trial tries, as a function of the seed, its number, the trials of earlier generations and the
//! points already given to its own generation. Whoever works it out, and however often, gets the same point.

mod parzen;

use super::random::Stream;
use super::space::{Parameters, Point, Space};
use parzen::Mixture;
use serde::{Deserialize, Serialize};

/// How points are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sampler {
    /// Where good trials are dense and others are not: the tree-structured Parzen estimator (Bergstra et al., 2011).
    #[default]
    Tpe,
    /// Anywhere.
    Random,
    /// Every combination of countable values, one after the other.
    Grid,
}

impl Sampler {
    /// All samplers, in the order that help texts list them.
    pub const ALL: &[Self] = &[Self::Tpe, Self::Random, Self::Grid];

    /// The name that the command line and studies have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tpe => "tpe",
            Self::Random => "random",
            Self::Grid => "grid",
        }
    }
}

/// A finished trial as a sampler sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Where it was.
    pub point: Point,
    /// How well it did: trials of more steps before those pruned early, then the lower value.
    pub standing: Standing,
}

/// How well a finished trial did; less is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// It was judged to the end.
    Complete(f64),
    /// It was given up after so many steps, at a value.
    Pruned(u32, f64),
}

impl Standing {
    fn key(self) -> (u32, f64) {
        match self {
            Self::Complete(value) => (0, value),
            Self::Pruned(steps, value) => (u32::MAX - steps, value),
        }
    }
}

/// Trials at random before densities are worth estimating.
const STARTUP: usize = 10;
/// Candidates drawn from the density of good trials, of which the most promising is taken.
const CANDIDATES: usize = 48;
/// Good trials at most.
const MOST_GOOD: usize = 25;
/// Purposes of random numbers.
const RANDOM_POINT: u64 = 1;
const CANDIDATE: u64 = 2;

/// What a proposal rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The study's seed.
    pub seed: u64,
    /// The trial's number, from 0.
    pub number: u64,
    /// Finished trials of earlier generations, by number; failed ones left out.
    pub earlier: &'a [Observation],
    /// Points of the same generation with smaller numbers, whose results must not matter.
    pub pending: &'a [Point],
}

/// The parameters that a trial tries.
///
/// # Errors
/// A sentence, where a grid is asked for and the space is none.
pub fn propose(sampler: Sampler, space: &Space, situation: Situation<'_>) -> Result<Parameters, String> {
    let point = match sampler {
        Sampler::Grid => return Ok(space.grid()?.parameters(situation.number)),
        Sampler::Random => at_random(space, situation),
        Sampler::Tpe if situation.earlier.len() < STARTUP => at_random(space, situation),
        Sampler::Tpe => tpe(space, situation),
    };
    Ok(space.parameters(&point))
}

fn at_random(space: &Space, situation: Situation<'_>) -> Point {
    space.random(&mut Stream::of(&[situation.seed, situation.number, RANDOM_POINT]))
}

/// Splits what is known into good trials and the rest, draws candidates from the density of the good ones, and takes the
/// one whose density there is highest relative to that of the rest. Pending points count as not good, so that a
/// generation spreads out (the constant liar of Ginsbourger et al., 2010, doi:10.1007/978-3-642-10701-6_6).
fn tpe(space: &Space, situation: Situation<'_>) -> Point {
    let axes = space.axes();
    let mut order: Vec<usize> = (0..situation.earlier.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (situation.earlier[a].standing.key(), situation.earlier[b].standing.key());
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let good = order.len().div_ceil(10).min(MOST_GOOD);
    // Back in the order of their numbers: the older of many count for less.
    let points = |indices: &[usize]| {
        let mut indices = indices.to_vec();
        indices.sort_unstable();
        indices.into_iter().map(|i| &situation.earlier[i].point).collect::<Vec<_>>()
    };
    let rest: Vec<&Point> = points(&order[good..]).into_iter().chain(situation.pending).collect();
    let good = Mixture::of(&axes, &points(&order[..good]));
    let rest = Mixture::of(&axes, &rest);
    let mut stream = Stream::of(&[situation.seed, situation.number, CANDIDATE]);
    let candidates = (0..CANDIDATES).map(|_| {
        let point = space.trimmed(good.draw(&axes, &mut stream));
        point.iter().zip(&axes).map(|(x, axis)| x.map(|x| axis.settled(x))).collect::<Point>()
    });
    let promise = |point: &Point| good.log_density(&axes, point) - rest.log_density(&axes, point);
    let best = candidates.map(|point| (promise(&point), point)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or_else(|| at_random(space, situation), |(_, point)| point)
}

#[cfg(test)]
mod tests;
