//! `campaign`.

use super::context::Context;
use super::doctor;
use super::profile::{ModelChoice, ProfileArgs};
use super::runner_args::{RunnerArgs, RunnerKind, simulates_power};
use super::source_args::{SourceArgs, SourceSpec};
use super::values::in_words;
use crate::board::{ModeGuard, read_state, throttle_events};
use crate::onnx::{components, cut};
use crate::session::{CampaignLog, Stop, latency, needs_measuring};
use crate::sys;
use clap::Args;
use shared::campaign::{CampaignPlan, ItemKind, Latency, Outcome, PlanItem, Progress, Steady};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::run_folder::{RunFolder, Verdict};
use shared::units::Millis;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Cycles before those that are measured: they tell the pace.
const WARMUP: u32 = 5;
/// Most cycles with the profiler: it writes half a kilobyte for each layer.
const PROFILED: u32 = 2_000;
/// Free space below which no item is begun, in bytes.
const FREE_BYTES: u64 = 200 << 20;
/// Longest wait for the board to cool before an item.
const COOLING: Duration = Duration::from_secs(600);
/// Stretches of `--until-steady` at most, and the relative change between two of them that counts as none.
const STRETCHES: u32 = 30;
const SAME: f64 = 0.01;
/// The name under which the log has how the board became steady; no item can have it.
const STEADY: &str = ".steady";

/// Measure what `host-trainer campaign plan` chose; the same command goes on where it was cut off.
#[derive(Debug, Args)]
pub(super) struct CampaignArgs {
    /// Folder of the plan. Runs go into `runs` below it.
    plan: PathBuf,
    /// How long measuring may take in all, earlier sessions included; else the plan's time.
    #[arg(long, value_name = "TIME", value_parser = super::values::duration)]
    time: Option<Duration>,
    /// Set the power modes of the plan without asking; the mode that the board is in is restored afterwards. Needs root.
    #[arg(long)]
    set_modes: bool,
    /// Run the first network of each mode until its latency no longer changes from one minute to the next, half an hour at most, before
    /// anything is measured: what follows is measured on a warm board.
    #[arg(long)]
    until_steady: bool,
    /// Wait before each item until no zone is warmer than this, in °C, ten minutes at most.
    #[arg(long, value_name = "CELSIUS", conflicts_with = "until_steady")]
    cool_to: Option<f64>,
    /// Idle power measured before each mode, where power is measured.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::values::duration)]
    idle: Duration,
    /// Idle time recorded before and after each item, where power is measured.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::values::duration)]
    rest: Duration,
    /// Measure items again that failed before.
    #[arg(long)]
    retry_failed: bool,
    /// How long one stretch of --until-steady takes.
    #[arg(long, hide = true, default_value = "60s", value_parser = super::values::duration)]
    steady_stretch: Duration,
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

/// A failed or skipped item.
#[derive(Debug, serde::Serialize)]
struct Fault {
    mode: Option<String>,
    item: String,
    reason: String,
}

/// Latencies of a network.
#[derive(Debug, serde::Serialize)]
struct NetworkLatency {
    mode: Option<String>,
    item: String,
    latency: Latency,
}

#[derive(serde::Serialize)]
struct Answer {
    schema_version: u32,
    plan: PathBuf,
    items: usize,
    done: usize,
    left: usize,
    seconds: f64,
    faults: Vec<Fault>,
    latencies: Vec<NetworkLatency>,
    steady: Vec<(Option<String>, Steady)>,
}

impl CampaignArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let plan = CampaignPlan::read(&self.plan)?;
        let log = CampaignLog::open(&self.plan)?;
        let template = self.template(context, &plan)?;
        let mut session = Session {
            args: self,
            context,
            stop: context.stop_on_signals()?,
            plan: &plan,
            guard: ModeGuard::new(&context.root),
            has_power: template.source().source != SourceSpec::Nothing,
            template,
            log,
            began: Instant::now(),
        };
        let restores = session.template.source().set_sensor(context)?;
        session.template.source_mut().keep_sensor();
        let ended = session.measure_all();
        drop(restores);
        // Modes are restored before anything is said of the end.
        let Session { guard, log, .. } = session;
        drop(guard);
        self.report(context, &plan, &log)?;
        ended
    }

    /// What all items have in common.
    fn template(&self, context: &Context, plan: &CampaignPlan) -> Result<ProfileArgs, Failure> {
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

    /// What was measured in all sessions, as data and in words.
    fn report(&self, context: &Context, plan: &CampaignPlan, log: &CampaignLog) -> Result<(), Failure> {
        let latest = log.log().latest();
        let (mut done, mut all, mut faults, mut latencies) = (0, 0, Vec::new(), Vec::new());
        for mode in plan.modes() {
            for item in &plan.items {
                all += 1;
                let Some(record) = latest.get(&(mode, item.id.as_str())) else { continue };
                let (mode, item) = (record.mode.clone(), record.item.clone());
                if record.outcome == Outcome::Done {
                    done += 1;
                    latencies.extend(record.latency.map(|latency| NetworkLatency { mode, item, latency }));
                } else {
                    faults.push(Fault { mode, item, reason: record.reason.clone().unwrap_or_default() });
                }
            }
        }
        let steady = log.log().records.iter().filter_map(|record| Some((record.mode.clone(), record.steady?)));
        let answer = Answer {
            schema_version: 1,
            plan: self.plan.clone(),
            items: all,
            done,
            left: all - done - faults.len(),
            seconds: log.log().seconds(),
            faults,
            latencies,
            steady: steady.collect(),
        };
        context.answer(&answer, human)
    }
}

