//! A model of what the hardware does: run time as a sum of non-negative costs, power as idle power plus non-negative
//! shares that saturate as the GPU fills, or, learnt from networks' totals, plus energies for the work of each millisecond.
//!
//! Run times of new layers stay positive and grow with their work wherever they lie; powers stay between idle and full
//! load. Both learn from layers, from whole networks' totals, or from both.

mod work;

pub(crate) use work::{Quantity, features, intensity, products, sizes};

use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::{Candidate, Definition};
use crate::model::{Dataset, Predictor, Target};
use estimators::FitError;
use estimators::formula::{Formula, FormulaExport};
use estimators::nnls;
use onnx::{GraphBuilder, Value};
use shared::engine::Table;
use std::collections::BTreeMap;
use work::Prices;

/// A prediction is at least this share of the smallest measurement: layers whose terms all vanish still cost something.
const FLOOR: f64 = 1e-6;

/// Where power is told by rates, every layer is taken to last at least this share of the median one's time: of one whose work
/// costs next to nothing, as far as training can tell, the rates would be anything.
const LEAST_TIME: f64 = 0.1;
/// Where power is told by rates, no layer draws less than this share of the least that any sum did.
const LEAST_POWER: f64 = 0.5;
/// Nor more than this many times the most that any did.
const MOST_POWER: f64 = 2.0;

/// Networks below which caution rules. Here every byte has one price: few networks' layers are too alike to tell what is
/// moved for what, and where some use of memory is rare in them, its price would be anything.
pub(super) const FEW_NETWORKS: usize = 8;

/// Costs that all kinds of layers share where only a few totals are known; those of arithmetic for each precision.
const SHARED: [&str; 7] = [
    "launch",
    "bytes",
    "bytes of patches",
    "MACs",
    "MACs in tiles of 32",
    "MACs in tiles of 64",
    "MACs in tiles of 128",
];

pub(super) use crate::fit::kind_options::NoOptions as Options;

pub(super) static DEFINITION: Definition = Definition {
    name: "physics",
    description: "Non-negative costs of launch, arithmetic and bytes; learns from layers, networks' totals, or both",
    estimator: |_, _| Box::new(PhysicsEstimator),
    search_space: &[],
    candidate: Some(Candidate {
        complexity: 1,
        estimator: |_| Box::new(PhysicsEstimator),
        takes_part: |_, _| true,
        combines: None,
        options: |_| None,
    }),
    baseline: false,
};

/// Fits physical models.
#[derive(Debug, Clone, Copy, Default)]
pub struct PhysicsEstimator;

impl Estimator for PhysicsEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        Ok(FittedModels::of(fit(data)?))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({})
    }
}

/// A fitted physical model of one table.
#[derive(Debug, Clone)]
pub(crate) struct PhysicsPredictor {
    terms: Vec<Term>,
    floor: f64,
    /// Infinite where nothing bounds it.
    ceiling: f64,
}

/// A quantity with what one unit of it costs.
#[derive(Debug, Clone)]
struct Term {
    name: String,
    formula: Formula,
    coefficient: f64,
}

