//! The few classes of columns that move, cut out of the whole problem.
//!
//! Most of a sweep finds a zero coefficient whose gradient is too small to move it, and most of an update's work keeps
//! those gradients current. Here only the gradients of a working set are kept current. For every other column `j` a bound
//! does: as long as the fit has moved by `‖XΔw‖` since its gradient was last computed, that gradient has changed by at most
//! `‖xⱼ‖·‖XΔw‖`. Until the bound of some column reaches the penalty, all of them would have been visited and left at
//! zero, so leaving them out changes nothing. When one does, the caller computes all gradients anew and cuts out a new set.

use super::kernels::{LANES, Work, add_scaled_whole, moved_sums, wide};

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
    /// Where the sweep had to stop because columns left out may move now: the index of the column visited last.
    pub(super) stopped: Option<usize>,
}

/// A column of the set: one of the copies of its class. All that a visit needs lies side by side, since most of a fit's time is spent
/// on visits that change nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    /// Its coefficient.
    pub(super) coefficient: f64,
    diagonal: f64,
    /// Reciprocal of the diagonal.
    inverse: f64,
    // Four bytes each, so that two visits lie in a cache line.
    position: u32,
    index: u32,
}

impl Visit {
    /// Index of its coefficient in the whole problem.
    pub(super) fn index(&self) -> usize {
        self.index as usize
    }

    /// Position of its class.
    pub(super) fn position(&self) -> usize {
        self.position as usize
    }
}

/// Numbers that begin with a cache line, so that no vector of them lies in two.
#[derive(Debug, Default)]
struct Aligned {
    values: Vec<f64>,
    first: usize,
    length: usize,
}

impl Aligned {
    /// Room for so many numbers; what they are is not said.
    fn make(&mut self, length: usize) {
        const LINE_BYTES: usize = 64;
        let spare = LINE_BYTES / size_of::<f64>() - 1;
        if self.values.len() < length + spare {
            self.values.resize(length + spare, 0.0);
        }
        self.first = self.values.as_ptr().align_offset(LINE_BYTES).min(spare);
        self.length = length;
    }

    #[inline(always)]
    fn get(&self) -> &[f64] {
        &self.values[self.first..][..self.length]
    }

    #[inline(always)]
    fn get_mut(&mut self) -> &mut [f64] {
        &mut self.values[self.first..][..self.length]
    }
}

/// Working set and its part of the Gram matrix. A *position* counts the set's classes, a *visit* their columns.
///
/// What a change of a coefficient runs over is filled up with zeros to whole vectors.
#[derive(Debug, Default)]
pub(super) struct WorkingSet {
    /// Class of each position, ascending.
    pub(super) classes: Vec<usize>,
    /// Gradient `xⱼ·(y - Xw)` of each position, current; filled up.
    gradient: Aligned,
    /// `xⱼ·y` of each position.
    correlation: Vec<f64>,
    diagonal: Vec<f64>,
    /// Square roots of the diagonal.
    pub(super) norms: Vec<f64>,
    /// Columns that screening has not excluded, ascending by index.
    pub(super) visits: Vec<Visit>,
    /// Gradients when the set was cut out; filled up.
    start: Vec<f64>,
    /// What was added to the coefficients of each position since then; filled up.
    added: Vec<f64>,
    /// Rows of the Gram matrix over the set, each copied when it is first needed; filled up.
    rows: Aligned,
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
        self.start.clear();
        self.correlation.clear();
        self.diagonal.clear();
        self.norms.clear();
        self.visits.clear();
    }

    /// Adds a class behind those already there.
    pub(super) fn push_class(&mut self, class: usize, gradient: f64, correlation: f64, (diagonal, norm): (f64, f64)) {
        self.classes.push(class);
        self.start.push(gradient);
        self.correlation.push(correlation);
        self.diagonal.push(diagonal);
        self.norms.push(norm);
    }

    /// Gradient `xⱼ·(y - Xw)` of each position.
    pub(super) fn gradient(&self) -> &[f64] {
        &self.gradient.get()[..self.classes.len()]
    }

    /// Adds a visit behind those already there.
    pub(super) fn push_visit(&mut self, index: usize, position: usize, coefficient: f64) {
        let diagonal = self.diagonal[position];
        let (position, index) = (position as u32, index as u32);
        self.visits.push(Visit { coefficient, diagonal, inverse: 1.0 / diagonal, position, index });
    }

    /// Ends the filling. The fit may move by `margin` before a column left out may move.
    pub(super) fn ready(&mut self, margin: f64) {
        (self.margin, self.moved) = (margin, 0.0);
        let size = self.classes.len();
        let width = size.next_multiple_of(LANES);
        self.start.resize(width, 0.0);
        self.gradient.make(width);
        self.gradient.get_mut().copy_from_slice(&self.start);
        self.added.clear();
        self.added.resize(width, 0.0);
        self.filled.clear();
        self.filled.resize(size, false);
        self.rows.make(size * width);
    }

    /// How far the fit has moved since the set was cut out, `‖XΔw‖` with its rounding error added.
    pub(super) fn distance(&mut self) -> f64 {
        let (square, size) = wide(Distance { added: &self.added, start: &self.start, now: self.gradient.get() });
        self.moved = (f64::max(square, 0.0) + 1e-12 * size).sqrt();
        self.moved
    }

    /// Of the coefficients `w` as they stand: `w·Xᵀy`, `w·Xᵀ(y - Xw)` and `‖w‖₁`.
    pub(super) fn sums(&self) -> (f64, f64, f64) {
        let (mut fitted, mut pulled, mut norm) = (0.0, 0.0, 0.0);
        for visit in &self.visits {
            let (position, coefficient) = (visit.position(), visit.coefficient);
            if coefficient != 0.0 {
                fitted += coefficient * self.correlation[position];
                pulled += coefficient * self.gradient.get()[position];
                norm += coefficient.abs();
            }
        }
        (fitted, pulled, norm)
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

    /// Adds to the coefficients of a position and brings the gradients up to date.
    #[inline(always)]
    pub(super) fn add(&mut self, position: usize, step: f64, gram: &[f64], stride: usize) {
        let gradient = self.gradient.get_mut();
        let width = gradient.len();
        let row = &mut self.rows.get_mut()[position * width..][..width];
        if !self.filled[position] {
            let source = &gram[self.classes[position] * stride..][..stride];
            for (out, &class) in row.iter_mut().zip(&self.classes) {
                *out = source[class];
            }
            // A row of an earlier set may lie there.
            row[self.classes.len()..].fill(0.0);
            self.filled[position] = true;
        }
        self.added[position] += step;
        self.moved += step.abs() * self.norms[position];
        add_scaled_whole(gradient, -step, row);
    }

    /// One pass over the visits from the first whose index is at least `from`.
    pub(super) fn sweep(&mut self, from: usize, penalty: Penalty, gram: &[f64], stride: usize) -> Swept {
        let first = self.visits.partition_point(|visit| visit.index() < from);
        let Penalty { l1, positive } = penalty;
        if positive {
            wide(Sweep::<true> { set: self, first, l1, gram, stride })
        } else {
            wide(Sweep::<false> { set: self, first, l1, gram, stride })
        }
    }
}

