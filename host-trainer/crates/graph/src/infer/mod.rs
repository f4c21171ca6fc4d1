//! Shapes of all tensors, and the values of those that are constant and few: shape arithmetic is folded on the way.

mod arithmetic;
mod call;
mod fact;
mod layout;
mod run;
mod window;

pub(crate) use arithmetic::operands as product_operands;
pub(crate) use fact::{Fact, axis, elements};
pub(crate) use run::{Refusal, Shaped, Wanted, infer, node_name};
pub(crate) use window::{Geometry, geometry, operands as convolution_operands};
