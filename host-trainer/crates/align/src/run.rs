//! One run from its files to its results.

use super::attribute::attribute;
use super::batch::{Batch, InferenceCounts};
use super::clock::since_us;
use super::engine_match::match_layers;
use super::evidence::{Evidence, FitChecks};
use super::excerpt::Excerpt;
use super::execution_order::sort_by_execution;
use super::experiment::Experiment;
use super::facts::{Facts, UnprofiledPass, sensor_of};
use super::families::FamilySource;
use super::files::RunFiles;
use super::idle::IdleEnds;
use super::input::AttributionInput;
use super::method::Method;
use super::quality::{EnergyReport, OutsidePower, Quality, SCHEMA_VERSION, Sources, TimelineReport, Verdict};
use super::report::{MeasuredLayers, layer_figures};
use super::solve::half_width;
use super::sources::{LatencyFile, LayerSource, RunSources, reading};
use super::stamps::{Stamps, classify};
use super::survey::{Known, Survey, survey_span};
use super::timeline::usual_period;
use rayon::prelude::*;
use shared::device::Hardware;
use shared::digest::sha256_file;
use shared::engine::{Engine, Layer};
use shared::failure::{Failure, Kind};
use shared::run_folder::{LayerSeries, LayerStamp, Manifest, ModelRun, Sensor};
use shared::sensor::SensorResponse;
use shared::units::{Micros, Millijoules, Millis, Watts};
use std::path::Path;

/// What may be asked of an alignment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How layer powers are found.
    pub method: Method,
    /// What the stamps mark, if it is not to be found out.
    pub stamps: Option<Stamps>,
    /// What is known of the sensor. It wins over the manifest and over what the log shows.
    pub known: SensorResponse,
    /// Idle power, if it is not to be read from `idling_power.json`.
    pub idle: Option<Watts>,
    /// What readings are used for.
    pub readings: Readings,
}

/// What readings of power are used for. The time of a fit grows with the third power of the number of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readings {
    /// A fit that tells layers apart, where the sensor allows it.
    #[default]
    Fit,
    /// The mean power alone: energy is shared out by run time.
    Mean,
    /// Nothing: layers have run times only.
    Ignore,
}

/// A run, read as far as needed.
pub struct Run {
    /// Its files.
    pub files: RunFiles,
    /// Its report; layers in execution order.
    pub quality: Quality,
    pub(crate) sources: RunSources,
    pub(crate) layers: MeasuredLayers,
    pub(crate) idle: Option<Watts>,
    shares: Vec<f64>,
}

/// What is known of a run before its power is attributed.
struct Prepared {
    manifest: Option<Manifest>,
    model_run: Option<ModelRun>,
    survey: Survey,
    unprofiled: Option<UnprofiledPass>,
    experiment: Option<Experiment>,
    stamps: Stamps,
    period: Micros,
}

