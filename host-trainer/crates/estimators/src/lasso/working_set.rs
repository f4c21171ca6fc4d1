//! The few classes of columns that move, cut out of the whole problem.
//!
//! Most of a sweep finds a zero coefficient whose gradient is too small to move it, and most of an update's work keeps
//! those gradients current. Here only the gradients of a working set are kept current. For every other column `j` a bound
//! does: as long as the fit has moved by `‖XΔw‖` since its gradient was last computed, that gradient has changed by at most
//! `‖xⱼ‖·‖XΔw‖`. Until the bound of some column reaches the penalty, all of them would have been visited and left at
//! zero, so leaving them out changes nothing. When one does, the caller computes all gradients anew and cuts out a new set.

use super::kernels::{Work, add_scaled, wide};

/// A gradient this close to the penalty, relative to it, is at it: what remains is rounding, and following it would move
/// copies of a column to and fro for nothing.
const AT_PENALTY: f64 = 1e-15;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Swept {
    /// Largest coefficient seen, in size.
    pub(super) largest: f64,
    /// Largest step.
    pub(super) step: f64,
    /// Where the sweep had to stop because columns left out may move now: the visit made last.
    pub(super) stopped: Option<usize>,
}

/// Working set and its part of the Gram matrix. A *position* counts the set's classes, a *visit* their columns.
#[derive(Debug, Default)]
pub(super) struct WorkingSet {
    /// Class of each position, ascending.
    pub(super) classes: Vec<usize>,
    /// Gradient `xⱼ·(y - Xw)` of each position, current.
    pub(super) gradient: Vec<f64>,
    diagonal: Vec<f64>,
    /// Reciprocals of the diagonal.
    inverse: Vec<f64>,
    /// Square roots of the diagonal.
    pub(super) norms: Vec<f64>,
    /// Index of each visit's coefficient in the whole problem, ascending.
    pub(super) visits: Vec<usize>,
    /// Position of each visit.
    pub(super) position: Vec<usize>,
    /// Coefficient of each visit.
    pub(super) coefficients: Vec<f64>,
    /// Visits that screening has not excluded, ascending.
    pub(super) active: Vec<usize>,
    /// Gradients when the set was cut out.
    start: Vec<f64>,
    /// What was added to the coefficients of each position since then.
    added: Vec<f64>,
    /// Rows of the Gram matrix over the set, each filled when it is first needed.
    rows: Vec<f64>,
    filled: Vec<bool>,
    /// How far the fit may move before a column left out may move.
    margin: f64,
    /// Upper bound of how far it has moved.
    moved: f64,
}

impl WorkingSet {
    /// Starts an empty set; classes, visits and the limit follow.
    pub(super) fn restart(&mut self) {
        self.classes.clear();
        self.gradient.clear();
        self.diagonal.clear();
        self.inverse.clear();
        self.norms.clear();
        self.visits.clear();
        self.position.clear();
        self.coefficients.clear();
        self.active.clear();
    }

    /// Adds a class behind those already there.
    pub(super) fn push_class(&mut self, class: usize, gradient: f64, diagonal: f64, norm: f64) {
        self.classes.push(class);
        self.gradient.push(gradient);
        self.diagonal.push(diagonal);
        self.inverse.push(1.0 / diagonal);
        self.norms.push(norm);
    }

    /// Adds a visit behind those already there.
    pub(super) fn push_visit(&mut self, index: usize, position: usize, coefficient: f64, active: bool) {
        if active {
            self.active.push(self.visits.len());
        }
        self.visits.push(index);
        self.position.push(position);
        self.coefficients.push(coefficient);
    }

    /// Ends the filling. The fit may move by `margin` before a column left out may move.
    pub(super) fn ready(&mut self, margin: f64) {
        (self.margin, self.moved) = (margin, 0.0);
        let size = self.classes.len();
        self.start.clone_from(&self.gradient);
        self.added.clear();
        self.added.resize(size, 0.0);
        self.filled.clear();
        self.filled.resize(size, false);
        if self.rows.len() < size * size {
            self.rows.resize(size * size, 0.0);
        }
    }

