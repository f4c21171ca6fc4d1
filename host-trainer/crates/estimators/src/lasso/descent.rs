//! Cyclic coordinate descent at one penalty after the other.

use super::kernels::{Work, add_scaled, dot, largest, largest_size, sum_of_sizes, wide};
use super::moments::Moments;
use super::working_set::{Penalty, Visit, WorkingSet};

/// When a fit at one penalty ends, and what it may return.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) positive: bool,
}

/// How the fit at one penalty ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Sweeps done; 0 where the coefficients it started from were good enough.
    pub(super) sweeps: usize,
    /// Duality gap of `½‖y - Xw‖² + λ‖w‖₁`.
    pub(super) gap: f64,
    /// What the gap had to fall below: `tol · y·y`.
    pub(super) tolerance: f64,
    /// Whether it did.
    pub(super) converged: bool,
}

/// Sweeps that a working set should last. Cutting one out costs about as much as ten sweeps over it.
const LOOK_AHEAD: f64 = 32.0;

/// A hair, relative to the penalty, by which bounds are tightened to cover the rounding of gradients.
const HAIR: f64 = 1e-10;

/// Coordinate descent on fixed moments; coefficients carry over from one penalty to the next.
pub(super) struct Descent<'a> {
    /// Moments of the classes of equal columns.
    moments: &'a Moments,
    /// Class of each column.
    class: &'a [usize],
    rules: Rules,
    diagonal: Vec<f64>,
    /// Square roots of the diagonal.
    norms: Vec<f64>,
    /// Coefficient of each column, current outside [`Descent::descend`].
    coefficients: Vec<f64>,
    /// Sums of the coefficients of each class, as of the last refresh.
    sums: Vec<f64>,
    /// Whether any of a class's coefficients is not zero, likewise.
    occupied: Vec<bool>,
    /// Xᵀ(y - Xw) of each class, as of the last refresh.
    gradient: Vec<f64>,
    /// Whether coefficients have changed since then.
    stale: bool,
    /// Classes that screening has proved to be zero at the current penalty.
    excluded: Vec<bool>,
    set: WorkingSet,
    /// Position in the working set of each class.
    position: Vec<Option<usize>>,
    /// Largest distance to the penalty, in units of a column's norm, among classes left out but not excluded.
    widest: f64,
    /// Smallest norm among those.
    shortest: f64,
    /// How far the fit moved in a sweep when a working set was last cut out.
    pace: f64,
    /// Sweeps since then.
    since_cut: usize,
}

/// The duality gap, and the penalty or the largest gradient if that is larger.
struct Gap {
    gap: f64,
    bound: f64,
}

impl Gap {
    /// A column is zero at the optimum if its gradient, plus this times its norm, stays below the bound
    /// (the gap-safe sphere of Ndiaye et al. (2017), equation 11, scaled by the bound).
    fn radius(&self, l1: f64) -> f64 {
        self.bound * (2.0 * self.gap.abs()).sqrt() / l1
    }
}

impl<'a> Descent<'a> {
    /// Starts from all zeros. `class` names for every column its class in `moments`.
    pub(super) fn new(moments: &'a Moments, class: &'a [usize], rules: Rules) -> Self {
        let classes = moments.mean.len();
        let diagonal: Vec<f64> = (0..classes).map(|j| moments.gram[j * classes + j]).collect();
        Self {
            moments,
            class,
            rules,
            norms: diagonal.iter().map(|square| square.sqrt()).collect(),
            diagonal,
            coefficients: vec![0.0; class.len()],
            sums: vec![0.0; classes],
            occupied: vec![false; classes],
            gradient: moments.correlation.clone(),
            stale: false,
            excluded: vec![false; classes],
            set: WorkingSet::default(),
            position: vec![None; classes],
            widest: 0.0,
            shortest: 0.0,
            pace: 0.0,
            since_cut: 0,
        }
    }

    /// The coefficients as they stand, one a column.
    pub(super) fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Sums of the coefficients of each class as they stand.
    pub(super) fn class_sums(&mut self) -> &[f64] {
        self.sums.fill(0.0);
        self.occupied.fill(false);
        for (&class, &w) in self.class.iter().zip(&self.coefficients) {
            self.sums[class] += w;
            self.occupied[class] |= w != 0.0;
        }
        &self.sums
    }