/// Reads a run and attributes its power, up to the rows, which `write::write_mapping` writes.
///
/// ```no_run
/// use align::{files, run};
///
/// for found in files::find("raw_data".as_ref())? {
///     let run = run::analyse(found?, &run::Options::default())?;
///     for layer in &run.quality.layers {
///         println!("{}: {:?} for {:?}", layer.name, layer.power, layer.runtime);
///     }
/// }
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// When a file cannot be read or holds nothing that can be used.
pub fn analyse(files: RunFiles, options: &Options) -> Result<Run, Failure> {
    let facts = Facts::read(&files, options.idle)?;
    let by_rule = options.method == Method::Window;
    let mut sources =
        if by_rule { RunSources::text(&files)? } else { RunSources::choose(&files, facts.manifest.as_ref())? };
    let layers = in_execution_order(&mut sources, facts.engine)?;
    let experiment = match facts.manifest.as_ref().filter(|_| options.readings == Readings::Fit) {
        Some(main) => main.design.as_ref().map(|design| Experiment::read(&files, main, design)).transpose()?.flatten(),
        None => None,
    };
    let manifest = facts.manifest.or_else(|| sources.log_manifest.clone());
    let chip = manifest.as_ref().and_then(sensor_of);
    let from_manifest = chip.map(SensorResponse::from).unwrap_or_default();
    // What the user gives wins over what the manifest says.
    let asked = options.known.window.or(options.known.lag).is_some();
    let unprofiled = manifest.as_ref().filter(|_| options.readings != Readings::Ignore).and_then(UnprofiledPass::of);
    let power_path = sources.power.path();
    let known = Known {
        response: options.known.or(from_manifest),
        family: chip.and_then(|chip| chip.family).filter(|_| !asked),
        bounds_ns: unprofiled.map(|p| p.bounds_ns),
    };
    let survey = sources.power.open().and_then(|log| survey_span(log, &known)).map_err(|e| reading(power_path)(e))?;
    let changes = chip.map(Sensor::changes).unwrap_or_default();
    let idle_ends = idle_ends(&survey, facts.idle.filter(|_| options.idle.is_none()), options.idle);

    let mut batch = Batch::default();
    let first = sources.layers.open(false).and_then(|mut inferences| inferences.next_batch(&mut batch));
    first.map_err(|e| reading(sources.layers.path())(e))?;
    let given = options.stamps.or(manifest.as_ref().map(|m| match m.layer_times.stamp {
        LayerStamp::LayerEnd => Stamps::LayerEnds,
        LayerStamp::Callback | LayerStamp::PassAverage => Stamps::Callback,
    }));
    let prepared = Prepared {
        stamps: given.unwrap_or_else(|| classify(&batch)),
        period: usual_period(&batch),
        manifest,
        model_run: facts.model_run,
        survey,
        unprofiled,
        experiment,
    };
    let mut quality = prepared.blank_report(&files.model, options, given.is_some());
    if from_manifest.lag.or(from_manifest.window).is_some() && !asked {
        quality.sensor.known_from = "manifest".into();
    }
    quality.read_from = Sources { power: name_of(power_path), layers: name_of(sources.layers.path()) };
    quality.timeline.shared_names = sources.shared_names;
    quality.timeline.unmeasured_layers = unmeasured(layers.engine.as_ref(), &layers.names);
    quality.notes = facts.notes;
    quality
        .notes
        .extend(changes.into_iter().map(|change| format!("the sensor's settings changed during the run: {change}")));
    quality.notes.append(&mut sources.notes);
    quality.note_unreadable("layer latencies", &sources.diagnostics);
    quality.note_unreadable("power log", &prepared.survey.diagnostics);
    let mut run = Run { files, quality, sources, layers, idle: idle_ends.mean(), shares: Vec::new() };
    if by_rule {
        run.quality.because = "asked for: EdgeProfiler's rule, kept for comparison".into();
        return Ok(run);
    }
    let found = run.evidence(&prepared, options.readings)?;
    run.take(found, &prepared, options);
    if options.readings == Readings::Mean && run.quality.method == Method::Share && run.quality.energy.power.is_some() {
        run.quality.because = "no fit was asked for: energy is shared out by run time".into();
    }
    run.quality.energy.idle_ends = idle_ends;
    Ok(run)
}