/// Fits all tables of a data set together.
pub(crate) fn fit(sums: &Dataset) -> Result<Vec<PhysicsPredictor>, FitError> {
    if sums.len() < 2 {
        return Err(FitError::TooFewRows { found: sums.len(), needed: 2 });
    }
    if let Some(odd) = sums.measured.iter().find(|y| **y <= 0.0 || !y.is_finite()) {
        return Err(FitError::Data(format!(
            "a measured {} of {odd} cannot be fitted on relative error",
            sums.target.name()
        )));
    }
    let prices = match (sums.network_count() < FEW_NETWORKS, sums.target) {
        (false, _) => Prices::Each,
        (true, Target::Runtime) if !sums.are_layers() => Prices::Shared,
        (true, _) => Prices::One,
    };
    let mut candidates: Vec<Vec<Quantity>> = Vec::new();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut place_of: Vec<usize> = Vec::new();
    let mut shared: BTreeMap<String, usize> = BTreeMap::new();
    for part in &sums.tables {
        let rows: Vec<Vec<f64>> = (0..part.len()).map(|i| rounded(part.row(i))).collect();
        let quantities = match sums.target {
            Target::Runtime => by_precision(part.table, &rows, prices),
            Target::Power if sums.are_layers() => saturating(part.table, &rows),
            Target::Power => {
                at_rates(part.table, &rows, &part.runtimes, prices).unwrap_or_else(|| saturating(part.table, &rows))
            }
        };
        for quantity in &quantities {
            let values: Vec<f64> = rows.iter().map(|row| quantity.formula.value(row)).collect();
            let mut column = vec![0.0; sums.len()];
            for one in &part.occurrences {
                column[one.measurement] += one.weight * values[one.row];
            }
            let next = columns.len();
            let place = if prices == Prices::Shared && is_shared(&quantity.name) {
                *shared.entry(quantity.name.clone()).or_insert(next)
            } else {
                next
            };
            if place == next {
                columns.push(column);
            } else {
                columns[place].iter_mut().zip(column).for_each(|(sum, value)| *sum += value);
            }
            place_of.push(place);
        }
        candidates.push(quantities);
    }
    let paid = nnls::relative_robust(&columns, &sums.measured);
    let mut coefficients = place_of.into_iter().map(|place| paid[place]);
    let least = sums.measured.iter().copied().fold(f64::INFINITY, f64::min);
    let (floor, ceiling) = match sums.target {
        Target::Power if !sums.are_layers() => {
            (LEAST_POWER * least, MOST_POWER * sums.measured.iter().copied().fold(0.0, f64::max))
        }
        _ => (FLOOR * least, f64::INFINITY),
    };
    Ok(candidates
        .into_iter()
        .map(|quantities| {
            let terms = quantities.into_iter().zip(&mut coefficients).filter(|(_, c)| *c > 0.0);
            let term = |(q, coefficient): (Quantity, f64)| Term { name: q.name, formula: q.formula, coefficient };
            PhysicsPredictor { terms: terms.map(term).collect(), floor, ceiling }
        })
        .collect())
}

fn is_shared(name: &str) -> bool {
    let of_any_precision =
        name.strip_suffix(" bit").and_then(|name| name.rsplit_once(", ")).map_or(name, |(name, _)| name);
    SHARED.contains(&of_any_precision)
}

/// Features as the graph gets them.
pub(crate) fn rounded(row: &[f64]) -> Vec<f64> {
    row.iter().map(|&x| f64::from(x as f32)).collect()
}

/// Costs of run time, arithmetic apart for each precision that training saw. One that it did not see takes the price of the next
/// wider one, else of the widest, in proportion to its width, as tensor cores have it.
fn by_precision(table: Table, rows: &[Vec<f64>], prices: Prices) -> Vec<Quantity> {
    let bytes = work::element_bytes(table);
    let mut seen: Vec<f64> = rows.iter().map(|row| bytes.value(row)).collect();
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    let mut all = Vec::new();
    for quantity in work::additive(table, prices) {
        if !quantity.arithmetic {
            all.push(quantity);
            continue;
        }
        for (i, &width) in seen.iter().enumerate() {
            let scaled = quantity.formula.clone() * (bytes.clone() / Formula::Constant(width));
            if seen.len() == 1 {
                all.push(Quantity { formula: scaled, ..quantity.clone() });
                continue;
            }
            // Above the next narrower width and not above its own; the outermost have no outer bound.
            let over = if i == 0 { Formula::Constant(1.0) } else { bytes.clone().above(seen[i - 1]) };
            let within = if i + 1 == seen.len() { over } else { over - bytes.clone().above(width) };
            all.push(Quantity {
                name: format!("{}, {:.0} bit", quantity.name, 8.0 * width),
                formula: within * scaled,
                arithmetic: true,
            });
        }
    }
    all
}

