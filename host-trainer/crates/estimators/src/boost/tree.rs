//! Grows trees best leaf first, on histograms of gradients.

use super::Bins;
use super::bins::FeatureBins;
use shared::random::SplitMix64;

/// How trees grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Share of each step that is taken.
    pub learning_rate: f64,
    /// Leaves a tree at most.
    pub leaves: usize,
    /// Rows a leaf at least.
    pub leaf_rows: usize,
    /// Added to the sum of second derivatives of a leaf: what pulls small leaves to zero.
    pub ridge: f64,
    /// Share of the features that each tree may ask, drawn anew for each: trees that cannot all ask the same lean on more of
    /// what is known, and are less far off where one feature leaves the range of training.
    pub feature_share: f64,
}

/// A node: an inner one sends rows with `value < threshold` left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Asks a feature.
    Split {
        /// The feature.
        feature: usize,
        /// Rows below it go left.
        threshold: f32,
        /// Number of the node for those.
        left: usize,
        /// Number of the node for the others.
        right: usize,
    },
    /// Adds a value.
    Leaf(f32),
}

/// A tree; node 0 is the root.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree(pub Vec<Node>);

impl Tree {
    /// The value of the leaf that a row falls into.
    pub fn value(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf(value) => return value,
                Node::Split { feature, threshold, left, right } => {
                    at = if row[feature] < threshold { left } else { right };
                }
            }
        }
    }
}

/// Trees that are summed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest(pub Vec<Tree>);

impl Forest {
    /// The sum over the trees.
    pub fn value(&self, row: &[f32]) -> f64 {
        self.0.iter().map(|tree| f64::from(tree.value(row))).sum()
    }
}

/// Grows trees over one set of rows.
#[derive(Debug)]
pub struct Grower<'a> {
    bins: &'a Bins,
    growth: Growth,
    random: SplitMix64,
    /// Whether the tree at hand may ask a feature.
    asked: Vec<bool>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Cell {
    fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            hessian: self.hessian + other.hessian,
            rows: self.rows + other.rows,
        }
    }
}

/// A leaf that may yet be split.
struct Candidate {
    node: usize,
    rows: Vec<u32>,
    histogram: Vec<Vec<Cell>>,
    sum: Cell,
    best: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    /// The last bin that goes left.
    bin: usize,
    /// The next bin with rows of this leaf.
    next: usize,
}

impl<'a> Grower<'a> {
    /// A grower; the seed decides where thresholds lie within their gaps.
    pub fn new(bins: &'a Bins, growth: Growth, seed: u64) -> Self {
        Self { bins, growth, random: SplitMix64::new(seed), asked: vec![true; bins.features().len()] }
    }

    /// Grows the tree that lowers `Σ gradient·f + ½·hessian·f²` over all rows, and adds its values to `sums`.
    pub fn grow(&mut self, gradients: &[f64], hessians: &[f64], sums: &mut [f64]) -> Tree {
        self.draw_features();
        let rows: Vec<u32> = (0..self.bins.rows() as u32).collect();
        let histogram = self.histogram(&rows, gradients, hessians);
        let mut nodes = vec![Node::Leaf(0.0)];
        let mut open = vec![self.candidate(0, rows, histogram)];
        let mut done = Vec::new();
        while open.len() + done.len() < self.growth.leaves {
            // The first of equals, so that the order of floating-point noise decides nothing.
            let Some(position) = best_of(&open) else { break };
            let leaf = open.swap_remove(position);
            let Some(split) = leaf.best else { break };
            let feature = &self.bins.features()[split.feature];
            let threshold = self.threshold(feature, split);
            let (left, right): (Vec<u32>, Vec<u32>) =
                leaf.rows.iter().partition(|&&row| usize::from(feature.codes[row as usize]) <= split.bin);
            let (left_node, right_node) = (nodes.len(), nodes.len() + 1);
            nodes[leaf.node] = Node::Split { feature: split.feature, threshold, left: left_node, right: right_node };
            nodes.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
            // Only the smaller side is counted; the other is what remains.
            let left_is_smaller = left.len() <= right.len();
            let smaller = if left_is_smaller { &left } else { &right };
            let counted = self.histogram(smaller, gradients, hessians);
            let mut remaining = leaf.histogram;
            for (rest, part) in remaining.iter_mut().flatten().zip(counted.iter().flatten()) {
                *rest = rest.minus(*part);
            }
            let (left_histogram, right_histogram) =
                if left_is_smaller { (counted, remaining) } else { (remaining, counted) };
            for (node, rows, histogram) in [(left_node, left, left_histogram), (right_node, right, right_histogram)] {
                let candidate = self.candidate(node, rows, histogram);
                if candidate.best.is_some() { open.push(candidate) } else { done.push(candidate) }
            }
        }
        for leaf in open.into_iter().chain(done) {
            let step = -self.growth.learning_rate * leaf.sum.gradient / (leaf.sum.hessian + self.growth.ridge);
            let value = step as f32;
            nodes[leaf.node] = Node::Leaf(value);
            for row in leaf.rows {
                sums[row as usize] += f64::from(value);
            }
        }
        Tree(nodes)
    }