    /// Descends at the penalty `l1`, which stands before `‖w‖₁` beside `½‖y - Xw‖²`.
    pub(super) fn descend(&mut self, l1: f64) -> Outcome {
        let tolerance = self.rules.tol * self.moments.target_squares;
        self.refresh();
        let start = self.whole_gap(l1);
        let mut outcome = Outcome { sweeps: 0, gap: start.gap, tolerance, converged: true };
        // Rounding can make the gap of an optimum negative; scikit-learn's Gram variant then sweeps once more.
        if (0.0..=tolerance).contains(&start.gap) {
            return outcome;
        }
        self.excluded.fill(false);
        self.screen_whole(l1, &start);
        self.cut(l1);
        for sweep in 1..=self.rules.max_iter {
            let (largest, step) = self.sweep(l1);
            if largest == 0.0 || step / largest <= self.rules.tol || sweep == self.rules.max_iter {
                let now = self.gap(l1);
                outcome = Outcome { sweeps: sweep, gap: now.gap, tolerance, converged: now.gap <= tolerance };
                if outcome.converged {
                    break;
                }
                self.screen(l1, &now);
            }
            self.shrink(l1);
        }
        self.store();
        outcome
    }

    /// Writes the working set's coefficients back.
    fn store(&mut self) {
        for visit in &self.set.visits {
            self.coefficients[visit.index()] = visit.coefficient;
        }
        self.stale = true;
    }

    /// Computes all gradients anew from the coefficients.
    fn refresh(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        self.class_sums();
        self.gradient.clone_from(&self.moments.correlation);
        wide(Pull { gradient: &mut self.gradient, coefficients: &self.sums, gram: &self.moments.gram });
    }

    /// Size of a gradient as far as it can move a zero coefficient.
    fn force(&self, gradient: f64) -> f64 {
        if self.rules.positive { gradient } else { gradient.abs() }
    }

    /// Cuts out the classes that are not zero or may move in the next [`LOOK_AHEAD`] sweeps. Gradients must be fresh.
    fn cut(&mut self, l1: f64) {
        self.since_cut = 0;
        let reach = LOOK_AHEAD * self.pace;
        let penalty = l1 * (1.0 - HAIR);
        let mut margin = f64::INFINITY;
        (self.widest, self.shortest) = (0.0, f64::INFINITY);
        self.set.restart();
        for class in 0..self.sums.len() {
            self.position[class] = None;
            let (gradient, norm) = (self.gradient[class], self.norms[class]);
            if norm == 0.0 {
                continue;
            }
            let room = (penalty - self.force(gradient)) / norm;
            if self.occupied[class] || room <= reach {
                self.position[class] = Some(self.set.classes.len());
                let correlation = self.moments.correlation[class];
                self.set.push_class(class, gradient, correlation, (self.diagonal[class], norm));
            } else {
                margin = margin.min(room);
                if !self.excluded[class] {
                    self.widest = self.widest.max((l1 - gradient.abs()) / norm);
                    self.shortest = self.shortest.min(norm);
                }
            }
        }
        for (index, &class) in self.class.iter().enumerate() {
            if let Some(position) = self.position[class]
                && !self.excluded[class]
            {
                self.set.push_visit(index, position, self.coefficients[index]);
            }
        }
        self.set.ready(margin);
    }

    /// Computes all gradients anew and cuts out a new set, the old one having moved this far.
    fn renew(&mut self, l1: f64, distance: f64) {
        self.pace = distance / self.since_cut.max(1) as f64;
        self.store();
        self.refresh();
        self.cut(l1);
    }

    /// Makes sure that no column left out can move. Whether that took a new set.
    fn settle(&mut self, l1: f64) -> bool {
        if !self.set.exhausted() {
            return false;
        }
        let distance = self.set.distance();
        let far = self.set.is_far(distance);
        if far {
            self.renew(l1, distance);
        }
        far
    }

    /// Counts a sweep; once the steps have become small, leaves out more columns.
    fn shrink(&mut self, l1: f64) {
        self.since_cut += 1;
        if self.since_cut != 8 && !self.since_cut.is_multiple_of(64) {
            return;
        }
        let distance = self.set.distance();
        let reach = LOOK_AHEAD * distance / self.since_cut as f64;
        let near = |(&gradient, &norm): (&f64, &f64)| l1 - self.force(gradient) <= reach * norm;
        let needed = self.set.gradient().iter().zip(&self.set.norms).filter(|&pair| near(pair)).count();
        if 4 * needed < 3 * self.set.classes.len() {
            self.renew(l1, distance);
        }
    }

    /// One pass over all active columns: the largest coefficient and the largest step.
    fn sweep(&mut self, l1: f64) -> (f64, f64) {
        let penalty = Penalty { l1, positive: self.rules.positive };
        let (mut largest, mut step, mut from) = (0.0, 0.0, 0);
        loop {
            let swept = self.set.sweep(from, penalty, &self.moments.gram, self.sums.len());
            largest = f64::max(largest, swept.largest);
            step = f64::max(step, swept.step);
            let Some(index) = swept.stopped else { return (largest, step) };
            // Columns before this one were visited, and those left out so far would have stayed at zero.
            from = index + 1;
            self.settle(l1);
        }
    }