/// Power as idle power plus the rate at which a layer does each kind of work, at an energy for each unit of it (W = mJ/ms).
/// Rates take the layers' run times, which are put as costs of the same work first; none where no run time is known.
///
/// Learnt from totals, this tells layers apart where shares that saturate do not: a network's total says little about how
/// one of its layers saturates.
fn at_rates(table: Table, rows: &[Vec<f64>], times: &[Option<f64>], prices: Prices) -> Option<Vec<Quantity>> {
    let known = rows.iter().zip(times).filter_map(|(row, time)| Some((row, time.filter(|time| *time > 0.0)?)));
    let (timed, times): (Vec<&Vec<f64>>, Vec<f64>) = known.unzip();
    let mut sorted = times.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2)?;
    let work = by_precision(table, rows, prices);
    let columns: Vec<Vec<f64>> =
        work.iter().map(|quantity| timed.iter().map(|row| quantity.formula.value(row)).collect()).collect();
    let costs = nnls::relative_robust(&columns, &times);
    let time = work
        .iter()
        .zip(costs)
        .filter(|(_, cost)| *cost > 0.0)
        .fold(Formula::Constant(LEAST_TIME * median), |sum, (q, cost)| {
            sum + Formula::Constant(cost) * q.formula.clone()
        });
    let mut all = vec![Quantity { name: "idle".to_owned(), formula: Formula::Constant(1.0), arithmetic: false }];
    all.extend(work.into_iter().map(|quantity| Quantity {
        name: format!("{} a ms", quantity.name),
        formula: quantity.formula / time.clone(),
        arithmetic: false,
    }));
    Some(all)
}

/// Shares of power: for each load `u` that fills the GPU, `u / (u + κ)` and its complement, κ at a few quantiles of what
/// training saw; and a constant. Each lies between 0 and 1, so that power is bounded whatever the layer.
fn saturating(table: Table, rows: &[Vec<f64>]) -> Vec<Quantity> {
    let quantiles: &[f64] = match rows.len() {
        0..30 => &[0.5],
        30..200 => &[0.1, 0.5, 0.9],
        _ => &[0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98],
    };
    let mut all = vec![Quantity { name: "idle".to_owned(), formula: Formula::Constant(1.0), arithmetic: false }];
    for load in work::loads(table) {
        let mut seen: Vec<f64> = rows.iter().map(|row| load.formula.value(row)).collect();
        seen.sort_by(f64::total_cmp);
        let mut halves: Vec<f64> = quantiles
            .iter()
            .filter_map(|q| seen.get((q * seen.len() as f64) as usize).copied())
            .filter(|half| *half > 0.0)
            .collect();
        halves.dedup();
        for half in halves {
            let sum = load.formula.clone() + Formula::Constant(half);
            all.push(Quantity {
                name: format!("{} at {half:.3e}", load.name),
                formula: load.formula.clone() / sum.clone(),
                arithmetic: false,
            });
            all.push(Quantity {
                name: format!("few {} at {half:.3e}", load.name),
                formula: Formula::Constant(half) / sum,
                arithmetic: false,
            });
        }
    }
    all
}

impl PhysicsPredictor {
    /// The value of a row that is [`rounded`] already.
    pub(crate) fn value(&self, row: &[f64]) -> f64 {
        self.terms
            .iter()
            .map(|term| term.coefficient * term.formula.value(row))
            .sum::<f64>()
            .clamp(self.floor, self.ceiling)
    }

