//! The inputs of statistical models: a layer's sizes, and the work that follows from them.

use super::physics;
use estimators::formula::Formula;
use shared::engine::Table;

/// Sizes, operations, weights and operations for each element moved, as formulas over [`physics::features`].
pub(super) fn of(table: Table) -> Vec<Formula> {
    let work = physics::products(table).into_iter().chain(physics::intensity(table));
    physics::sizes(table).into_iter().chain(work).map(|quantity| quantity.formula).collect()
}

/// Names of the inputs, in the same order.
pub(super) fn names(table: Table) -> Vec<String> {
    let work = physics::products(table).into_iter().chain(physics::intensity(table));
    physics::sizes(table).into_iter().chain(work).map(|quantity| quantity.name).collect()
}
