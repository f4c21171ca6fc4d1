//! One session of a campaign: modes, their items, and what becomes of each.

use super::items::Items;
use super::steady::become_steady;
use crate::board::ModeGuard;
use crate::cli::doctor;
use crate::cli::runner_args::{RunnerKind, simulates_power};
use crate::cli::values::in_words;
use crate::session::{CampaignLog, latency, needs_measuring};
use shared::campaign::{CampaignPlan, ItemKind, Outcome, PlanItem, Progress};
use shared::failure::{Failure, Kind};
use shared::run_folder::{RunFolder, Verdict};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The name under which the log has how the board became steady; no item can have it.
const STEADY: &str = ".steady";

/// One session of a campaign.
pub(super) struct Session<'a> {
    pub(super) plan: &'a CampaignPlan,
    pub(super) items: Items<'a>,
    pub(super) guard: ModeGuard,
    pub(super) has_power: bool,
    pub(super) log: CampaignLog,
    pub(super) began: Instant,
}

impl Session<'_> {
    pub(super) fn measure_all(&mut self) -> Result<(), Failure> {
        self.refuse_unless_sound()?;
        if self.items.template.runner().runner != RunnerKind::Simulated {
            // A runner that is not there fails here, and not with every item.
            self.items.template.runner().real()?;
        }
        let plan = self.plan;
        let modes = plan.modes();
        let before: f64 = self.log.log().seconds();
        let time_s = self.items.args.time.map_or(self.plan.time_s, |time| time.as_secs_f64());
        for (number, mode) in (1..).zip(&modes) {
            if !self.enter(*mode)? {
                continue;
            }
            // Every mode has its part of the time, and what those before it left.
            let until_s = time_s * f64::from(number) / modes.len() as f64 - before;
            self.measure_mode(*mode, until_s)?;
        }
        let measured = self.log.log().records.iter().any(|record| record.outcome == Outcome::Done);
        let first = self.log.log().records.iter().find_map(|record| record.reason.clone());
        match first {
            Some(reason) if !measured => {
                Err(Failure::data(format!("nothing was measured; the first item: {reason}")).at(&self.items.args.plan))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a board on which nothing can be measured.
    fn refuse_unless_sound(&self) -> Result<(), Failure> {
        let runner = self.items.template.runner();
        let needs_sensor = self.has_power && !simulates_power(runner.runner, &self.items.template.source().source);
        let checks = doctor::checks(self.items.context, &self.items.args.plan, runner.trtexec.as_deref());
        let failed = checks
            .into_iter()
            .find(|check| check.verdict == Verdict::Fail && (needs_sensor || !check.name.starts_with("power rails")));
        match failed {
            Some(check) => {
                let failure =
                    Failure::device(format!("this board cannot be measured: {}: {}", check.name, check.message));
                Err(failure.help(check.advice.unwrap_or_else(|| "see `jetson-agent doctor`".to_owned())))
            }
            None => Ok(()),
        }
    }

    /// Sets a mode; false where it cannot be set, which is recorded with its items.
    fn enter(&mut self, mode: Option<&str>) -> Result<bool, Failure> {
        let Some(name) = mode else { return Ok(true) };
        let set = match self.guard.to_set(name) {
            Ok(None) => return Ok(true),
            Ok(Some(id)) => {
                self.may_set(name)?;
                self.guard.set(id)
            }
            Err(error) => Err(error),
        };
        let Err(error) = set else {
            self.items.context.printer.say(format!("the board is in mode {name}"));
            return Ok(true);
        };
        let reason = format!("mode {name} cannot be set: {error}");
        self.items.context.printer.warn(&reason);
        let plan = self.plan;
        for item in &plan.items {
            if self.log.outcome(mode, &item.id).is_none() {
                self.log.record(record(mode, &item.id, Outcome::Skipped, 0.0, Some(reason.clone())))?;
            }
        }
        Ok(false)
    }

    /// Asks whether the mode may be changed.
    fn may_set(&self, name: &str) -> Result<(), Failure> {
        let refused = || {
            Failure::usage(format!("the plan measures in mode {name}, and the board is in another one"))
                .help("--set-modes sets the modes of the plan and restores the board's own; it needs root")
        };
        if self.items.args.set_modes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(refused());
        }
        let mut stderr = std::io::stderr();
        let asked =
            write!(stderr, "set the board to mode {name}, and back afterwards? [y/N] ").and_then(|()| stderr.flush());
        asked.map_err(|e| Failure::from_error(Kind::Io, e))?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(|e| Failure::from_error(Kind::Io, e))?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(refused()) }
    }

    /// Measures the items of a mode that are left, until so many seconds of this session are over.
    fn measure_mode(&mut self, mode: Option<&str>, until_s: f64) -> Result<(), Failure> {
        let root = CampaignPlan::runs(&self.items.args.plan, mode);
        let todo = self.left(mode, &root)?;
        if todo.is_empty() {
            return Ok(());
        }
        let failure =
            self.items.template.measure_idle_once(&root, self.items.args.idle, self.items.context, &self.items.stop)?;
        failure.map_or(Ok(()), |failure| Err(failure.help("the same command goes on from here")))?;
        if self.items.args.until_steady {
            self.become_steady(mode)?;
        }
        let all = self.plan.items.len();
        let (mut spent_s, mut expected_s) = (0.0, 0.0);
        for (place, item) in todo.iter().enumerate() {
            // What measured items took so far, over what they were expected to take.
            let factor: f64 = if expected_s > 0.0 { spent_s / expected_s } else { 1.0 };
            let left_s: f64 = todo[place..].iter().map(|item| item.expected_s * factor).sum();
            if self.began.elapsed().as_secs_f64() + item.expected_s * factor > until_s {
                let left = todo.len() - place;
                self.items
                    .context
                    .printer
                    .say(format!("the time is over: {left} items are left; --time gives more of it"));
                break;
            }
            self.items.cool_down();
            self.items.go_on()?;
            let about = in_words(Duration::from_secs_f64(left_s.clamp(0.0, 1e7)));
            let failed = self.log.log().latest().values().filter(|record| record.outcome == Outcome::Failed).count();
            self.items.context.printer.say(format!(
                "{}{} of {all}, {failed} failed, {about} left: {}",
                mode.map_or_else(String::new, |mode| format!("{mode}: ")),
                all - todo.len() + place + 1,
                item.id
            ));
            let began = Instant::now();
            let limit = self.items.args.limit(item.expected_s * factor.max(1.0));
            let (items, log) = (&self.items, &mut self.log);
            let ended = items.measure(item, &root, limit, &mut |failure| {
                let end =
                    record(mode, &item.id, Outcome::Failed, began.elapsed().as_secs_f64(), Some(failure.to_string()));
                // Where it cannot be recorded, the next session tries the item once more.
                let _ = log.record(end);
                items.end(&failure);
            });
            let seconds = began.elapsed().as_secs_f64();
            if ended.is_ok() {
                // What hung or failed at once says nothing of how long the others take.
                (spent_s, expected_s) = (spent_s + seconds, expected_s + item.expected_s);
            }
            let (outcome, reason) = match ended {
                Ok(reason) => (Outcome::Done, reason),
                // The next item would meet the same disk, and the user has had enough.
                Err(failure) if matches!(failure.kind, Kind::Interrupted | Kind::Io) => {
                    return Err(failure.help("the same command goes on from here"));
                }
                Err(failure) => {
                    self.items.context.printer.fail(&failure);
                    (Outcome::Failed, Some(failure.to_string()))
                }
            };
            self.record_end(mode, item, &root, (outcome, seconds, reason))?;
            if outcome == Outcome::Failed {
                self.refuse_unless_sound()?;
            }
        }
        Ok(())
    }

    /// The items that are still to be measured. One whose run is complete, but was cut off before it was recorded, is recorded.
    fn left(&mut self, mode: Option<&str>, root: &Path) -> Result<Vec<PlanItem>, Failure> {
        let (plan, mut left) = (self.plan, Vec::new());
        for item in &plan.items {
            match self.log.outcome(mode, &item.id) {
                Some(Outcome::Done) => continue,
                Some(Outcome::Failed) if !self.items.args.retry_failed => continue,
                Some(Outcome::Failed | Outcome::Skipped) | None => {}
            }
            let printer = self.items.context.printer;
            if needs_measuring(&RunFolder::new(root, &item.id), &mut |said| printer.say(said))? {
                left.push(item.clone());
            } else {
                self.record_end(mode, item, root, (Outcome::Done, 0.0, None))?;
            }
        }
        Ok(left)
    }

    fn record_end(
        &mut self,
        mode: Option<&str>,
        item: &PlanItem,
        root: &Path,
        (outcome, seconds, reason): (Outcome, f64, Option<String>),
    ) -> Result<(), Failure> {
        let mut end = record(mode, &item.id, outcome, seconds, reason);
        if item.kind == ItemKind::Network && outcome == Outcome::Done {
            end.latency = latency(&RunFolder::new(root, &item.id))?;
        }
        self.log.record(end)
    }

    /// Runs the first network until its latency no longer changes, and records how that went.
    fn become_steady(&mut self, mode: Option<&str>) -> Result<(), Failure> {
        let plan = self.plan;
        let Some(item) = plan.items.iter().find(|item| item.kind == ItemKind::Network) else { return Ok(()) };
        let root = self.items.args.plan.join("steady");
        let root = mode.map_or_else(|| root.clone(), |mode| root.join(mode));
        let began = Instant::now();
        let steady = become_steady(&self.items, item, &root)?;
        let mut end = record(mode, STEADY, Outcome::Done, began.elapsed().as_secs_f64(), None);
        end.steady = Some(steady);
        self.log.record(end)
    }
}

fn record(mode: Option<&str>, item: &str, outcome: Outcome, seconds: f64, reason: Option<String>) -> Progress {
    Progress {
        item: item.to_owned(),
        mode: mode.map(str::to_owned),
        outcome,
        seconds,
        reason,
        latency: None,
        steady: None,
    }
}