    /// Writes the model into a graph.
    pub(crate) fn write(&self, graph: &mut GraphBuilder, formulas: &mut FormulaExport<'_>, features: &Value) -> Value {
        // A column of zeros, so that the result has a row for every row of features whatever the terms.
        let first = graph.columns(features, &[0]);
        let zero = graph.doubles(&[0.0], &[1, 1]);
        let mut sum = graph.apply("Mul", &[&first, &zero], vec![]);
        for term in &self.terms {
            let quantity = formulas.write(graph, &term.formula);
            let coefficient = graph.doubles(&[term.coefficient], &[1, 1]);
            let cost = graph.apply("Mul", &[&quantity, &coefficient], vec![]);
            sum = graph.apply("Add", &[&sum, &cost], vec![]);
        }
        let floor = graph.doubles(&[self.floor], &[1, 1]);
        let sum = graph.apply("Max", &[&sum, &floor], vec![]);
        if self.ceiling.is_infinite() {
            return sum;
        }
        let ceiling = graph.doubles(&[self.ceiling], &[1, 1]);
        graph.apply("Min", &[&sum, &ceiling], vec![])
    }
}

impl Predictor for PhysicsPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        self.value(&rounded(features))
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        self.write(graph, &mut FormulaExport::new(features), features)
    }

    fn describe(&self) -> serde_json::Value {
        let terms: Vec<_> = self
            .terms
            .iter()
            .map(|term| serde_json::json!({ "term": term.name, "coefficient": term.coefficient }))
            .collect();
        serde_json::json!({ "terms": terms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LayerTable, Occurrence};

    const IDLE_W: f64 = 3.0;
    const ENERGY_OF_BYTE_MJ: f64 = 2e-7;

    /// Element-wise layers of some sizes in ten networks: run time a launch and bytes, power idle and an energy a byte.
    fn totals() -> (Dataset, Vec<f64>) {
        let features = features(Table::Pointwise).iter().map(|name| (*name).to_owned()).collect();
        let mut part = LayerTable::new(Table::Pointwise, features);
        let mut powers = Vec::new();
        for i in 0..20 {
            let elements = 1e4 * 1.4_f64.powi(i);
            let bytes = 2.0 * elements * 4.0;
            let time = 0.01 + bytes * 1e-7;
            part.rows.extend([1.0, elements, elements, 0.0, 4.0]);
            part.runtimes.push(Some(time));
            powers.push(IDLE_W + ENERGY_OF_BYTE_MJ * bytes / time);
        }
        let mut measured = Vec::new();
        for network in 0..10 {
            let rows: Vec<usize> = (0..3).map(|i| (network * 7 + i * (3 + network)) % 20).collect();
            let time = |row: &usize| part.runtimes[*row].unwrap_or_default();
            let total: f64 = rows.iter().map(time).sum();
            measured.push(rows.iter().map(|row| time(row) / total * powers[*row]).sum());
            let occurrences: Vec<Occurrence> = rows
                .iter()
                .map(|row| Occurrence { measurement: network, row: *row, weight: time(row) / total })
                .collect();
            part.occurrences.extend(occurrences);
        }
        let networks = (0..measured.len()).collect();
        (Dataset { target: Target::Power, tables: vec![part], measured, networks, other_target: Vec::new() }, powers)
    }

    #[test]
    fn few_totals_have_one_price_for_launches_and_bytes_of_all_kinds() {
        let part = |table: Table, row: &dyn Fn(f64) -> Vec<f64>, count: &dyn Fn(usize) -> f64| {
            let mut part = LayerTable::new(table, features(table).iter().map(|name| (*name).to_owned()).collect());
            for network in 0..6 {
                part.rows.extend(row(1e4 * 2.0_f64.powi(network as i32)));
                part.occurrences.push(Occurrence { measurement: network, row: network, weight: count(network) });
            }
            part
        };
        // Layers of two kinds, of which one makes up a hundredth of what every network takes.
        let many = part(Table::Pointwise, &|n| vec![1.0, n, n, 0.0, 2.0], &|network| 50.0 + network as f64);
        let few = part(Table::Softmax, &|_| vec![1.0, 100.0, 100.0, 0.0, 100.0, 2.0], &|_| 1.0);
        let cost = |row: &[f64]| 0.01 + 1e-7 * 2.0 * (row[1] + row[2]);
        // Noise of a percent, which is as much as the rare kind takes.
        let measured = (0..6).map(|network| {
            let noise = if network % 2 == 0 { 0.99 } else { 1.01 };
            noise * (many.occurrences[network].weight * cost(many.row(network)) + cost(few.row(network)))
        });
        let measured: Vec<f64> = measured.collect();
        let data = Dataset {
            target: Target::Runtime,
            tables: vec![many, few],
            measured,
            networks: (0..6).collect(),
            other_target: Vec::new(),
        };
        let models = fit(&data).expect("a fit");
        for (model, part) in models.iter().zip(&data.tables) {
            let (predicted, true_cost) = (model.predict(part.row(0)), cost(part.row(0)));
            assert!(
                (predicted / true_cost - 1.0).abs() < 0.1,
                "{}: {predicted} ms, not {true_cost}",
                part.table.name()
            );
        }
    }

    #[test]
    fn arithmetic_of_a_precision_that_training_lacks_costs_in_proportion_to_its_width() {
        let width = features(Table::Dense).iter().position(|name| *name == "element_bytes").expect("a feature");
        let row = |bytes: f64| vec![1.0, 1000.0, 1000.0, 1e6, bytes];
        let cost = |seen: &[f64], asked: f64| -> f64 {
            let rows: Vec<Vec<f64>> = seen.iter().map(|bytes| row(*bytes)).collect();
            let all = by_precision(Table::Dense, &rows, Prices::One);
            all.iter().filter(|q| q.name.starts_with("MACs")).map(|q| q.formula.value(&row(asked))).sum()
        };
        assert_eq!(row(2.0)[width], 2.0);
        // A seen precision has a price of its own for every multiply-accumulate.
        assert_eq!((cost(&[2.0], 2.0), cost(&[1.0, 4.0], 4.0)), (1e6, 1e6));
        assert_eq!((cost(&[2.0], 1.0), cost(&[2.0], 4.0)), (0.5e6, 2e6));
        assert_eq!(cost(&[1.0, 4.0], 2.0), 0.5e6, "half of what 32 bits cost");
    }

    #[test]
    fn powers_of_layers_are_told_from_networks_totals_by_the_rates_of_their_work() {
        let (sums, powers) = totals();
        assert!(!sums.are_layers());
        let model = fit(&sums).expect("fits").pop().expect("a model");
        for (i, power) in powers.iter().enumerate() {
            let told = model.predict(sums.tables[0].row(i));
            // The shortest are a tenth of the median layer, where the least time shows.
            assert!((told / power - 1.0).abs() < if i < 3 { 0.1 } else { 0.05 }, "layer {i}: {told} for {power}");
        }
    }

    #[test]
    fn no_layer_draws_what_no_network_comes_near() {
        let (mut sums, _) = totals();
        // A layer so short that no total tells what it draws, and one of no work at all.
        sums.tables[0].runtimes[0] = Some(1e-9);
        let model = fit(&sums).expect("fits").pop().expect("a model");
        let most = MOST_POWER * sums.measured.iter().copied().fold(0.0, f64::max);
        for elements in [0.0, 1.0, 1e3, 1e6, 1e12] {
            let told = model.predict(&[1.0, elements, elements, 0.0, 4.0]);
            assert!(told >= LEAST_POWER * IDLE_W && told <= most, "{elements} elements: {told}");
        }
    }

    #[test]
    fn without_run_times_a_networks_power_is_learnt_all_the_same() {
        let (mut sums, _) = totals();
        sums.tables[0].runtimes.clear();
        let model = fit(&sums).expect("fits").pop().expect("a model");
        for network in 0..sums.len() {
            let rows = sums.tables[0].occurrences.iter().filter(|one| one.measurement == network);
            let told: f64 = rows.map(|one| one.weight * model.predict(sums.tables[0].row(one.row))).sum();
            assert!((told / sums.measured[network] - 1.0).abs() < 0.05, "{told} for {}", sums.measured[network]);
        }
    }
}
