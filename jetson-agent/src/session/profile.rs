//! Measuring one model.

use super::log::{LogThread, RunLog};
use super::monitor::{Monitor, Progress, Stop};
use super::{program, write_reference_files};
use crate::board;
use crate::power::{Outcome, PowerSource, Root, Sampler, SamplerOptions, SourceError, settings_at};
use crate::runner::{EngineRunner, Job, Observer, RunnerError};
use crate::sys;
use shared::digest::sha256_file;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use shared::run_folder::{Check, Clock, Event, Manifest, Pass, PassSpan, Record, RunFolder, Status, read_sample_log};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What to measure and where to put it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfilePlan {
    /// The run folder to make.
    pub run: RunFolder,
    /// What to run.
    pub job: Job,
    /// Idle time recorded before the first and after the last cycle.
    pub idle: Duration,
    /// How to sample.
    pub sampling: SamplerOptions,
    /// What the doctor found.
    pub checks: Vec<Check>,
    /// Where the board's files are.
    pub root: Root,
}

/// What a session left.
#[derive(Debug)]
pub struct ProfileOutcome {
    /// The manifest as it was sealed.
    pub manifest: Manifest,
    /// Why it ended early, if it did.
    pub failure: Option<Failure>,
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Input { message, help } => Failure::data(message).help(help),
            RunnerError::Device { message, help } => Failure::device(message).help(help),
        }
    }
}

/// Measures one model: idle, warm-up, power pass, profiled pass, idle.
///
/// # Errors
/// When nothing could be measured: the engine does not build, the folder cannot be written. A failure after the first
/// sample seals the run and comes back in the outcome.
pub fn profile(
    plan: &ProfilePlan,
    source: Box<dyn PowerSource>,
    runner: &mut dyn EngineRunner,
    stop: &Stop,
    progress: Progress,
) -> Result<ProfileOutcome, Failure> {
    refuse_existing(&plan.run)?;
    let prepared = runner.prepare(&plan.job, stop.flag());
    if stop.is_interrupted() {
        return Err(Failure::new(Kind::Interrupted, "interrupted before anything was measured"));
    }
    let prepared = prepared?;
    let mut manifest = Manifest::new(plan.run.model(), &program());
    let (offset, at) = sys::clock_offset();
    manifest.clock = Clock { wall_minus_monotonic_ns: offset, measured_at_ns: at, drift_ns: None };
    manifest.power = source.setup().clone();
    manifest.power.requested_hz = plan.sampling.rate_hz.filter(|_| !manifest.power.rails.is_empty());
    manifest.runner = prepared.setup;
    manifest.runner.source_sha256 =
        plan.job.engine.as_ref().or(plan.job.onnx.as_ref()).and_then(|path| sha256_file(path).ok());
    manifest.layer_times = prepared.layer_times;
    manifest.layers = prepared.layers;
    manifest.board = board::probe(&plan.root);
    manifest.checks = plan.checks.clone();
    let log = RunLog::create(&plan.run.sample_log(), &manifest)?;
    manifest.write(&plan.run.manifest())?;
    if let Some(engine_info) = &prepared.engine_info {
        write_atomic(&plan.run.engine_info(), engine_info)?;
    }

    let (writer, records) = LogThread::start(log, stop.clone());
    let sampler = Sampler::start(source, plan.sampling, records.clone());
    let done = Arc::new(AtomicU64::new(0));
    let monitor =
        Monitor::start(plan.root.clone(), sampler.live(), Arc::clone(&done), stop.clone(), records.clone(), progress);
    let observer = Observer::new(records, Arc::clone(stop.flag()), done);

    let (passes, ran, runs) = run_passes(plan, runner, stop, &observer);
    // In this order: nobody sends any more when the log's writer is waited for.
    let outcome = sampler.finish();
    monitor.finish();
    drop(observer);
    let (mut log, written) = writer.finish()?;

    manifest.passes = passes;
    manifest.runner.runs = runs;
    if manifest.layers.is_empty() {
        manifest.layers = runner.layers();
    }
    let described = runner.engine_info().map(|info| write_atomic(&plan.run.engine_info(), &info)).transpose();
    manifest.counts = log.counts();
    manifest.clock.drift_ns = Some(sys::clock_offset().0 - offset);
    let lost = outcome.map(|outcome| note_sampling(&mut manifest, outcome));
    for change in note_settings(&mut manifest) {
        // It is in the manifest too; a log that cannot be written any more is reported below.
        let _ = log.append(&event_now("sensor_changed", change));
    }
    let done = |pass| manifest.passes.iter().filter(|p| p.pass == pass).map(|p| p.cycles).sum::<u32>();
    let all_done = done(Pass::Power) >= runs && (plan.job.profiled == 0 || done(Pass::Profiled) > 0);
    let failure = judge(&plan.run, stop, ran, lost, written, all_done);
    manifest.status = match &failure {
        None => Status::Complete,
        Some(failure) if failure.kind == Kind::Interrupted => Status::Interrupted,
        Some(_) => Status::Failed,
    };
    manifest.failure = failure.as_ref().filter(|f| f.kind != Kind::Interrupted).map(|f| f.message.clone());
    let sealed = seal(&plan.run, &mut log, &manifest, runner.truth());
    Ok(ProfileOutcome { manifest, failure: failure.or(described.err()).or(sealed.err()) })
}

