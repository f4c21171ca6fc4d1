//! `profile --design`: a main run and further runs that differ in one thing.

use super::context::Context;
use super::parts::Parts;
use super::profile::{DesignChoice, ProfileArgs};
use super::runner_args::RunnerKind;
use super::values::in_words;
use crate::session::{
    DESIGN_FOLDER, Stop, layer_times, loop_layers, needs_measuring, outside_power, period, plan_loops, plan_pauses,
    plan_prefixes, settling, time_left,
};
use shared::failure::{Failure, Kind};
use shared::run_folder::{
    Change, Design, DesignKind, DesignStep, LogContent, Manifest, Pass, RunFolder, Status, read_sample_log,
};
use shared::units::Millis;
use std::time::Duration;

/// A sensor that settles faster than this shows layers in the network itself.
const SLOW: Millis = Millis(100.0);
/// Profiled cycles of a loop: enough for a mean to compare with the network's.
const PROFILED: u32 = 200;
/// The share of the time for further runs that pauses take where layers are looped too.
const PAUSES: f64 = 0.25;

impl ProfileArgs {
    /// Measures the main run and the further ones, whichever are not complete yet. The run folders are the only state: the same
    /// command goes on where it was cut off.
    pub(super) fn run_design(&self, context: &Context, choice: DesignChoice) -> Result<(), Failure> {
        let can_loop = Parts::can(self);
        if matches!(choice, DesignChoice::Loops | DesignChoice::Prefixes) && !can_loop {
            return Err(Failure::usage(
                "layers are cut out of an ONNX model for trtexec or ONNX Runtime, or simulated",
            )
            .help("give --onnx, or choose --design pauses"));
        }
        let stop = context.stop_on_signals()?;
        let run = RunFolder::new(&self.result_dir, &self.model_name()?);
        if needs_measuring(&run, &mut |said| context.printer.say(said))? {
            context.printer.say(format!("{}: the whole network", run.path().display()));
            self.measure_quietly(context, &stop, &run)?;
        }
        let mut manifest = Manifest::read(&run.manifest())?;
        if manifest.power.rails.is_empty() {
            return Err(Failure::device("the run has no power, and further runs only show whose power it is")
                .at(run.path())
                .help("attach a meter (--source serial:…), or leave out --design: run times are measured"));
        }
        let settled_after = settling(&manifest);
        let planned = manifest.design.take();
        let kind = match (choice, &planned) {
            (DesignChoice::Pauses, _) => DesignKind::Pauses,
            (DesignChoice::Loops, _) => DesignKind::Loops,
            (DesignChoice::Prefixes, _) => DesignKind::Prefixes,
            (DesignChoice::Auto, Some(planned)) => planned.kind,
            (DesignChoice::Auto, None) if can_loop && settled_after > SLOW => DesignKind::Loops,
            (DesignChoice::Auto, None) => DesignKind::Pauses,
        };
        let mut design = match planned {
            Some(planned) if planned.kind == kind => planned,
            Some(planned) => {
                return Err(Failure::usage(format!("already holds an experiment with {}", planned.kind.name()))
                    .at(run.path())
                    .help("choose another --name or --result-dir"));
            }
            None => self.plan(context, kind, &run, &manifest, settled_after)?,
        };
        record(&run, &manifest, &design)?;
        for index in 0..design.steps.len() {
            self.measure_step(context, &stop, &run, (&manifest, &mut design), index)?;
            record(&run, &manifest, &design)?;
        }
        design.outside = outside_power(&run, &design)?;
        record(&run, &manifest, &design)?;
        say_results(context, &manifest, &design);
        self.report(context, &run, &Manifest::read(&run.manifest())?)
    }

    fn plan(
        &self,
        context: &Context,
        kind: DesignKind,
        run: &RunFolder,
        manifest: &Manifest,
        settled_after: Millis,
    ) -> Result<Design, Failure> {
        let content = read_sample_log(&run.sample_log())?;
        let period = period(&content)?;
        let whole_millis = self.runner().runner == RunnerKind::Trtexec;
        let pauses = |time: Duration| plan_pauses(period, settled_after, time, whole_millis);
        if kind == DesignKind::Pauses {
            return Ok(pauses(self.design_time));
        }
        let parts = Parts::open(self, run, manifest)?;
        let gap = gap(&content, period);
        if kind == DesignKind::Prefixes {
            let times = layer_times(manifest, &content);
            let can = |first: usize| parts.check(0..first).is_ok();
            let design = plan_prefixes(&times, &can, period, gap, settled_after, self.design_time);
            if design.steps.is_empty() {
                return Err(Failure::data("the network cannot be cut after any of its layers")
                    .at(run.path())
                    .help("the names of operators in the model and in the engine info have to agree"));
            }
            return Ok(design);
        }
        let mut groups = loop_layers(manifest, &content, parts.engine());
        let all = groups.len();
        // A layer that the builder added has no operators in the model.
        groups.retain(|group| match parts.check(group.layers[0]..group.layers[0] + 1) {
            Ok(()) => true,
            Err(failure) => {
                context.printer.say(format!("{}: not looped: {}", manifest.layers[group.layers[0]], failure.message));
                false
            }
        });
        let time = self.design_time.mul_f64(1.0 - PAUSES);
        let loops = plan_loops(&groups, period, gap, settled_after, time);
        if loops.steps.len() < all {
            let steps = loops.steps.len();
            context.printer.say(format!("{steps} of {all} kinds of layers are looped, those that take the most time"));
        }
        let mut steps = pauses(self.design_time.mul_f64(PAUSES)).steps;
        steps.extend(loops.steps.iter().cloned());
        Ok(Design { steps, ..loops })
    }

