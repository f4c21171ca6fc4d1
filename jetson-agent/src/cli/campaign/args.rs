//! The options of `campaign`, and what they mean for every item.

use crate::cli::context::Context;
use crate::cli::profile::ProfileArgs;
use crate::cli::runner_args::{RunnerArgs, RunnerKind};
use crate::cli::source_args::{SourceArgs, SourceSpec};
use clap::Args;
use shared::campaign::CampaignPlan;
use shared::failure::Failure;
use std::path::PathBuf;
use std::time::Duration;

/// How long an item may take by itself: some engines take a quarter of an hour to build.
const BUILDING: Duration = Duration::from_secs(1200);
/// How many times its expected time an item may take on top.
const TIMES_EXPECTED: f64 = 10.0;

/// Measure what `host-trainer campaign plan` chose; the same command goes on where it was cut off.
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignArgs {
    /// Folder of the plan. Runs go into `runs` below it.
    pub(super) plan: PathBuf,
    /// How long measuring may take in all, earlier sessions included; else the plan's time.
    #[arg(long, value_name = "TIME", value_parser = super::super::values::duration)]
    pub(super) time: Option<Duration>,
    /// Set the power modes of the plan without asking; the mode that the board is in is restored afterwards. Needs root.
    #[arg(long)]
    pub(super) set_modes: bool,
    /// Run the first network of each mode until its latency no longer changes from one minute to the next, half an hour at most, before
    /// anything is measured: what follows is measured on a warm board.
    #[arg(long)]
    pub(super) until_steady: bool,
    /// Wait before each item until no zone is warmer than this, in °C, ten minutes at most.
    #[arg(long, value_name = "CELSIUS", conflicts_with = "until_steady")]
    pub(super) cool_to: Option<f64>,
    /// Idle power measured before each mode, where power is measured.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::super::values::duration)]
    pub(super) idle: Duration,
    /// Idle time recorded before and after each item, where power is measured.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::super::values::duration)]
    rest: Duration,
    /// Measure items again that failed before.
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// How long an item may take: then what runs it is ended, the item counts as failed, and the next one follows. Layers measured one by
    /// one have it each [default: 20 min, and ten times what the item is expected to take].
    #[arg(long, value_name = "TIME", value_parser = super::super::values::duration)]
    pub(super) item_limit: Option<Duration>,
    /// How long what runs an item may take to end after that.
    #[arg(long, hide = true, default_value = "60s", value_parser = super::super::values::duration)]
    pub(super) item_grace: Duration,
    /// How long one stretch of --until-steady takes.
    #[arg(long, hide = true, default_value = "60s", value_parser = super::super::values::duration)]
    pub(super) steady_stretch: Duration,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    runner: RunnerArgs,
}

/// `profile`'s own defaults.
#[derive(clap::Parser)]
struct Defaults {
    #[command(flatten)]
    profile: ProfileArgs,
}

impl CampaignArgs {
    /// What all items have in common.
    pub(super) fn template(&self, context: &Context, plan: &CampaignPlan) -> Result<ProfileArgs, Failure> {
        let mut template = <Defaults as clap::Parser>::parse_from(["profile"]).profile;
        *template.source_mut() = self.source.clone();
        *template.runner_mut() = self.runner.clone();
        if plan.board == "cpu" && self.runner.runner == RunnerKind::Trtexec {
            template.runner_mut().runner = RunnerKind::Onnxruntime;
        }
        if self.source.source == SourceSpec::Auto && template.runner().runner != RunnerKind::Simulated {
            // Said once, not with every item.
            let has_none = !plan.power || template.source().open_or_none(context)?.setup().rails.is_empty();
            if has_none {
                template.source_mut().source = SourceSpec::Nothing;
            }
        }
        let has_power = template.source().source != SourceSpec::Nothing;
        if plan.power && !has_power {
            context.printer.warn("the plan is for power too; run times alone are measured");
        }
        template.idle = if has_power { self.rest } else { Duration::ZERO };
        Ok(template)
    }

    /// How long an item may take that is expected to take so many seconds.
    pub(super) fn limit(&self, expected_s: f64) -> Duration {
        // A plan's times are below 10⁶ s.
        self.item_limit.unwrap_or_else(|| BUILDING + Duration::from_secs_f64(TIMES_EXPECTED * expected_s.max(0.0)))
    }
}