/// Refuses a folder that holds a run.
pub(super) fn refuse_existing(run: &RunFolder) -> Result<(), Failure> {
    if !RunFolder::is_model_name(run.model()) {
        return Err(Failure::usage(format!("`{}` cannot name a run folder", run.model())));
    }
    if !run.sample_log().exists() && !run.manifest().exists() {
        return Ok(());
    }
    let sealed = Manifest::read(&run.manifest()).is_ok_and(|manifest| manifest.status != Status::Running);
    // Whoever writes a log has it locked.
    let goes_on = std::fs::File::open(run.sample_log()).is_ok_and(|log| !sys::try_lock(&log));
    let help = if goes_on {
        "another session is measuring it: wait for its end, or choose another --name"
    } else if sealed {
        "choose another --name or --result-dir, or move the folder away"
    } else {
        "that run was cut off: seal it with `jetson-agent recover`, then choose another --name or move the folder away"
    };
    Err(Failure::usage("already holds a run").at(run.path()).help(help))
}

/// The passes that were run, why they ended early if they did, and how many cycles the power pass was to have.
fn run_passes(
    plan: &ProfilePlan,
    runner: &mut dyn EngineRunner,
    stop: &Stop,
    observer: &Observer,
) -> (Vec<PassSpan>, Result<(), RunnerError>, u32) {
    let (idle_ns, job) = (sys::ns(plan.idle), &plan.job);
    stop.sleep_until(sys::monotonic_ns() + idle_ns);
    let (mut passes, mut runs): (Vec<PassSpan>, _) = (Vec::new(), job.runs);
    for (pass, asked) in [(Pass::Warmup, job.warmup), (Pass::Power, job.runs), (Pass::Profiled, job.profiled)] {
        let cycles = if pass == Pass::Warmup { asked } else { job.cycles_that_fit(asked, passes.first()) };
        if pass == Pass::Power {
            runs = cycles;
        }
        if cycles == 0 || stop.is_set() {
            continue;
        }
        observer.progress(0);
        observer.event(sys::monotonic_ns(), "pass_started", format!("{pass:?}: {cycles} cycles"));
        match runner.run(pass, cycles, observer) {
            Ok(span) => passes.push(span),
            Err(error) => {
                observer.event(sys::monotonic_ns(), "runner_failed", error.to_string());
                return (passes, Err(error), runs);
            }
        }
    }
    stop.sleep_until(sys::monotonic_ns() + idle_ns);
    (passes, Ok(()), runs)
}

/// Puts how sampling went into the manifest; why it ended early, if it did.
pub(super) fn note_sampling(manifest: &mut Manifest, outcome: Outcome) -> Option<SourceError> {
    for (rail, seen) in manifest.power.rails.iter_mut().zip(&outcome.refresh_ns) {
        // What the driver or the configuration says stands; what was seen fills the gap.
        if rail.sensor.refresh_ns.is_none() && seen.is_some() {
            rail.sensor.refresh_ns = *seen;
            rail.sensor.known_from = Some("measured".into());
        }
    }
    manifest.sampling = Some(outcome.report);
    outcome.lost
}

/// Reads again what the chips are set to, and returns what has changed since the run began.
pub(super) fn note_settings(manifest: &mut Manifest) -> Vec<String> {
    let mut changes = Vec::new();
    for rail in manifest.power.rails.iter_mut().filter(|rail| rail.sensor.settings.is_some()) {
        rail.sensor.settings_at_end = settings_at(&rail.place);
        changes.extend(rail.sensor.changes().into_iter().map(|change| format!("{}: {change}", rail.label)));
    }
    changes
}

/// Why a session ended early, if it did. One fault brings others with it: a full disk and a lost sensor stop the runner,
/// and so does the user, so the first cause is looked for first.
fn judge(
    run: &RunFolder,
    stop: &Stop,
    ran: Result<(), RunnerError>,
    lost: Result<Option<SourceError>, SourceError>,
    written: Result<(), Failure>,
    all_done: bool,
) -> Option<Failure> {
    let folder = run.path().display();
    let kept = format!("what was measured until then is kept in {folder}");
    if let Err(failure) = written {
        return Some(failure.help(format!("free some space; then `jetson-agent recover {folder}` seals {kept}")));
    }
    match lost {
        Ok(None) => {}
        Ok(Some(SourceError::Ended)) if all_done => {}
        Ok(Some(SourceError::Ended)) => {
            return Some(Failure::data("the recording of power ended before the run did").help(kept));
        }
        Ok(Some(error)) | Err(error) => {
            return Some(Failure::device(format!("the power source was lost: {error}")).help(kept));
        }
    }
    if stop.is_interrupted() {
        return Some(Failure::new(Kind::Interrupted, "interrupted").help(kept));
    }
    if stop.is_overdue() && !all_done && ran.is_ok() {
        return Some(Failure::device("ended early: it took longer than it may").help(kept));
    }
    ran.err().map(|error| {
        let mut failure = Failure::from(error);
        failure.help = Some(failure.help.map_or_else(|| kept.clone(), |help| format!("{help}; {kept}")));
        failure
    })
}

/// Seals the log and writes everything that is made from it.
fn seal(run: &RunFolder, log: &mut RunLog, manifest: &Manifest, truth: Option<Vec<u8>>) -> Result<(), Failure> {
    log.seal(manifest)?;
    manifest.write(&run.manifest())?;
    if let Some(truth) = truth {
        write_atomic(&run.truth(), &truth)?;
    }
    write_reference_files(run, manifest, &read_sample_log(&run.sample_log())?)
}

/// An event at this moment.
#[must_use]
pub(super) fn event_now(kind: &str, message: String) -> Record {
    Record::Event(Event { t_ns: sys::monotonic_ns(), kind: kind.into(), message })
}
