//! One operator with what is known of its inputs.

use super::fact::Fact;
use crate::read::{Element, Node, Numbers};
use shared::limits;
use std::rc::Rc;

/// Outputs of an operator; none where they do not follow from what is known. An error is a contradiction in the file.
pub(crate) type Outcome = Result<Option<Vec<Fact>>, String>;

/// One operator with what is known of its inputs.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) node: &'a Node,
    /// None where an input is left out.
    pub(crate) inputs: Vec<Option<&'a Fact>>,
    pub(crate) opset: i64,
    /// The batch size that the file was exported with and the one asked for, where they differ.
    pub(crate) batch: Option<(i64, i64)>,
}

impl<'a> Call<'a> {
    /// An input; none where it is left out.
    pub(crate) fn input(&self, position: usize) -> Option<&'a Fact> {
        self.inputs.get(position).copied().flatten()
    }

    /// An input that must be there.
    pub(crate) fn required(&self, position: usize) -> Result<&'a Fact, String> {
        self.input(position).ok_or_else(|| format!("has no input {position}"))
    }

    /// The first input.
    pub(crate) fn first(&self) -> Result<&'a Fact, String> {
        self.required(0)
    }

    /// Whole numbers that are an attribute in old versions of an operator and an input in new ones. The outer result is a
    /// contradiction, the outer option says that the numbers are there but unknown, the inner one that they are left out.
    pub(crate) fn list(&self, attribute: &str, position: usize) -> Option<Option<Vec<i64>>> {
        if let Some(list) = self.node.ints(attribute) {
            return Some(Some(list.to_vec()));
        }
        match self.input(position) {
            None => Some(None),
            Some(fact) => fact.as_ints().map(Some),
        }
    }

    /// Whether every input is constant.
    pub(crate) fn is_constant(&self) -> bool {
        self.inputs.iter().flatten().all(|fact| fact.constant)
    }
}

/// One output without values.
pub(crate) fn one(dims: Vec<i64>, element: Element) -> Outcome {
    Ok(Some(vec![Fact::new(dims, element)]))
}

/// Values picked from a fact, if it has some and they are not too many.
pub(crate) fn picked(fact: &Fact, positions: impl FnOnce() -> Vec<usize>, count: u64) -> Option<Rc<Numbers>> {
    let value = fact.value.as_ref()?;
    if count > limits::GRAPH_VALUES as u64 {
        return None;
    }
    fn take<T: Copy>(values: &[T], positions: &[usize]) -> Option<Vec<T>> {
        positions.iter().map(|&position| values.get(position).copied()).collect()
    }
    let positions = positions();
    Some(Rc::new(match value.as_ref() {
        Numbers::Ints(values) => Numbers::Ints(take(values, &positions)?),
        Numbers::Floats(values) => Numbers::Floats(take(values, &positions)?),
    }))
}
