//! The model kinds, each a [`Recipe`](crate::model::Recipe).

mod auto;
mod hybrid;
mod lasso;
mod physics;

pub use auto::AutoRecipe;
pub use hybrid::HybridRecipe;
pub use lasso::LassoRecipe;
pub use physics::PhysicsRecipe;