fn human(answer: &Answer) -> String {
    let mut out = format!("{} of {} items are measured, {} are left\n", answer.done, answer.items, answer.left);
    let of = |mode: &Option<String>, item: &str| match mode {
        Some(mode) => format!("{mode}/{item}"),
        None => item.to_owned(),
    };
    for fault in &answer.faults {
        out += &format!("{}: not measured: {}\n", of(&fault.mode, &fault.item), fault.reason);
    }
    for NetworkLatency { mode, item, latency } in &answer.latencies {
        out += &format!(
            "{}: latency p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms\n",
            of(mode, item),
            latency.p50_ms.0,
            latency.p90_ms.0,
            latency.p99_ms.0
        );
    }
    for (mode, steady) in &answer.steady {
        let events = match steady.throttle_events {
            Some(0) => "no over-current event".to_owned(),
            Some(events) => format!("{events} over-current events"),
            None => "over-current events not known".to_owned(),
        };
        out += &format!(
            "{}: {} after {} stretches of {:.0} s: latency {:.3} ms first, {:.3} ms last ({:+.1} %), {events}\n",
            mode.as_deref().unwrap_or("as the board stands"),
            if steady.settled { "steady" } else { "not steady" },
            steady.stretches,
            steady.stretch_s,
            steady.first_ms.0,
            steady.last_ms.0,
            100.0 * (steady.last_ms.0 / steady.first_ms.0 - 1.0),
        );
    }
    out
}

/// One session of a campaign.
struct Session<'a> {
    args: &'a CampaignArgs,
    context: &'a Context,
    stop: Stop,
    plan: &'a CampaignPlan,
    guard: ModeGuard,
    has_power: bool,
    template: ProfileArgs,
    log: CampaignLog,
    began: Instant,
}