    fn gap_of(&self, l1: f64, fitted: f64, pulled: f64, norm: f64, gradient: &[f64]) -> Gap {
        let dual_norm = if self.rules.positive { largest(gradient) } else { largest_size(gradient) };
        let target_squares = self.moments.target_squares;
        let residual_squares = target_squares - fitted - pulled;
        let primal = 0.5 * residual_squares + l1 * norm;
        let scale = if dual_norm > l1 { l1 / dual_norm } else { 1.0 };
        let dual = -0.5 * scale * scale * residual_squares + scale * (target_squares - fitted);
        Gap { gap: primal - dual, bound: l1.max(dual_norm) }
    }

    /// The gap from all gradients, which must be fresh.
    fn whole_gap(&mut self, l1: f64) -> Gap {
        self.class_sums();
        let fitted = dot(&self.sums, &self.moments.correlation);
        let pulled = dot(&self.sums, &self.gradient);
        self.gap_of(l1, fitted, pulled, sum_of_sizes(&self.coefficients), &self.gradient)
    }

    /// The gap from the working set alone: the gradient of no column left out exceeds the penalty.
    fn gap(&self, l1: f64) -> Gap {
        let (fitted, pulled, norm) = self.set.sums();
        self.gap_of(l1, fitted, pulled, norm, self.set.gradient())
    }

    /// Excludes what the gap proves to be zero at the optimum. Gradients must be fresh, and the set is cut out after it.
    fn screen_whole(&mut self, l1: f64, gap: &Gap) {
        let radius = gap.radius(l1);
        for (class, excluded) in self.excluded.iter_mut().enumerate() {
            let norm = self.norms[class];
            *excluded |= norm == 0.0 || gap.bound - self.gradient[class].abs() > radius * norm;
        }
        let mut changed = false;
        for (coefficient, &class) in self.coefficients.iter_mut().zip(self.class) {
            if self.excluded[class] && *coefficient != 0.0 {
                *coefficient = 0.0;
                changed = true;
            }
        }
        self.stale |= changed;
        self.refresh();
    }

    /// Excludes what the gap proves to be zero at the optimum, between two sweeps.
    fn screen(&mut self, l1: f64, gap: &Gap) {
        let radius = gap.radius(l1);
        let distance = self.set.distance();
        // Of the classes left out only bounds are known. Mostly they say at once that all stay in, otherwise one by one;
        // where a bound does not tell, all gradients are computed.
        let safe = self.widest + (gap.bound - l1) / self.shortest + distance;
        if safe >= radius * (1.0 - HAIR) && !self.screen_left_out(gap, radius, distance) {
            self.renew(l1, distance);
            self.screen_whole(l1, gap);
            self.cut(l1);
            return;
        }
        let set = &mut self.set;
        let drops = |(&gradient, &norm): (&f64, &f64)| gap.bound - gradient.abs() > radius * norm;
        if set.gradient().iter().zip(&set.norms).filter(|&pair| drops(pair)).count() == 0 {
            return;
        }
        for (position, pair) in set.gradient().iter().zip(&set.norms).enumerate() {
            if drops(pair) {
                self.excluded[set.classes[position]] = true;
            }
        }
        // The gradients at the check decide, so they change only now.
        let excluded = &self.excluded;
        let drops = |visit: &mut Visit| excluded[set.classes[visit.position()]];
        let dropped: Vec<Visit> = set.visits.extract_if(.., drops).collect();
        for visit in dropped {
            // Nothing writes it back any more, whatever it was when the set was cut out.
            self.coefficients[visit.index()] = 0.0;
            if visit.coefficient != 0.0 {
                set.add(visit.position(), -visit.coefficient, &self.moments.gram, self.sums.len());
            }
        }
        self.settle(l1);
    }

    /// Screens the classes left out by the bounds of their gradients. False where a bound does not tell.
    fn screen_left_out(&mut self, gap: &Gap, radius: f64, distance: f64) -> bool {
        (self.widest, self.shortest) = (0.0, f64::INFINITY);
        for class in 0..self.sums.len() {
            if self.excluded[class] || self.position[class].is_some() {
                continue;
            }
            let norm = self.norms[class];
            let room = gap.bound - self.gradient[class].abs();
            let (slack, error) = (room - radius * norm, distance * norm + HAIR * gap.bound);
            if slack > error {
                self.excluded[class] = true;
            } else if slack > -error {
                return false;
            } else {
                self.widest = self.widest.max(room / norm);
                self.shortest = self.shortest.min(norm);
            }
        }
        true
    }
}

/// Takes what the coefficients explain off the gradients.
struct Pull<'a> {
    gradient: &'a mut [f64],
    coefficients: &'a [f64],
    gram: &'a [f64],
}

impl Work for Pull<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.gram.chunks_exact(self.gradient.len().max(1));
        for (row, &w) in rows.zip(self.coefficients) {
            if w != 0.0 {
                add_scaled(self.gradient, -w, row);
            }
        }
    }
}
