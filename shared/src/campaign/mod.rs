//! A campaign: what `host-trainer` plans to measure, `jetson-agent` measures, and `host-trainer` learns from.
//!
//! A plan is a folder:
//!
//! | file | written by | content |
//! |---|---|---|
//! | `plan.json` | `host-trainer` | [`CampaignPlan`] |
//! | `models/<item>.onnx`, `models/<item>.json` | `host-trainer` | what an item runs, and the layers that it is expected to have |
//! | `progress.eplog` | `jetson-agent` | [`Progress`] records in checksummed [frames](crate::run_folder::frames) |
//! | `runs/<item>/`, `runs/<mode>/<item>/` | `jetson-agent` | run folders |
//! | `learned/` | `host-trainer` | aligned runs, training tables, models, a report |

mod plan;
mod progress;

pub use plan::{
    CampaignPlan, Expectation, FORMAT_VERSION, ItemKind, LEARNED_FOLDER, MODELS_FOLDER, PLAN_FILE, PlanItem,
};
pub use progress::{Latency, Outcome, PROGRESS_FILE, Progress, ProgressLog, Steady};
