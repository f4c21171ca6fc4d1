//! The model kinds, each a [`Recipe`](crate::model::Recipe).

mod lasso;

pub use lasso::LassoRecipe;
