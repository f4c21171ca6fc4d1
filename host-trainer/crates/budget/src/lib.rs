//! Limits on what engines cost, and whether they are kept.
//!
//! A budgets file names limits for networks ([`Budgets`]). Engines are checked against them, and against a baseline for
//! limits on change. A check passes, fails, or is undecided where the prediction's interval holds the limit or a layer lies
//! outside the training range ([`Verdict`]). A [`Report`] is written for people by the command line, and as Markdown, JUnit
//! or annotations of GitHub here.
//!
//! ```
//! use budget::{Baseline, Budgets, Report, Undecided, Verdict};
//! use compare::{Side, SideLayer};
//! use shared::units::Millis;
//!
//! let budgets = Budgets::parse("[network.\"resnet*\"]\nruntime_ms = 1.5\n", "budgets.toml".as_ref())?;
//! let layer = SideLayer { runtime: Some(Millis(2.0)), ..SideLayer::named(0, "conv1") };
//! let side = Side::measured("resnet18.json", vec![layer]);
//! let report = Report::of(&budgets, &[side], &Baseline::default(), Undecided::Warn);
//! assert_eq!(report.checks[0].verdict, Verdict::Fail);
//! assert_eq!(report.checks[0].layers, ["conv1 (2.000 ms)"]);
//! # Ok::<(), shared::failure::Failure>(())
//! ```

mod baseline;
mod budgets;
mod check;
mod github;
mod junit;
mod markdown;
mod network;
mod pattern;
mod report;
mod verdict;

pub use baseline::Baseline;
pub use budgets::{Bound, Budgets, Level, Limit, Measure};
pub use check::Check;
pub use github::annotations;
pub use junit::junit;
pub use markdown::markdown;
pub use pattern::Pattern;
pub use report::{Report, SCHEMA_VERSION, Severity, Undecided};
pub use verdict::Verdict;