    fn measure_step(
        &self,
        context: &Context,
        stop: &Stop,
        run: &RunFolder,
        (main, design): (&Manifest, &mut Design),
        index: usize,
    ) -> Result<(), Failure> {
        let left = time_left(design, self.idle);
        let count = design.steps.len();
        let step = &mut design.steps[index];
        let folder = run.path().join(&step.folder);
        let Some(further) = RunFolder::at(&folder) else {
            return Err(Failure::data(format!("the experiment names the folder `{}`", step.folder)).at(run.manifest()));
        };
        if needs_measuring(&further, &mut |said| context.printer.say(said))? {
            if stop.is_interrupted() {
                return Err(Failure::new(Kind::Interrupted, "interrupted").help("the same command goes on from here"));
            }
            let about = if self.is_in_virtual_time() { String::new() } else { format!(", {} left", in_words(left)) };
            context.printer.say(format!("{} of {count}: {}{about}", index + 1, folder.display()));
            let args = self.for_step(run, main, &further, step, index)?;
            match args.measure_quietly(context, stop, &further) {
                Ok(_) => {}
                Err(failure) if matches!(failure.kind, Kind::Interrupted | Kind::Io) => return Err(failure),
                // One part that does not run alone must not keep the others from being measured.
                Err(failure) if !matches!(step.change, Change::Pause { .. }) => {
                    context.printer.fail(&failure);
                    step.status = Some(Status::Failed);
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            }
        }
        step.status = Some(Status::Complete);
        if let Change::Loop { layers, alone, others, same_tactic, .. } = &mut step.change {
            let compared = Parts::open(self, run, main)?.compare(layers[0], &further)?;
            (*alone, *others, *same_tactic) = (compared.alone, compared.others, compared.same_tactic);
        }
        if let Change::Prefix { alone, .. } = &mut step.change {
            *alone = Parts::whole_time(&further)?;
        }
        Ok(())
    }

    /// These options for one further run.
    fn for_step(
        &self,
        run: &RunFolder,
        main: &Manifest,
        further: &RunFolder,
        step: &DesignStep,
        index: usize,
    ) -> Result<Self, Failure> {
        let mut args = self.clone();
        let profiled = if matches!(step.change, Change::Pause { .. }) { 0 } else { PROFILED };
        args.set_run(further.model().to_owned(), run.path().join(DESIGN_FOLDER), step.cycles, profiled);
        match &step.change {
            Change::Pause { pause } => {
                args.pause = Duration::from_secs_f64(pause.0 * 1e-6);
                // The engine that the main run built runs here too.
                let built = run.path().join("trtexec/model.engine");
                if self.runner().runner == RunnerKind::Trtexec && built.exists() {
                    args.set_engine(built);
                }
            }
            Change::Loop { layers, .. } => {
                Parts::open(self, run, main)?.set(&mut args, layers[0]..layers[0] + 1, further)?;
            }
            Change::Prefix { first_layers, .. } => {
                Parts::open(self, run, main)?.set(&mut args, 0..*first_layers, further)?;
            }
        }
        args.runner_mut().step = index as u64 + 1;
        Ok(args)
    }
}

/// What passes between two inferences.
fn gap(content: &LogContent, period: Millis) -> Millis {
    let (mut sum, mut count) = (0.0, 0_u32);
    for span in content.inferences_of(Pass::Power) {
        sum += span.end_ns.saturating_sub(span.start_ns) as f64 * 1e-6;
        count += 1;
    }
    Millis((period.0 - sum / f64::from(count.max(1))).max(0.0))
}

/// Writes the experiment into the main run's manifest. The log keeps the manifest that it was sealed with.
fn record(run: &RunFolder, manifest: &Manifest, design: &Design) -> Result<(), Failure> {
    Manifest { design: Some(design.clone()), ..manifest.clone() }.write(&run.manifest())
}

fn say_results(context: &Context, manifest: &Manifest, design: &Design) {
    if let Some(outside) = design.outside {
        context.printer.say(format!(
            "power outside layers {:.3} ± {:.3} W (one standard deviation, {} runs)",
            outside.watts.0, outside.deviation.0, outside.runs
        ));
    }
    for step in design.steps.iter().filter(|step| step.status == Some(Status::Complete)) {
        if step.change.is_comparable() {
            continue;
        }
        let name = match &step.change {
            Change::Loop { layers, .. } => manifest.layers.get(layers[0]).map_or("a layer", String::as_str),
            _ => "the prefix",
        };
        let why = match step.change.deviation() {
            Some(deviation) if deviation.abs() > 0.2 => {
                format!("takes {:+.0} % of its time in the network", deviation * 1e2)
            }
            Some(_) => "runs by another tactic".to_owned(),
            None => "is not found in its engine".to_owned(),
        };
        context.printer.warn(format!("{}: `{name}` {why} when it runs alone; it is marked", step.folder));
    }
}
