//! `campaign`, from its options to its answer.

use super::answer::report;
use super::args::CampaignArgs;
use super::items::Items;
use super::session::Session;
use crate::board::ModeGuard;
use crate::cli::context::Context;
use crate::cli::source_args::SourceSpec;
use crate::session::CampaignLog;
use shared::campaign::CampaignPlan;
use shared::failure::Failure;
use std::time::Instant;

impl CampaignArgs {
    pub(in crate::cli) fn run(&self, context: &Context) -> Result<(), Failure> {
        let plan = CampaignPlan::read(&self.plan)?;
        let log = CampaignLog::open(&self.plan)?;
        let mut template = self.template(context, &plan)?;
        let stop = context.stop_on_signals()?;
        let restores = template.source().set_sensor(context)?;
        template.source_mut().keep_sensor();
        let mut session = Session {
            plan: &plan,
            guard: ModeGuard::new(&context.root),
            has_power: template.source().source != SourceSpec::Nothing,
            items: Items { args: self, context, stop, template },
            log,
            began: Instant::now(),
        };
        let ended = session.measure_all();
        drop(restores);
        // Modes are restored before anything is said of the end.
        let Session { guard, log, .. } = session;
        drop(guard);
        report(context, &self.plan, &plan, &log)?;
        ended
    }
}