    /// Draws the features that the next tree may ask, at least one.
    fn draw_features(&mut self) {
        let count = self.asked.len();
        let wanted = ((self.growth.feature_share * count as f64).round() as usize).clamp(count.min(1), count);
        self.asked.fill(wanted == count);
        if wanted == count {
            return;
        }
        // One feature after the other, each with the chance that leaves as many as are still wanted (Knuth, *The Art of
        // Computer Programming*, volume 2, algorithm 3.4.2 S).
        let mut open = wanted;
        for feature in 0..count {
            if self.random.uniform() * ((count - feature) as f64) < open as f64 {
                self.asked[feature] = true;
                open -= 1;
            }
        }
    }

    fn histogram(&self, rows: &[u32], gradients: &[f64], hessians: &[f64]) -> Vec<Vec<Cell>> {
        let count = |(feature, asked): (&FeatureBins, &bool)| {
            if !asked {
                return Vec::new();
            }
            let mut cells = vec![Cell::default(); feature.count()];
            for &row in rows {
                let row = row as usize;
                let cell = &mut cells[usize::from(feature.codes[row])];
                cell.gradient += gradients[row];
                cell.hessian += hessians[row];
                cell.rows += 1;
            }
            cells
        };
        self.bins.features().iter().zip(&self.asked).map(count).collect()
    }

    fn candidate(&self, node: usize, rows: Vec<u32>, histogram: Vec<Vec<Cell>>) -> Candidate {
        let asked = histogram.iter().find(|cells| !cells.is_empty());
        let sum = asked.map_or_else(Cell::default, |cells| cells.iter().fold(Cell::default(), |a, b| a.plus(*b)));
        let best = self.best_split(&histogram, sum);
        Candidate { node, rows, histogram, sum, best }
    }

    fn best_split(&self, histogram: &[Vec<Cell>], sum: Cell) -> Option<Split> {
        let least = self.growth.leaf_rows as u32;
        if sum.rows < 2 * least {
            return None;
        }
        let score = |cell: Cell| cell.gradient * cell.gradient / (cell.hessian + self.growth.ridge);
        let whole = score(sum);
        let mut best: Option<Split> = None;
        for (feature, cells) in histogram.iter().enumerate() {
            let mut left = Cell::default();
            let mut last: Option<usize> = None;
            for (bin, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.rows > 0) {
                if let Some(before) = last
                    && left.rows >= least
                    && sum.rows - left.rows >= least
                {
                    let gain = score(left) + score(sum.minus(left)) - whole;
                    if gain > 1e-12 && best.is_none_or(|b| gain > b.gain * (1.0 + 1e-9)) {
                        best = Some(Split { gain, feature, bin: before, next: bin });
                    }
                }
                left = left.plus(*cell);
                last = Some(bin);
            }
        }
        best
    }

    /// A threshold within the gap between the values on both sides, in proportion where both are positive: averaged over
    /// many trees, values in the gap are interpolated.
    fn threshold(&mut self, feature: &FeatureBins, split: Split) -> f32 {
        let (below, above) = (feature.highest[split.bin], feature.lowest[split.next]);
        let (low, high) = (f64::from(below), f64::from(above));
        let at = 0.02 + 0.96 * self.random.uniform();
        let between = if low > 0.0 { low * (high / low).powf(at) } else { low + (high - low) * at };
        let threshold = between as f32;
        if threshold > below && threshold <= above { threshold } else { above }
    }
}

