//! Campaigns: what to measure on a board, and what follows from it.
//!
//! [`plan()`] chooses networks and single layers that cover the layers of the user's networks best for their time, and
//! [`Planned::write`] writes them as a folder that `jetson-agent campaign` works on; [`remote`] has it do so on a board. [`learn()`] aligns the runs of such a folder,
//! fits models, judges them on networks that were kept back, and says whether measuring more would pay.
//!
//! | step | module |
//! |---|---|
//! | how far two layers are apart | `points` |
//! | which layers can be measured, alone and in networks | `singles`, `members`, `grid` |
//! | which of them are chosen | [`cover`] |
//! | what is asked of a plan | `request` |
//! | how long items take to measure | `costs` |
//! | the plan and its files | `choice` |
//! | the plan to the board, the runs back | [`remote`] |
//! | runs to training tables | `runs` |
//! | models, their judgement and the report | `lessons`, `judge` |

mod choice;
mod costs;
pub mod cover;
mod grid;
mod judge;
mod lessons;
mod members;
mod points;
pub mod remote;
mod request;
mod runs;
mod singles;
mod targets;

pub use choice::{Planned, plan};
pub use judge::{Judgement, MorePays, NetworkJudgement};
pub use lessons::{LearnOptions, LearnedDevice, Report, learn};
pub use request::{PlanRequest, Strategy};
