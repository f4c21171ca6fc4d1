//! Measuring one item of a plan.

use super::args::CampaignArgs;
use super::limit::{Limit, within};
use crate::board::read_state;
use crate::cli::context::Context;
use crate::cli::profile::{ModelChoice, ProfileArgs};
use crate::cli::runner_args::RunnerKind;
use crate::onnx::{components, cut};
use crate::session::{Stop, latency, needs_measuring};
use crate::sys;
use shared::campaign::{ItemKind, PlanItem};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::run_folder::RunFolder;
use shared::units::Millis;
use std::path::Path;
use std::time::{Duration, Instant};

/// Cycles before those that are measured: they tell the pace.
pub(super) const WARMUP: u32 = 5;
/// Most cycles with the profiler: it writes half a kilobyte for each layer.
const PROFILED: u32 = 2_000;
/// Free space below which no item is begun, in bytes.
const FREE_BYTES: u64 = 200 << 20;
/// Longest wait for the board to cool before an item.
const COOLING: Duration = Duration::from_secs(600);

/// What measuring any item needs.
pub(super) struct Items<'a> {
    pub(super) args: &'a CampaignArgs,
    pub(super) context: &'a Context,
    pub(super) stop: Stop,
    pub(super) template: ProfileArgs,
}

impl Items<'_> {
    /// Ends where the user or the disk says so.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
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

    /// Measures an item; what is worth recording of it although it was measured. It may take `time`; `hangs` gets the failure of an item
    /// that nothing but the end of this process ends.
    pub(super) fn measure(
        &self,
        item: &PlanItem,
        root: &Path,
        time: Duration,
        hangs: &mut dyn FnMut(Failure),
    ) -> Result<Option<String>, Failure> {
        let args = self.options(item, root);
        let failure = match self.measure_run(&args, &RunFolder::new(root, &item.id), time, hangs) {
            Ok(()) => return Ok(None),
            Err(failure) => failure,
        };
        // One layer that hangs would do so again.
        let can_split = item.kind == ItemKind::Layers && args.onnx().is_some() && !self.stop.is_overdue();
        if !can_split || matches!(failure.kind, Kind::Interrupted | Kind::Io) {
            return Err(failure);
        }
        self.measure_layers(item, root, &args, (time, hangs), failure)
    }

    /// Measures one run within its time.
    fn measure_run(
        &self,
        args: &ProfileArgs,
        run: &RunFolder,
        time: Duration,
        hangs: &mut dyn FnMut(Failure),
    ) -> Result<(), Failure> {
        let limit = Limit { time, grace: self.args.item_grace };
        let late = format!("did not end within {:.0} s, its limit", time.as_secs_f64());
        let help = "--item-limit allows more, and --retry-failed measures it again";
        let report = || {
            let grace = limit.grace.as_secs_f64();
            hangs(
                Failure::device(format!("{late}, nor {grace:.0} s after it was asked to: the agent ends with it"))
                    .help("the same command goes on with the next item"),
            );
        };
        let measured = within(limit, &self.stop, report, || args.measure_quietly(self.context, &self.stop, run));
        match measured.map_err(|e| Failure::from_error(Kind::Io, e))? {
            Err(failure) if self.stop.is_overdue() && matches!(failure.kind, Kind::Device | Kind::Data) => {
                Err(Failure::device(format!("{late}: {}", failure.message)).help(help).caused_by(failure))
            }
            other => other.map(drop),
        }
    }

    /// The median latency of a network over a stretch of time, into the first free run folder of its name.
    pub(super) fn stretch(&self, item: &PlanItem, root: &Path, runs: u32, time: Duration) -> Result<Millis, Failure> {
        let free = (0..).map(|number| format!("{}-{number}", item.id)).find(|name| !root.join(name).exists());
        let run = RunFolder::new(root, &free.unwrap_or_default());
        let mut args = self.options(item, root);
        args.set_run(run.model().to_owned(), root.to_owned(), runs, 0);
        args.set_pass_time(time);
        let limit = self.args.limit(item.expected_s) + time;
        self.measure_run(&args, &run, limit, &mut |failure| self.end(&failure))?;
        let found = latency(&run)?.ok_or_else(|| Failure::data("ran no inference").at(run.path()))?;
        Ok(found.p50_ms)
    }

    /// Ends this process with what cannot be ended otherwise. What was changed on the board is restored by processes of their own.
    pub(super) fn end(&self, failure: &Failure) {
        self.context.printer.fail(failure);
        std::process::exit(failure.kind as i32);
    }

    /// Measures the layers of a model one by one, since the model of all of them fails: the others must not be lost with one.
    fn measure_layers(
        &self,
        item: &PlanItem,
        root: &Path,
        args: &ProfileArgs,
        (time, hangs): (Duration, &mut dyn FnMut(Failure)),
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
                    self.measure_run(&args, &run, time, hangs)
                });
            match measured {
                Ok(()) => {}
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
    pub(super) fn cool_down(&self) {
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
}
