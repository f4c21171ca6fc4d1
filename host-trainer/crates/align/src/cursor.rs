//! A moment that moves along the timeline and knows how long each component has run until then, and how much of it the
//! smoothed load still shows.
//!
//! Behind a first-order smoothing of time constant τ, the load `s` follows `ds/dt = (P − s)/τ`, so that
//! `∫ s dt = ∫ P dt − τ·(s(b) − s(a))`: the mean of the smoothed load over a window follows from two moments alone.

use super::pieces::{EXCLUDED, Piece};

/// What is summed up along the timeline.
#[derive(Debug, Clone)]
pub(crate) enum Lens {
    /// Each component on its own, then excluded time.
    Components(usize),
    /// The load of known powers, as one number; time outside comes last.
    Powers(Vec<f64>),
}

impl Lens {
    /// Numbers that are summed up.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Components(count) => count + 1,
            Self::Powers(_) => 1,
        }
    }

    fn slot(&self, component: u32) -> (usize, f64) {
        match self {
            Self::Components(count) => (if component == EXCLUDED { *count } else { component as usize }, 1.0),
            Self::Powers(watts) => {
                let last = watts.len() - 1;
                (0, watts[if component == EXCLUDED { last } else { component as usize }])
            }
        }
    }
}

/// Pieces that are looked at one by one before all are searched.
const CLOSE: usize = 8;

/// A moment on the timeline. Levels are kept as `scale · level`, so that fading costs one product per piece.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    pub(crate) at_us: f64,
    /// Where the piece at that moment was found last; pieces may have been dropped since.
    near: usize,
    time: Vec<f64>,
    level: Vec<f64>,
    scale: f64,
}

impl Cursor {
    pub(crate) fn new(size: usize) -> Self {
        Self { at_us: f64::NEG_INFINITY, near: 0, time: vec![0.0; size], level: vec![0.0; size], scale: 1.0 }
    }

    /// Begins at a moment before which nothing is known.
    pub(crate) fn reset(&mut self, at_us: f64, lens: &Lens) {
        self.at_us = at_us;
        self.time.fill(0.0);
        self.level.fill(0.0);
        self.scale = 1.0;
        let (slot, amount) = lens.slot(EXCLUDED);
        self.level[slot] = amount;
    }

    /// Moves on to a moment. False where the timeline ends before.
    pub(crate) fn advance(&mut self, lens: &Lens, start_us: f64, pieces: &[Piece], to_us: f64, tau_us: f64) -> bool {
        if self.at_us < start_us {
            self.flow(lens.slot(EXCLUDED), start_us.min(to_us) - self.at_us, tau_us);
            self.at_us = start_us.min(to_us);
        }
        let mut at = self.find(pieces);
        while self.at_us < to_us {
            let Some(piece) = pieces.get(at) else { return false };
            let until = piece.end_us.min(to_us);
            self.flow(lens.slot(piece.component), until - self.at_us, tau_us);
            self.at_us = until;
            at += usize::from(piece.end_us <= until);
        }
        self.near = at;
        true
    }

    /// The first piece that ends after this moment: mostly one that lies near the one found last, for a search through all
    /// pieces took a quarter of the time of a fit.
    fn find(&self, pieces: &[Piece]) -> usize {
        let is_before = |p: &Piece| p.end_us <= self.at_us;
        if self.near > pieces.len() || self.near > 0 && !is_before(&pieces[self.near - 1]) {
            return pieces.partition_point(is_before);
        }
        let rest = &pieces[self.near..];
        let close = rest.iter().take(CLOSE).position(|p| !is_before(p));
        self.near + close.unwrap_or_else(|| rest.partition_point(is_before))
    }

    fn flow(&mut self, (slot, amount): (usize, f64), us: f64, tau_us: f64) {
        self.time[slot] += amount * us;
        if tau_us > 0.0 {
            let keep = (-us / tau_us).exp();
            self.scale *= keep;
            if self.scale < 1e-100 {
                for level in &mut self.level {
                    *level *= self.scale;
                }
                self.scale = 1.0;
            }
            self.level[slot] += amount * (1.0 - keep) / self.scale;
        }
    }

    /// What the smoothed load shows at this moment.
    pub(crate) fn levels(&self) -> impl Iterator<Item = f64> + '_ {
        self.level.iter().map(|level| level * self.scale)
    }

    /// Adds `weight` times the mean of the smoothed load from `tail` to here.
    pub(crate) fn add_mean(&self, tail: &Self, tau_us: f64, weight: f64, out: &mut [f64]) {
        let length = self.at_us - tail.at_us;
        let weight = weight / length;
        for (i, out) in out.iter_mut().enumerate() {
            let shown = self.level[i] * self.scale - tail.level[i] * tail.scale;
            *out += weight * (self.time[i] - tail.time[i] - tau_us * shown);
        }
    }
}
