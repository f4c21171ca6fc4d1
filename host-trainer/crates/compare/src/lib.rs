//! Two engines compared by the operators of the model that their layers contain, and why they differ.
//!
//! TensorRT fuses the operators of a model into layers, and does so differently from one precision, version or device to the
//! next. Layers of two engines are therefore matched in groups that together contain the same operators. A side of a
//! comparison is an engine that is predicted, a saved prediction, or a measured profile: [`read()`] reads them all.
//!
//! ```
//! use compare::{Comparison, Side, SideLayer};
//! use shared::units::Millis;
//!
//! let layer = |name: &str, ms: f64| SideLayer { runtime: Some(Millis(ms)), ..SideLayer::named(0, name) };
//! let a = Side::measured("separate", vec![layer("conv1", 0.5), layer("relu1", 0.1)]);
//! let b = Side::measured("fused", vec![layer("conv1 + relu1", 0.52)]);
//! let comparison = Comparison::of(&a, &b);
//! assert_eq!(comparison.groups.len(), 1);
//! assert_eq!(comparison.groups[0].a.as_ref().map(|part| part.layers.len()), Some(2));
//! assert!((comparison.groups[0].runtime_change_ms.unwrap() + 0.08).abs() < 1e-9);
//! ```

mod alignment;
mod causes;
mod change;
mod comparison;
mod derived;
mod input;
mod markdown;
mod matching;
mod measured;
mod operators;
mod saved;
mod side;
mod words;

pub use change::{GroupChange, Part, SideSummary};
pub use comparison::{Comparison, SCHEMA_VERSION};
pub use derived::{Forecast, add_origin};
pub use input::{files, read, read_one};
pub use markdown::{escaped, markdown};
pub use matching::MatchedBy;
pub use side::{Origin, Side, SideLayer};