/// Idle power before and after the run: given, or from the folder's file and from the log's quiet ends.
fn idle_ends(survey: &Survey, from_file: Option<Watts>, given: Option<Watts>) -> IdleEnds {
    if given.is_some() {
        return IdleEnds { before: given, after: None };
    }
    let lag = survey.sensor.lag();
    let settle_us = 50e3 + 5.0 * lag.0;
    let seen = IdleEnds::of_log(&survey.trace.points, lag, (settle_us * 1e3) as i64);
    IdleEnds { before: from_file.or(seen.before), ..seen }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Layers of the engine without any measurement.
fn unmeasured(engine: Option<&Engine>, names: &[String]) -> usize {
    engine.map_or(0, |e| e.layers.iter().filter(|l| !names.contains(&l.name)).count())
}

/// Puts the layers of a latency file in execution order; a sample log has them so. Finds them in the engine info.
fn in_execution_order(sources: &mut RunSources, engine: Option<Engine>) -> Result<MeasuredLayers, Failure> {
    if let LayerSource::Text(text) = &mut sources.layers {
        let LatencyFile { path, file, file_order, series } = text;
        let places = match_layers(engine.as_ref(), file_order.iter().map(|s| s.name.as_str()));
        let place = |s: &LayerSeries| {
            let same = |o: &LayerSeries| o.name == s.name && o.turn == s.turn && o.bytes == s.bytes;
            file_order.iter().position(same).and_then(|i| places[i])
        };
        sort_by_execution(&*file, series, place).map_err(|e| reading(path)(e))?;
    }
    let names = sources.layers.names();
    let engine_index = match_layers(engine.as_ref(), names.iter().map(String::as_str));
    Ok(MeasuredLayers { names, engine, engine_index })
}

impl Prepared {
    /// A report with nothing attributed yet.
    fn blank_report(&self, model: &str, options: &Options, stamps_given: bool) -> Quality {
        let survey = &self.survey;
        let (hardware, device) = self.manifest.as_ref().map(Hardware::of).unwrap_or_default();
        Quality {
            schema_version: SCHEMA_VERSION,
            model: model.to_owned(),
            device: device.map(|name| name.to_string()),
            hardware: self.manifest.as_ref().map(|_| hardware),
            asked: options.method,
            method: options.method,
            because: String::new(),
            identified: None,
            sensor: survey.sensor.clone(),
            response: None,
            samples: 0,
            family_from: FamilySource::default(),
            families: Vec::new(),
            checks: FitChecks::default(),
            noise: None,
            timeline: TimelineReport {
                counts: InferenceCounts::default(),
                stamps: self.stamps,
                stamps_given,
                pauses: 0,
                overlapping: 0,
                shared_names: 0,
                unmeasured_layers: 0,
            },
            energy: EnergyReport::default(),
            layers: Vec::new(),
            groups: Vec::new(),
            window: None,
            mapping: None,
            read_from: Sources::default(),
            notes: Vec::new(),
            made_from: Vec::new(),
            excerpt: Excerpt::default(),
            trace: survey.trace.points.iter().map(|p| (since_us(p.0, survey.origin_ns) * 1e-6, p.1)).collect(),
        }
    }

    /// Mean power over inferences and the time between them; without the profiler where no reading saw layers.
    fn mean(&self, found: &Evidence) -> Option<Watts> {
        found.mean.or_else(|| self.unprofiled().map(|u| u.0))
    }

    /// Power, time and energy of an inference without the profiler.
    fn unprofiled(&self) -> Option<(Watts, Millis, Millijoules)> {
        let cycles = self.unprofiled?.cycles;
        let power = self.survey.span.mean(self.survey.sensor.lag())?;
        let period = self.survey.span.length()? / f64::from(cycles);
        Some((power, period, power * period))
    }
}

impl Run {
    /// Brings inferences and readings together.
    fn evidence(&self, prepared: &Prepared, readings: Readings) -> Result<Evidence, Failure> {
        let input = AttributionInput {
            inferences: &|| self.sources.layers.open(false),
            power: &|| self.sources.power.open(),
            layers: self.layers.names.len(),
            stamps: prepared.stamps,
            period: prepared.period,
            survey: &prepared.survey,
            idle: self.idle,
            is_fitted: readings == Readings::Fit,
        };
        let mut found = attribute(&input).map_err(|e| reading(self.sources.layers.path())(e))?;
        let has_averages = prepared.manifest.as_ref().is_some_and(|m| m.layer_times.stamp == LayerStamp::PassAverage);
        if has_averages || readings == Readings::Ignore {
            // Stamps of averages do not say when a layer ran: what readings happen to lie there means nothing.
            (found.samples, found.mean, found.solution) = (0, None, None);
        }
        if let (Some(experiment), Some(mean)) = (&prepared.experiment, prepared.mean(&found)) {
            experiment.join(&mut found, mean, self.idle);
        }
        Ok(found)
    }

    /// Turns evidence into a report.
    fn take(&mut self, found: Evidence, prepared: &Prepared, options: &Options) {
        let unprofiled = prepared.unprofiled();
        let mean = prepared.mean(&found);
        let figures = layer_figures(&self.layers, &found, options.method, mean, self.idle);
        let model_run = prepared.model_run.as_ref();
        let q = &mut self.quality;
        (q.method, q.because, q.identified) = (figures.method, figures.because, figures.identified);
        q.layers = figures.layers;
        q.response = Some(found.response);
        let searched = found.checks.inflation.is_some() || found.response.lag_us() > 0.0;
        let guessed = found.source == FamilySource::Data && !searched;
        (q.family_from, q.families) = (if guessed { FamilySource::Unknown } else { found.source }, found.compared);
        let fitted = SensorResponse::from(found.response);
        if found.source == FamilySource::Data && searched {
            (q.sensor.response.lag, q.sensor.response.window) = (fitted.lag, fitted.window);
        }
        q.sensor.response.delay = fitted.delay.filter(|_| found.response.lag_us() <= 0.0);
        q.groups = figures.groups;
        q.samples = found.samples;
        q.checks = found.checks;
        q.noise = found.solution.as_ref().map(|s| Watts(s.noise_watts));
        q.timeline.counts = found.counts;
        q.timeline.pauses = found.times.pauses;
        q.timeline.overlapping = found.times.overlapping;
        q.note_unreadable("layer latencies", &found.diagnostics);
        q.energy = EnergyReport {
            power: mean,
            power_error: found.mean.map(|_| found.mean_error).filter(|e| e.0.is_finite()),
            period: Some(found.period).filter(|period| period.0 > 0.0),
            latency: model_run.filter(|m| m.avg_latency > 0.0).map(|m| Millis(m.avg_latency * 1e3)),
            batch_size: model_run.and_then(|m| m.config.input_shape.first()).and_then(|&b| u32::try_from(b).ok()),
            idle: self.idle,
            unprofiled,
            ..EnergyReport::default()
        };
        q.energy.close(&q.layers, figures.outside);
        q.excerpt = found.excerpt;
        self.shares = found.shares;
    }

    /// The engine's layer behind a measured one.
    #[must_use]
    pub fn engine_layer(&self, layer: usize) -> Option<&Layer> {
        self.layers.engine_layer(layer)
    }

    /// Each component's share of an inference's time; the last is the time outside the layers.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Replaces the layers' powers and that of the time outside them, with their deviations.
    pub fn replace(&mut self, method: Method, because: String, powers: &[Watts], deviations: &[Watts]) {
        let layers = self.quality.layers.len();
        for (l, report) in self.quality.layers.iter_mut().enumerate() {
            let half = Watts(half_width(deviations[l].0));
            let Some(runtime) = report.runtime else { continue };
            report.power = Some(powers[l]);
            report.power_low = Some(Watts((powers[l] - half).0.max(0.0)));
            report.power_high = Some(powers[l] + half);
            report.energy = Some(powers[l] * runtime);
            report.verdict = Verdict::Attributed;
        }
        self.quality.method = method;
        self.quality.because = because;
        self.quality.groups.clear();
        let half = Some(Watts(half_width(deviations[layers].0)));
        let outside = OutsidePower { power: Some(powers[layers]), half, measured: false };
        self.quality.energy.close(&self.quality.layers, outside);
    }

    /// Hashes the files that were read: name and SHA-256. Slow for large files: meant to run beside the work.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn hashes(&self) -> Result<Vec<(String, String)>, Failure> {
        let (power, layers) = (self.sources.power.path(), self.sources.layers.path());
        let others = [&self.files.engine_info, &self.files.model_run, &self.files.manifest, &self.files.idle];
        let mut paths = vec![power];
        paths.extend((layers != power).then_some(layers));
        paths.extend(others.into_iter().flatten().map(|path| path.as_path()));
        paths.into_par_iter().map(|path| Ok((name_of(path), sha256_file(path)?))).collect()
    }
}

/// A failure when not every run could be aligned.
#[must_use]
pub fn nothing(failed: usize, all: usize) -> Failure {
    Failure::new(Kind::Data, format!("{failed} of {all} runs were not aligned"))
        .help("the messages above say why; the other runs are done")
}
