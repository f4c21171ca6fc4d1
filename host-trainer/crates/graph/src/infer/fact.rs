//! What is known of a tensor, and broadcasting.

use crate::read::{Element, Numbers};
use shared::limits;
use std::rc::Rc;

/// What is known of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    /// Extents, outermost first.
    pub(crate) dims: Vec<i64>,
    /// Number format.
    pub(crate) element: Element,
    /// Whether it depends on no input of the model.
    pub(crate) constant: bool,
    /// Its values, where they are constant, few and known.
    pub(crate) value: Option<Rc<Numbers>>,
}

impl Fact {
    /// A tensor of which the values are not known.
    pub(crate) fn new(dims: Vec<i64>, element: Element) -> Self {
        Self { dims, element, constant: false, value: None }
    }

    /// A list of whole numbers.
    pub(crate) fn ints(dims: Vec<i64>, values: Vec<i64>) -> Self {
        Self { dims, element: Element::Int64, constant: true, value: Some(Rc::new(Numbers::Ints(values))) }
    }

    /// Number of elements; saturates.
    pub(crate) fn elements(&self) -> u64 {
        elements(&self.dims)
    }

    /// The values as whole numbers.
    pub(crate) fn as_ints(&self) -> Option<Vec<i64>> {
        match self.value.as_deref()? {
            Numbers::Ints(values) => Some(values.clone()),
            Numbers::Floats(values) => {
                values.iter().map(|&v| (v.is_finite() && v.abs() < 9e15).then_some(v as i64)).collect()
            }
        }
    }

    /// The values as decimal numbers.
    pub(crate) fn as_floats(&self) -> Option<Vec<f64>> {
        match self.value.as_deref()? {
            Numbers::Ints(values) => Some(values.iter().map(|&v| v as f64).collect()),
            Numbers::Floats(values) => Some(values.clone()),
        }
    }
}

/// Number of elements of a shape; saturates.
pub(crate) fn elements(dims: &[i64]) -> u64 {
    dims.iter().fold(1_u64, |product, &dim| product.saturating_mul(u64::try_from(dim).unwrap_or(0)))
}

/// The position of an axis that may be counted from the end.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank_signed = rank as i64;
    let positive = if axis < 0 { axis.saturating_add(rank_signed) } else { axis };
    match usize::try_from(positive) {
        Ok(position) if position < rank => Ok(position),
        _ => Err(format!("has the axis {axis} of a tensor with {rank} dimensions")),
    }
}

/// The shape that two shapes broadcast to.
pub(crate) fn broadcast(a: &[i64], b: &[i64]) -> Result<Vec<i64>, String> {
    let rank = a.len().max(b.len());
    let at = |dims: &[i64], position: usize| {
        (position + dims.len()).checked_sub(rank).and_then(|i| dims.get(i)).copied().unwrap_or(1)
    };
    (0..rank)
        .map(|position| match (at(a, position), at(b, position)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(format!("joins shapes that do not fit: {a:?} and {b:?}")),
        })
        .collect()
}

/// For each element of `out` in order, the position of the element of `dims` that is broadcast to it.
pub(crate) fn positions(dims: &[i64], out: &[i64]) -> Vec<usize> {
    let count = elements(out).min(limits::GRAPH_VALUES as u64) as usize;
    let offset = out.len() - dims.len().min(out.len());
    let mut strides = vec![0_usize; out.len()];
    let mut stride = 1_usize;
    for (position, &dim) in dims.iter().enumerate().rev() {
        if let Some(slot) = strides.get_mut(offset + position) {
            *slot = if dim == 1 { 0 } else { stride };
        }
        stride = stride.saturating_mul(usize::try_from(dim).unwrap_or(0));
    }
    strided(out, &strides, 0, count)
}

/// Positions of a walk over `out` in row-major order, with a step for each axis.
pub(crate) fn strided(out: &[i64], strides: &[usize], start: usize, count: usize) -> Vec<usize> {
    let mut index = vec![0_i64; out.len()];
    let mut position = start;
    let mut positions = Vec::with_capacity(count);
    for _ in 0..count {
        positions.push(position);
        for axis in (0..out.len()).rev() {
            index[axis] += 1;
            position = position.wrapping_add(strides[axis]);
            if index[axis] < out[axis] {
                break;
            }
            position = position.wrapping_sub(strides[axis].wrapping_mul(usize::try_from(out[axis]).unwrap_or(0)));
            index[axis] = 0;
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_from_the_right() {
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Ok(vec![2, 3, 4]));
        assert_eq!(broadcast(&[], &[5]), Ok(vec![5]));
        assert!(broadcast(&[2], &[3]).is_err());
        assert_eq!(positions(&[3, 1], &[2, 3, 2]), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
        assert_eq!(positions(&[], &[2]), [0, 0]);
    }
}