/// `‖XΔw‖²` of the coefficients added, and the sum of the sizes of its parts.
struct Distance<'a> {
    added: &'a [f64],
    start: &'a [f64],
    now: &'a [f64],
}

impl Work for Distance<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run(self) -> (f64, f64) {
        moved_sums(self.added, self.start, self.now)
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

/// A pass over the visits from the one at `first`. Coefficients must not be negative where `POSITIVE`.
struct Sweep<'a, const POSITIVE: bool> {
    set: &'a mut WorkingSet,
    first: usize,
    /// Weight of `‖w‖₁` beside `½‖y - Xw‖²`.
    l1: f64,
    gram: &'a [f64],
    stride: usize,
}

impl<const POSITIVE: bool> Work for Sweep<'_, POSITIVE> {
    type Output = Swept;

    #[inline(always)]
    fn run(self) -> Swept {
        let Self { set, first, l1, gram, stride } = self;
        // How hard something pulls at a coefficient.
        let force = |pull: f64| if POSITIVE { pull } else { pull.abs() };
        let mut swept = Swept { largest: 0.0, step: 0.0, stopped: None };
        let still = AT_PENALTY * l1;
        let at_penalty = l1 + still;
        let mut visits = std::mem::take(&mut set.visits);
        for visit in &mut visits[first..] {
            let position = visit.position();
            let (before, gradient) = (visit.coefficient, set.gradient.get()[position]);
            if before == 0.0 && force(gradient) <= at_penalty {
                continue;
            }
            // The minimum over this coefficient alone: `pull` is its gradient were it zero.
            let pull = gradient + before * visit.diagonal;
            let to = if force(pull) > l1 {
                let excess = gradient - if POSITIVE { l1 } else { l1.copysign(pull) };
                if excess.abs() <= still { before } else { before + excess * visit.inverse }
            } else {
                0.0
            };
            let size = to.abs();
            swept.largest = if size > swept.largest { size } else { swept.largest };
            if to != before {
                let step = to - before;
                swept.step = if step.abs() > swept.step { step.abs() } else { swept.step };
                visit.coefficient = to;
                set.add(position, step, gram, stride);
                if set.exhausted() {
                    swept.stopped = Some(visit.index());
                    break;
                }
            }
        }
        set.visits = visits;
        swept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_with_a_cache_line_also_after_they_have_moved() {
        let mut numbers = Aligned::default();
        for length in [0, 1, 8, 1000, 3, 100_000] {
            numbers.make(length);
            assert_eq!((numbers.get().len(), numbers.get_mut().len()), (length, length));
            assert_eq!(numbers.get().as_ptr().align_offset(64), 0, "{length}");
        }
    }

    #[test]
    fn a_set_filled_again_takes_no_row_of_the_one_before() {
        // Gram matrix of three classes; the first set has all of them, the second two.
        let gram = [4.0, 1.0, 2.0, 1.0, 9.0, 3.0, 2.0, 3.0, 16.0];
        let mut set = WorkingSet::default();
        let fill = |set: &mut WorkingSet, classes: &[usize]| {
            set.restart();
            for &class in classes {
                set.push_class(class, 10.0, 10.0, (gram[4 * class], gram[4 * class].sqrt()));
                set.push_visit(class, set.classes.len() - 1, 0.0);
            }
            set.ready(f64::INFINITY);
        };
        fill(&mut set, &[0, 1, 2]);
        set.add(1, 2.0, &gram, 3);
        assert_eq!(set.gradient(), [10.0 - 2.0, 10.0 - 18.0, 10.0 - 6.0]);
        // ‖XΔw‖ of two units of the second class.
        assert!((set.distance() - 6.0).abs() < 1e-6);
        fill(&mut set, &[0, 2]);
        assert_eq!(set.gradient(), [10.0, 10.0]);
        set.add(1, 0.5, &gram, 3);
        assert_eq!(set.gradient(), [10.0 - 1.0, 10.0 - 8.0]);
        set.visits[0].coefficient = 3.0;
        assert_eq!(set.sums(), (30.0, 27.0, 3.0));
    }
}