    /// How far the fit has moved since the set was cut out, `‖XΔw‖` with its rounding error added.
    pub(super) fn distance(&mut self) -> f64 {
        let (mut square, mut size) = (0.0, 0.0);
        for ((added, now), start) in self.added.iter().zip(&self.gradient).zip(&self.start) {
            let product = added * (start - now);
            square += product;
            size += product.abs();
        }
        self.moved = (f64::max(square, 0.0) + 1e-12 * size).sqrt();
        self.moved
    }

    /// Whether a column left out may have reached the penalty.
    #[inline(always)]
    pub(super) fn exhausted(&self) -> bool {
        self.moved >= self.margin
    }

    /// Whether at this distance it is time for a new set, rather than for a fresh bound.
    pub(super) fn is_far(&self, distance: f64) -> bool {
        distance > 0.5 * self.margin
    }

    /// Sets the coefficient of a visit and brings the gradients up to date.
    #[inline(always)]
    pub(super) fn change(&mut self, visit: usize, to: f64, gram: &[f64], stride: usize) {
        let (size, position) = (self.classes.len(), self.position[visit]);
        let row = position * size..(position + 1) * size;
        if !self.filled[position] {
            let source = &gram[self.classes[position] * stride..][..stride];
            for (out, &class) in self.rows[row.clone()].iter_mut().zip(&self.classes) {
                *out = source[class];
            }
            self.filled[position] = true;
        }
        let step = to - self.coefficients[visit];
        self.coefficients[visit] = to;
        self.added[position] += step;
        self.moved += step.abs() * self.norms[position];
        add_scaled(&mut self.gradient, -step, &self.rows[row]);
    }

    /// One pass over the active visits from the first whose index is at least `from`.
    pub(super) fn sweep(&mut self, from: usize, penalty: Penalty, gram: &[f64], stride: usize) -> Swept {
        let first = self.active.partition_point(|&visit| self.visits[visit] < from);
        wide(Sweep { set: self, first, penalty, gram, stride })
    }
}

/// The penalty of a sweep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Penalty {
    /// Weight of `‖w‖₁` beside `½‖y - Xw‖²`.
    pub(super) l1: f64,
    /// Whether coefficients must not be negative.
    pub(super) positive: bool,
}

/// A pass over the active visits from the one at `first`.
struct Sweep<'a> {
    set: &'a mut WorkingSet,
    first: usize,
    penalty: Penalty,
    gram: &'a [f64],
    stride: usize,
}

impl Work for Sweep<'_> {
    type Output = Swept;

    #[inline(always)]
    fn run(self) -> Swept {
        let Self { set, first, penalty: Penalty { l1, positive }, gram, stride } = self;
        let mut swept = Swept { largest: 0.0, step: 0.0, stopped: None };
        let floor = if positive { f64::NEG_INFINITY } else { -l1 };
        let still = AT_PENALTY * l1;
        for index in first..set.active.len() {
            let visit = set.active[index];
            let position = set.position[visit];
            let (before, gradient) = (set.coefficients[visit], set.gradient[position]);
            if before == 0.0 && gradient <= l1 + still && gradient >= floor - still {
                continue;
            }
            // The minimum over this coefficient alone: `pull` is its gradient were it zero.
            let pull = gradient + before * set.diagonal[position];
            let to = if pull > l1 || pull < floor {
                let excess = gradient - l1.copysign(pull);
                if excess.abs() <= still { before } else { before + excess * set.inverse[position] }
            } else {
                0.0
            };
            let size = to.abs();
            swept.largest = if size > swept.largest { size } else { swept.largest };
            if to != before {
                let step = (to - before).abs();
                swept.step = if step > swept.step { step } else { swept.step };
                set.change(visit, to, gram, stride);
                if set.exhausted() {
                    swept.stopped = Some(visit);
                    return swept;
                }
            }
        }
        swept
    }
}