fn best_of(open: &[Candidate]) -> Option<usize> {
    let mut best: Option<(usize, f64, usize)> = None;
    for (position, candidate) in open.iter().enumerate() {
        let Some(split) = candidate.best else { continue };
        let better =
            best.is_none_or(|(_, gain, node)| split.gain > gain || (split.gain == gain && candidate.node < node));
        if better {
            best = Some((position, split.gain, candidate.node));
        }
    }
    best.map(|(position, ..)| position)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth = Growth { learning_rate: 0.1, leaves: 8, leaf_rows: 5, ridge: 1.0, feature_share: 1.0 };

    fn boost(columns: &[Vec<f32>], y: &[f64], rounds: usize, seed: u64) -> Forest {
        let bins = Bins::of(columns);
        let mut grower = Grower::new(&bins, GROWTH, seed);
        let mut sums = vec![0.0; y.len()];
        let hessians = vec![1.0; y.len()];
        let grow = |_| {
            let gradients: Vec<f64> = sums.iter().zip(y).map(|(f, y)| f - y).collect();
            grower.grow(&gradients, &hessians, &mut sums)
        };
        Forest((0..rounds).map(grow).collect())
    }

    fn example() -> (Vec<Vec<f32>>, Vec<f64>) {
        let x: Vec<f32> = (0..400u16).map(|i| f32::from(i % 20) + 1.0).collect();
        let z: Vec<f32> = (0..400u16).map(|i| f32::from(i / 20) + 1.0).collect();
        let y = x.iter().zip(&z).map(|(x, z)| (f64::from(*x) * 0.3).sin() + 0.1 * f64::from(*z)).collect();
        (vec![x, z], y)
    }

    #[test]
    fn trees_learn_what_they_see_and_sums_are_their_values() {
        let (columns, y) = example();
        let forest = boost(&columns, &y, 200, 1);
        for (i, y) in y.iter().enumerate() {
            assert!((forest.value(&[columns[0][i], columns[1][i]]) - y).abs() < 0.1);
        }
    }

    #[test]
    fn the_seed_moves_thresholds_within_gaps_and_nothing_else() {
        let (columns, y) = example();
        let (a, b) = (boost(&columns, &y, 50, 1), boost(&columns, &y, 50, 2));
        assert_eq!(a, boost(&columns, &y, 50, 1));
        assert_ne!(a, b);
        for (x, z) in columns[0].iter().zip(&columns[1]) {
            let row = [*x, *z];
            assert_eq!(a.value(&row), b.value(&row));
        }
    }

    #[test]
    fn a_tree_asks_its_share_of_the_features_and_trees_differ() {
        let (columns, y) = example();
        let both: Vec<Vec<f32>> = columns.iter().chain(&columns).cloned().collect();
        let bins = Bins::of(&both);
        let mut grower = Grower::new(&bins, Growth { feature_share: 0.25, ..GROWTH }, 9);
        let (mut sums, ones) = (vec![0.0; y.len()], vec![1.0; y.len()]);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..40 {
            let gradients: Vec<f64> = sums.iter().zip(&y).map(|(f, y)| f - y).collect();
            let asked: std::collections::BTreeSet<usize> = grower
                .grow(&gradients, &ones, &mut sums)
                .0
                .iter()
                .filter_map(|node| if let Node::Split { feature, .. } = node { Some(*feature) } else { None })
                .collect();
            assert!(asked.len() <= 1, "{asked:?}");
            seen.extend(asked);
        }
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn values_between_those_of_training_are_interpolated() {
        let x: Vec<f32> = (0..200u16).map(|i| if i % 2 == 0 { 40.0 } else { 60.0 }).collect();
        let y: Vec<f64> = x.iter().map(|x| if *x < 50.0 { 0.0 } else { 1.0 }).collect();
        let forest = boost(&[x], &y, 300, 3);
        let middle = forest.value(&[49.0]);
        assert!((0.3..0.7).contains(&middle), "{middle}");
        assert!(forest.value(&[43.0]) < 0.3 && forest.value(&[57.0]) > 0.7);
    }
}
