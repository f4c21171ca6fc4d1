//! The model kinds, each a [`Recipe`](crate::model::Recipe).

mod hybrid;
mod lasso;
mod physics;

pub use hybrid::HybridRecipe;
pub use lasso::LassoRecipe;
pub use physics::PhysicsRecipe;