impl Session<'_> {
    fn measure_all(&mut self) -> Result<(), Failure> {
        self.refuse_unless_sound()?;
        if self.template.runner().runner != RunnerKind::Simulated {
            // A runner that is not there fails here, and not with every item.
            self.template.runner().real()?;
        }
        let plan = self.plan;
        let modes = plan.modes();
        let before: f64 = self.log.log().seconds();
        let time_s = self.args.time.map_or(self.plan.time_s, |time| time.as_secs_f64());
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
                Err(Failure::data(format!("nothing was measured; the first item: {reason}")).at(&self.args.plan))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a board on which nothing can be measured.
    fn refuse_unless_sound(&self) -> Result<(), Failure> {
        let runner = self.template.runner();
        let needs_sensor = self.has_power && !simulates_power(runner.runner, &self.template.source().source);
        let checks = doctor::checks(self.context, &self.args.plan, runner.trtexec.as_deref());
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
            self.context.printer.say(format!("the board is in mode {name}"));
            return Ok(true);
        };
        let reason = format!("mode {name} cannot be set: {error}");
        self.context.printer.warn(&reason);
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
        if self.args.set_modes {
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
        let root = CampaignPlan::runs(&self.args.plan, mode);
        let todo = self.left(mode, &root)?;
        if todo.is_empty() {
            return Ok(());
        }
        let failure = self.template.measure_idle_once(&root, self.args.idle, self.context, &self.stop)?;
        failure.map_or(Ok(()), |failure| Err(failure.help("the same command goes on from here")))?;
        if self.args.until_steady {
            self.become_steady(mode)?;
        }
        let all = self.plan.items.len();
        let (mut spent_s, mut expected_s) = (0.0, 0.0);
        for (place, item) in todo.iter().enumerate() {
            // What items took so far, over what they were expected to take.
            let factor: f64 = if expected_s > 0.0 { spent_s / expected_s } else { 1.0 };
            let left_s: f64 = todo[place..].iter().map(|item| item.expected_s * factor).sum();
            if self.began.elapsed().as_secs_f64() + item.expected_s * factor > until_s {
                let left = todo.len() - place;
                self.context.printer.say(format!("the time is over: {left} items are left; --time gives more of it"));
                break;
            }
            self.cool_down();
            self.go_on()?;
            let about = in_words(Duration::from_secs_f64(left_s.clamp(0.0, 1e7)));
            let failed = self.log.log().latest().values().filter(|record| record.outcome == Outcome::Failed).count();
            self.context.printer.say(format!(
                "{}{} of {all}, {failed} failed, {about} left: {}",
                mode.map_or_else(String::new, |mode| format!("{mode}: ")),
                all - todo.len() + place + 1,
                item.id
            ));
            let began = Instant::now();
            let ended = self.measure(item, &root);
            let seconds = began.elapsed().as_secs_f64();
            (spent_s, expected_s) = (spent_s + seconds, expected_s + item.expected_s);
            let (outcome, reason) = match ended {
                Ok(reason) => (Outcome::Done, reason),
                // The next item would meet the same disk, and the user has had enough.
                Err(failure) if matches!(failure.kind, Kind::Interrupted | Kind::Io) => {
                    return Err(failure.help("the same command goes on from here"));
                }
                Err(failure) => {
                    self.context.printer.fail(&failure);
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
                Some(Outcome::Failed) if !self.args.retry_failed => continue,
                Some(Outcome::Failed | Outcome::Skipped) | None => {}
            }
            let printer = self.context.printer;
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

    /// Ends where the user or the disk says so.
    fn go_on(&self) -> Result<(), Failure> {
        if self.stop.is_interrupted() {
            return Err(Failure::new(Kind::Interrupted, "interrupted").help("the same command goes on from here"));
        }
        match sys::free_bytes(&self.args.plan) {
            Ok(free) if free < FREE_BYTES => Err(Failure::new(
                Kind::Io,
                format!("{} MiB are free, and an item may take {} MiB", free >> 20, FREE_BYTES >> 20),
            )
            .at(&self.args.plan)
            .help("free some space; the same command goes on from here")),
            _ => Ok(()),
        }
    }

    /// The options of an item.
    fn options(&self, item: &PlanItem, root: &Path) -> ProfileArgs {
        let is_simulated = self.template.runner().runner == RunnerKind::Simulated;
        let path = |file: &str| self.args.plan.join(file);
        let mut args = self.template.for_model(ModelChoice {
            name: item.id.clone(),
            engine: None,
            onnx: (!is_simulated).then(|| path(&item.onnx)),
            engine_info: is_simulated.then(|| path(&item.engine_info)),
            shapes: Vec::new(),
            precision: Some(item.precision.clone()),
            cycles: (Some(WARMUP), Some(item.inferences), Some(item.inferences.min(PROFILED))),
            pass_time: Some(Duration::from_secs_f64(item.pass_s)),
        });
        args.result_dir = root.to_owned();
        args
    }

    /// Measures an item; what is worth recording of it although it was measured.
    fn measure(&self, item: &PlanItem, root: &Path) -> Result<Option<String>, Failure> {
        let args = self.options(item, root);
        let failure = match args.measure_quietly(self.context, &self.stop, &RunFolder::new(root, &item.id)) {
            Ok(_) => return Ok(None),
            Err(failure) => failure,
        };
        let can_split = item.kind == ItemKind::Layers && args.onnx().is_some();
        if !can_split || matches!(failure.kind, Kind::Interrupted | Kind::Io) {
            return Err(failure);
        }
        self.measure_layers(item, root, &args, failure)
    }

    /// Measures the layers of a model one by one, since the model of all of them fails: the others must not be lost with one.
    fn measure_layers(
        &self,
        item: &PlanItem,
        root: &Path,
        args: &ProfileArgs,
        failure: Failure,
    ) -> Result<Option<String>, Failure> {
        let model = read_capped(&self.args.plan.join(&item.onnx), limits::ONNX_BYTES)?;
        // A model that is damaged has no layers.
        let Ok(parts) = components(&model) else { return Err(failure) };
        if parts.len() < 2 {
            return Err(failure);
        }
        self.context.printer.say(format!("{}: {}; its layers are measured one by one", item.id, failure.message));
        let mut faults = Vec::new();
        for (number, operators) in parts.iter().enumerate() {
            let run = RunFolder::new(root, &item.part(number));
            if !needs_measuring(&run, &mut |said| self.context.printer.say(said))? {
                continue;
            }
            self.go_on()?;
            let measured =
                cut(&model, operators, &|_| None).map_err(|e| Failure::from_error(Kind::Data, e)).and_then(|part| {
                    let path = self.args.plan.join("parts").join(format!("{}.onnx", run.model()));
                    write_atomic(&path, &part.bytes)?;
                    let mut args = args.clone();
                    args.set_run(run.model().to_owned(), root.to_owned(), item.inferences, PROFILED);
                    args.set_model(path);
                    args.measure_quietly(self.context, &self.stop, &run)
                });
            match measured {
                Ok(_) => {}
                Err(failure) if matches!(failure.kind, Kind::Interrupted | Kind::Io) => return Err(failure),
                Err(failure) => faults.push(format!("layer {number}: {}", failure.message)),
            }
        }
        if faults.len() == parts.len() {
            return Err(failure);
        }
        let measured = parts.len() - faults.len();
        Ok(Some(format!("measured layer by layer, {measured} of {}: {}", parts.len(), faults.join("; "))))
    }

    /// Waits until the board is as cool as asked for. Without a zone that can be read there is nothing to wait for.
    fn cool_down(&self) {
        let Some(limit) = self.args.cool_to else { return };
        let until = Instant::now() + COOLING;
        let hottest = || {
            let temperatures = read_state(&self.context.root, 0).temperatures_c;
            temperatures.into_iter().map(|(_, celsius)| celsius).fold(f64::NEG_INFINITY, f64::max)
        };
        while hottest() > limit && Instant::now() < until && !self.stop.is_set() {
            self.stop.sleep_until(sys::monotonic_ns() + 1_000_000_000);
        }
        if hottest() > limit {
            self.context.printer.warn(format!("the board has {:.0} °C, more than --cool-to allows", hottest()));
        }
    }

    /// Runs the first network stretch by stretch until its latency no longer changes.
    fn become_steady(&mut self, mode: Option<&str>) -> Result<(), Failure> {
        let plan = self.plan;
        let Some(item) = plan.items.iter().find(|item| item.kind == ItemKind::Network) else { return Ok(()) };
        let root = self.args.plan.join("steady");
        let root = mode.map_or_else(|| root.clone(), |mode| root.join(mode));
        let throttled =
            || throttle_events(&self.context.root).map(|events| events.iter().map(|(_, count)| count).sum::<u64>());
        let (began, before) = (Instant::now(), throttled());
        self.context.printer.say(format!("{} runs until its latency no longer changes", item.id));
        let stretch = |session: &Self, runs: u32, time: Duration| -> Result<Millis, Failure> {
            let free = (0..).map(|number| format!("{}-{number}", item.id)).find(|name| !root.join(name).exists());
            let run = RunFolder::new(&root, &free.unwrap_or_default());
            let mut args = session.options(item, &root);
            args.set_run(run.model().to_owned(), root.clone(), runs, 0);
            args.set_pass_time(time);
            args.measure_quietly(session.context, &session.stop, &run)?;
            let found = latency(&run)?.ok_or_else(|| Failure::data("ran no inference").at(run.path()))?;
            Ok(found.p50_ms)
        };
        let time = self.args.steady_stretch;
        // The pace, for runners that take a number of inferences only.
        let pace = stretch(self, item.inferences.min(200), Duration::from_secs_f64(item.pass_s))?;
        let runs = ((time.as_secs_f64() * 1e3 / pace.0.max(1e-3)) as u32).max(WARMUP);
        let mut medians: Vec<f64> = Vec::new();
        let is_settled = |medians: &[f64]| match medians {
            [.., before, last] => (last / before - 1.0).abs() < SAME,
            _ => false,
        };
        while (medians.len() as u32) < STRETCHES && !is_settled(&medians) {
            self.go_on()?;
            medians.push(stretch(self, runs, time)?.0);
        }
        let (Some(first), Some(last)) = (medians.first(), medians.last()) else { return Ok(()) };
        let steady = Steady {
            first_ms: Millis(*first),
            last_ms: Millis(*last),
            stretch_s: time.as_secs_f64(),
            stretches: medians.len() as u32,
            settled: is_settled(&medians),
            throttle_events: throttled().zip(before).map(|(after, before)| after.saturating_sub(before)),
        };
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
