//! One run from its files to its results.

use super::attribute::{Evidence, Input, evidence};
use super::cycles::{self, Batch, Cycles, Stamps};
use super::files::RunFiles;
use super::latency::{self, ReadAt, Series};
use super::power::Oddities;
use super::quality::{EnergyReport, LayerReport, Method, Quality, SCHEMA_VERSION, TimelineReport, Verdict};
use super::sensor::{self, Known, Survey};
use super::{rows, share, solve, timeline, window};
use rayon::prelude::*;
use shared::digest::sha256_file;
use shared::engine::{self, Engine};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic_with};
use shared::limits;
use shared::run_folder::{IdlePower, LayerStamp, Manifest, ModelRun, Pass, Total};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// What may be asked of an alignment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How layer powers are found.
    pub method: Method,
    /// What the stamps mark, if it is not to be found out.
    pub stamps: Option<Stamps>,
    /// What is known of the sensor.
    pub known: Known,
    /// Idle power in watts, if it is not to be read from `idling_power.json`.
    pub idle_watts: Option<f64>,
}

/// A run, read as far as needed.
pub struct Run {
    /// Its files.
    pub files: RunFiles,
    /// Its report; layers in execution order.
    pub quality: Quality,
    layers: Vec<Series>,
    file_order: Vec<Series>,
    engine: Option<Engine>,
    places: Vec<Option<usize>>,
    shares: Vec<f64>,
    idle_watts: Option<f64>,
}

fn reading(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    move |e| match e.kind() {
        io::ErrorKind::InvalidData => Failure::data(e.to_string()).at(path),
        _ => Failure::io(path, "read", &e),
    }
}

struct Facts {
    engine: Option<Engine>,
    manifest: Option<Manifest>,
    model_run: Option<ModelRun>,
    idle_watts: Option<f64>,
    notes: Vec<String>,
}

fn facts(files: &RunFiles, options: &Options) -> Result<Facts, Failure> {
    let mut notes = Vec::new();
    let engine = match &files.engine_info {
        None => {
            notes.push("there is no engine info: layer types are unknown".into());
            None
        }
        Some(path) => match engine::read(path) {
            Ok((engine, diagnostics)) => {
                if !diagnostics.is_empty() {
                    notes.push(format!("the engine info has {} oddities", diagnostics.len()));
                }
                Some(engine)
            }
            Err(failure) => {
                notes.push(format!("the engine info was not read: {}", failure.message));
                None
            }
        },
    };
    let idle_watts = match (options.idle_watts, &files.idle) {
        (Some(watts), _) => Some(watts),
        (None, Some(path)) => Some(IdlePower::read(path)?.avg_idle_power * 1e-6),
        (None, None) => {
            notes.push("there is no idling_power.json: powers less idle power are left empty".into());
            None
        }
    };
    let manifest = files.manifest.as_deref().map(Manifest::read).transpose()?;
    let model_run = match &files.model_run {
        None => None,
        Some(path) => read_model_run(path).map_err(|why| notes.push(why)).ok(),
    };
    Ok(Facts { engine, manifest, model_run, idle_watts, notes })
}

/// Whole-inference latencies. Some versions of the reference wrote the JSON document as a JSON string.
fn read_model_run(path: &Path) -> Result<ModelRun, String> {
    let content = read_capped(path, limits::SMALL_FILE_BYTES).map_err(|f| f.to_string())?;
    let parsed = serde_json::from_slice::<ModelRun>(&content)
        .or_else(|e| serde_json::from_slice::<String>(&content).map_err(|_| e).and_then(|s| serde_json::from_str(&s)));
    parsed.map_err(|e| format!("whole-inference latencies were not read: {e}"))
}

/// What a manifest tells of the sensor behind the board's total.
fn known_from(manifest: &Manifest) -> Known {
    let rails = &manifest.power.rails;
    let rail = match &manifest.power.total {
        Total::Rail(index) => rails.get(usize::from(*index)),
        Total::Sum(indices) => indices.first().and_then(|i| rails.get(usize::from(*i))),
        Total::Unknown => rails.first(),
    };
    let sensor = rail.map(|rail| rail.sensor.clone()).unwrap_or_default();
    let us = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e3);
    Known {
        refresh_us: us(sensor.refresh_ns),
        window_us: us(sensor.window_ns).filter(|w| *w > 0.0),
        lag_us: us(sensor.lag_ns),
    }
}

/// The span of the pass without the profiler, in microseconds of the power log's clock, and its inferences.
fn unprofiled(manifest: &Manifest) -> Option<((i64, i64), u32)> {
    let pass = manifest.passes.iter().find(|p| p.pass == Pass::Power)?;
    let profiled_too = manifest.layer_times.with_power;
    let us = |ns: u64| manifest.clock.wall_ns(ns).div_euclid(1000);
    (!profiled_too && pass.cycles > 0).then(|| ((us(pass.start_ns), us(pass.end_ns)), pass.cycles))
}

/// Puts the engine's layers beside the measured ones: by name, and among equal names by turn.
fn places(engine: Option<&Engine>, layers: &[Series]) -> Vec<Option<usize>> {
    let mut by_name: std::collections::HashMap<&str, Vec<usize>> = std::collections::HashMap::new();
    for layer in engine.iter().flat_map(|e| &e.layers) {
        by_name.entry(&layer.name).or_default().push(layer.index);
    }
    let mut taken: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    layers
        .iter()
        .map(|series| {
            let turn = taken.entry(&series.name).or_default();
            let place = by_name.get(series.name.as_str()).and_then(|all| all.get(*turn).or(all.first())).copied();
            *turn += 1;
            place
        })
        .collect()
}

/// Reads a run and attributes its power, up to the rows, which [`write_rows`] writes.
///
/// # Errors
/// When a file cannot be read or holds nothing that can be used.
pub fn analyse(files: RunFiles, options: &Options) -> Result<Run, Failure> {
    let latency_file = File::open(&files.latency).map_err(|e| Failure::io(&files.latency, "read", &e))?;
    let mut oddities = Oddities::default();
    let mut file_order = latency::index(&latency_file, &mut oddities).map_err(reading(&files.latency))?;
    let by_rule = options.method == Method::Window;
    let keys = file_order.len();
    let shared_names = if by_rule { 0 } else { latency::split_shared_names(&mut file_order) };
    if file_order.iter().all(|l| l.entries == 0) {
        return Err(Failure::data(format!("holds no measurement of any of its {keys} layers")).at(&files.latency));
    }
    let facts = facts(&files, options)?;
    let manifest = facts.manifest.as_ref();
    let from_manifest = manifest.map(known_from).unwrap_or_default();
    let known = Known {
        refresh_us: options.known.refresh_us.or(from_manifest.refresh_us),
        window_us: options.known.window_us.or(from_manifest.window_us),
        lag_us: options.known.lag_us.or(from_manifest.lag_us),
    };
    let pass = manifest.and_then(unprofiled);
    let open = || File::open(&files.power_log);
    let survey =
        open().and_then(|log| sensor::survey_span(log, known, pass.map(|p| p.0))).map_err(reading(&files.power_log))?;

    let mut layers = file_order.clone();
    let file_places = places(facts.engine.as_ref(), &layers);
    let position = |s: &Series| {
        file_order
            .iter()
            .position(|o| o.name == s.name && o.turn == s.turn && o.bytes == s.bytes)
            .and_then(|i| file_places[i])
    };
    cycles::sort_by_execution(&latency_file, &mut layers, position).map_err(reading(&files.latency))?;
    let places = places(facts.engine.as_ref(), &layers);
    let mut batch = Batch::default();
    Cycles::new(&latency_file, &layers, false).next_batch(&mut batch).map_err(reading(&files.latency))?;
    let told = manifest.map(|m| match m.layer_times.stamp {
        LayerStamp::LayerEnd => Stamps::LayerEnds,
        LayerStamp::Callback | LayerStamp::PassAverage => Stamps::Callback,
    });
    let given = options.stamps.or(told);
    let stamps = given.unwrap_or_else(|| cycles::classify(&batch));

    let mut quality = Quality {
        schema_version: SCHEMA_VERSION,
        model: files.model.clone(),
        device: manifest.and_then(|m| m.board.model.clone()),
        asked: options.method,
        method: options.method,
        because: String::new(),
        identified: 0.0,
        sensor: survey.sensor.clone(),
        response: None,
        samples: 0,
        inflation: 1.0,
        predicted: None,
        noise_w: None,
        timeline: TimelineReport {
            counts: cycles::Counts::default(),
            stamps,
            stamps_given: given.is_some(),
            pauses: 0,
            overlapping: 0,
            shared_names,
            unmeasured_layers: facts
                .engine
                .as_ref()
                .map_or(0, |e| e.layers.iter().filter(|l| !layers.iter().any(|s| s.name == l.name)).count()),
        },
        energy: EnergyReport::default(),
        layers: Vec::new(),
        window: None,
        notes: facts.notes.clone(),
        made_from: Vec::new(),
        picture: super::attribute::Picture::default(),
        trace: survey.trace.points.iter().map(|p| ((p.0 - survey.origin_us) as f64 * 1e-6, p.1)).collect(),
    };
    if known.lag_us.is_some() && options.known.lag_us.is_none() {
        quality.sensor.known_from = "manifest".into();
    }
    quality.note_oddities("layer latencies", &oddities);
    quality.note_oddities("power log", &survey.oddities);
    let mut run = Run {
        files,
        quality,
        layers,
        file_order,
        engine: facts.engine,
        places,
        shares: Vec::new(),
        idle_watts: facts.idle_watts,
    };
    if by_rule {
        run.quality.because = "asked for: the reference's rule, kept for comparison".into();
        return Ok(run);
    }
    let power = || -> io::Result<Box<dyn Read + Send>> { Ok(Box::new(File::open(&run.files.power_log)?)) };
    let input = Input {
        latency: &latency_file,
        layers: &run.layers,
        stamps,
        period_us: timeline::usual_period(&batch),
        survey: &survey,
        power: &power,
    };
    let mut found = evidence(&input).map_err(reading(&run.files.latency))?;
    if manifest.is_some_and(|m| m.layer_times.stamp == LayerStamp::PassAverage) {
        // Such stamps do not say when a layer ran: what readings happen to lie there means nothing.
        (found.samples, found.mean_watts, found.solution) = (0, None, None);
    }
    run.take(found, &survey, pass.map(|p| p.1), facts.model_run.as_ref(), options);
    Ok(run)
}

impl Run {
    /// Turns evidence into a report.
    fn take(
        &mut self,
        found: Evidence,
        survey: &Survey,
        cycles: Option<u32>,
        model_run: Option<&ModelRun>,
        options: &Options,
    ) {
        let lag_us = survey.sensor.lag_ms.unwrap_or(0.0) * 1e3;
        let unprofiled = survey
            .span
            .mean_watts(lag_us)
            .zip(cycles)
            .zip(survey.span.length_ms())
            .map(|((watts, cycles), ms)| (watts, ms / f64::from(cycles), watts * ms / f64::from(cycles)));
        let layers = self.layers.len();
        let mean = found.mean_watts.or(unprofiled.map(|u| u.0));
        // A handful of inferences can put the layers below nothing and the time between them above everything: no answer.
        let physical =
            |s: &solve::Solution| s.watts.iter().zip(&found.shares[..layers]).map(|(w, t)| w * t).sum::<f64>() > 0.0;
        let solution = found
            .solution
            .clone()
            .filter(physical)
            .or_else(|| mean.map(|mean| solve::ignorant(layers + 1, &found.shares, mean, 0.0)));
        let ratio = |l: usize| solution.as_ref().map_or(1.0, |s| s.deviation[l] / s.prior_deviation[l].max(1e-12));
        let time: f64 = found.shares[..layers].iter().sum();
        let told: f64 = (0..layers).filter(|&l| ratio(l) < 0.5).map(|l| found.shares[l]).sum();
        let identified = if time > 0.0 { told / time } else { 0.0 };
        let (method, because) = choose(options.method, identified, &found, survey);
        let mut watts: Option<Vec<f64>> = solution.as_ref().map(|s| s.watts.clone());
        if let (Method::Share, Some(watts)) = (method, watts.as_mut()) {
            self.share_out(watts, &found);
        }
        let q = &mut self.quality;
        q.method = method;
        q.because = because;
        q.identified = identified;
        q.response = Some(found.response);
        if q.sensor.known_from == "step in the log" && found.response.lag_us <= 0.0 {
            (q.sensor.lag_ms, q.sensor.window_ms) = (Some(0.0), Some(found.response.window_us / 1e3));
        }
        q.sensor.delay_ms = (found.response.lag_us <= 0.0).then_some(found.response.delay_us / 1e3);
        q.samples = found.samples;
        q.inflation = found.inflation;
        q.predicted = found.predicted;
        q.noise_w = found.solution.as_ref().map(|s| s.noise_watts);
        q.timeline.counts = found.counts;
        q.timeline.pauses = found.times.pauses;
        q.timeline.overlapping = found.times.overlapping;
        let oddities = found.oddities.clone();
        q.note_oddities("layer latencies", &oddities);
        for (l, series) in self.layers.iter().enumerate() {
            let engine_layer = self.places[l].zip(self.engine.as_ref()).and_then(|(i, e)| e.layers.get(i));
            let power = watts.as_ref().map(|w| w[l]);
            let half = solution.as_ref().map(|s| super::attribute::half_width(s.deviation[l]));
            let verdict = match (power.zip(half), ratio(l), method) {
                (Some((p, half)), r, Method::Deconvolve) if r < 0.5 && half < 0.15 * p => Verdict::Measured,
                (Some(_), r, _) if r < 0.9 => Verdict::Attributed,
                _ => Verdict::NotIdentifiable,
            };
            q.layers.push(LayerReport {
                index: l,
                name: series.name.clone(),
                layer_type: engine_layer.map_or("Unknown".into(), |l| l.layer_type.clone()),
                runs: found.times.runs[l],
                runtime_ms: found.times.mean_ms(l),
                runtime_deviation_ms: found.times.deviation_ms(l),
                power_w: power,
                power_low_w: power.zip(half).map(|(p, h)| (p - h).max(0.0)),
                power_high_w: power.zip(half).map(|(p, h)| p + h),
                energy_mj: power.map(|p| p * found.times.mean_ms(l)),
                readings: found.readings[l],
                independent_samples: found.independent[l],
                verdict,
                window_rows: None,
            });
        }
        q.energy = EnergyReport {
            power_w: mean,
            power_error_w: found.mean_watts.map(|_| found.mean_error_watts).filter(|e| e.is_finite()),
            period_ms: found.period_ms,
            latency_ms: model_run.filter(|m| m.avg_latency > 0.0).map(|m| m.avg_latency * 1e3),
            batch_size: model_run.and_then(|m| m.config.input_shape.first()).and_then(|&b| u32::try_from(b).ok()),
            idle_w: self.idle_watts,
            unprofiled,
            ..EnergyReport::default()
        };
        q.picture = found.picture;
        self.shares = found.shares;
        self.close(watts.as_ref().map(|w| w[layers]));
    }

    /// Shares the layers' energy out by activity; the layers' energy as a whole stays.
    fn share_out(&self, watts: &mut [f64], found: &Evidence) {
        let layers = self.layers.len();
        let durations: Vec<f64> = (0..layers).map(|l| found.times.mean_ms(l)).collect();
        let time: f64 = durations.iter().sum();
        if time <= 0.0 {
            return;
        }
        let level = durations.iter().zip(watts.iter()).map(|(d, p)| d * p).sum::<f64>() / time;
        let shortest = durations.iter().copied().filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
        let activities: Vec<Option<f64>> = (0..layers)
            .map(|l| {
                let layer = self.places[l].zip(self.engine.as_ref()).and_then(|(i, e)| e.layers.get(i))?;
                share::activity(layer, durations[l], shortest)
            })
            .collect();
        let shared = share::share(&durations, &activities, level, self.idle_watts.unwrap_or(0.6 * level));
        watts[..layers].copy_from_slice(&shared);
    }

    /// Fills in what follows from the layers' powers.
    fn close(&mut self, outside_w: Option<f64>) {
        let energy = &mut self.quality.energy;
        energy.layers_ms = self.quality.layers.iter().map(|l| l.runtime_ms).sum();
        let outside_ms = energy.period_ms - energy.layers_ms;
        energy.outside_w = outside_w;
        energy.outside_mj = outside_w.map(|p| p * outside_ms.max(0.0));
        energy.layers_mj = self.quality.layers.iter().map(|l| l.energy_mj).sum();
        energy.energy_mj = energy.power_w.map(|p| p * energy.period_ms);
        energy.net_energy_mj = energy.power_w.zip(energy.idle_w).map(|(p, idle)| (p - idle) * energy.period_ms);
        energy.closure = match (energy.layers_mj, energy.outside_mj, energy.energy_mj) {
            (Some(layers), Some(outside), Some(all)) if all > 0.0 => Some((layers + outside) / all - 1.0),
            _ => None,
        };
    }

    /// The engine's layer behind a measured one.
    #[must_use]
    pub fn engine_layer(&self, layer: usize) -> Option<&engine::Layer> {
        self.places[layer].zip(self.engine.as_ref()).and_then(|(i, e)| e.layers.get(i))
    }

    /// Each component's share of an inference's time; the last is the time outside the layers.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Replaces the layers' powers and that of the time outside them, in watts, with their deviations.
    pub fn replace(&mut self, method: Method, because: String, watts: &[f64], deviation: &[f64]) {
        let layers = self.quality.layers.len();
        for (l, report) in self.quality.layers.iter_mut().enumerate() {
            let half = super::attribute::half_width(deviation[l]);
            report.power_w = Some(watts[l]);
            report.power_low_w = Some((watts[l] - half).max(0.0));
            report.power_high_w = Some(watts[l] + half);
            report.energy_mj = Some(watts[l] * report.runtime_ms);
            report.verdict = Verdict::Attributed;
        }
        self.quality.method = method;
        self.quality.because = because;
        self.close(Some(watts[layers]));
    }
}

/// The method, and why.
fn choose(asked: Method, identified: f64, found: &Evidence, survey: &Survey) -> (Method, String) {
    let percent = (identified * 100.0).round();
    if asked != Method::Auto && asked != Method::Totals {
        return (asked, format!("asked for; readings tell layers apart for {percent} % of the run time"));
    }
    if found.samples == 0 {
        return (
            Method::Share,
            "no reading saw whole inferences: energy is shared out by run time and activity".into(),
        );
    }
    if identified >= 0.5 {
        return (Method::Deconvolve, format!("readings tell layers apart for {percent} % of the run time"));
    }
    let why = match (survey.sensor.lag_ms, found.predicted) {
        (Some(lag), _) if lag * 1e3 > 5.0 * found.response.window_us.max(found.period_ms * 1e3) => {
            format!("the sensor's lag of {lag:.0} ms spans many inferences")
        }
        (_, Some(p)) if p < super::attribute::PREDICTABLE => "readings depend too little on which layer ran".into(),
        _ => format!("readings tell layers apart for {percent} % of the run time only"),
    };
    (Method::Share, format!("{why}: energy is shared out by run time and activity"))
}

/// Hashes the files that were read. Slow for large files: meant to run beside the work.
///
/// # Errors
/// Whatever the file system says.
pub fn hashes(files: &RunFiles) -> Result<Vec<(String, String)>, Failure> {
    let all = [
        Some(&files.power_log),
        Some(&files.latency),
        files.engine_info.as_ref(),
        files.model_run.as_ref(),
        files.manifest.as_ref(),
        files.idle.as_ref(),
    ];
    let paths: Vec<_> = all.into_iter().flatten().collect();
    paths
        .into_par_iter()
        .map(|path| {
            let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            Ok((name, sha256_file(path)?))
        })
        .collect()
}

/// Inferences whose rows are rendered at once by one core.
const ROWS: usize = 32;

/// Writes `power_runtime_mapping_layerwise.csv` and, for the reference's rule, completes the report.
///
/// # Errors
/// Whatever the files say.
pub fn write_rows(run: &mut Run, path: &Path) -> Result<(), Failure> {
    let latency = File::open(&run.files.latency).map_err(|e| Failure::io(&run.files.latency, "read", &e))?;
    let mut counts = None;
    write_atomic_with(path, |out| {
        out.write_all(rows::HEADER.as_bytes())?;
        if run.quality.method == Method::Window {
            write_rule(run, &latency, out).map(|c| counts = Some(c))
        } else {
            write_attributed(run, &latency, out)
        }
    })?;
    if let Some(counts) = counts {
        let oddities = counts.oddities.clone();
        run.quality.note_oddities("logs", &oddities);
        run.quality.window = Some(counts);
    }
    Ok(())
}

fn write_attributed(run: &Run, latency: &(impl ReadAt + ?Sized), out: &mut dyn Write) -> io::Result<()> {
    let uw = |w: Option<f64>| w.map(|w| w * 1e6);
    let texts: Vec<rows::LayerText> = run
        .quality
        .layers
        .iter()
        .map(|l| {
            let power = rows::Power {
                including: uw(l.power_w),
                excluding: uw(l.power_w.zip(run.idle_watts).map(|(p, idle)| p - idle)),
                interval: l.power_low_w.zip(l.power_high_w).map(|(a, b)| (a * 1e6, b * 1e6)),
            };
            let samples = Some(l.independent_samples);
            rows::LayerText::new(
                l.index,
                &l.name,
                &l.layer_type,
                power,
                samples,
                l.verdict.name(),
                run.quality.method.name(),
            )
        })
        .collect();
    let mut cycles = Cycles::new(latency, &run.layers, true);
    let mut batch = Batch::default();
    loop {
        cycles.next_batch(&mut batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let parts: Vec<Vec<u8>> = (0..batch.len().div_ceil(ROWS))
            .into_par_iter()
            .map(|part| {
                let mut text = Vec::new();
                for i in part * ROWS..((part + 1) * ROWS).min(batch.len()) {
                    let cycle = batch.first + i as u64 + 1;
                    for (l, layer) in texts.iter().enumerate() {
                        let run_time = batch.texts[i * batch.layers + l].as_bytes();
                        if !run_time.is_empty() {
                            layer.row(cycle, run_time, &mut text);
                        }
                    }
                }
                text
            })
            .collect();
        for part in parts {
            out.write_all(&part)?;
        }
    }
}

fn write_rule(run: &Run, latency: &(impl ReadAt + ?Sized), out: &mut dyn Write) -> io::Result<window::Counts> {
    let engine = run.engine.as_ref();
    let places = places(engine, &run.file_order);
    let texts: Vec<rows::LayerText> = run
        .file_order
        .iter()
        .enumerate()
        .map(|(i, series)| {
            let layer = places[i].zip(engine).and_then(|(place, e)| e.layers.get(place));
            let layer_type = layer.map_or("Unknown", |l| l.layer_type.as_str());
            let index = run.layers.iter().position(|s| s.bytes == series.bytes).unwrap_or(i);
            rows::LayerText::new(
                index,
                &series.name,
                layer_type,
                rows::Power::default(),
                None,
                "",
                Method::Window.name(),
            )
        })
        .collect();
    let idle_uw = run.idle_watts.map(|w| w * 1e6);
    let mut text = Vec::with_capacity(1 << 20);
    let log = File::open(&run.files.power_log)?;
    let counts = window::apply(latency, &run.file_order, log, |row| {
        let including = row.power_uw;
        // A power of zero is taken for none by the reference's `if`.
        let excluding = including.filter(|p| *p != 0.0).zip(idle_uw).map(|(p, idle)| p - idle);
        let power = rows::Power { including, excluding, interval: None };
        if row.readings > 0 {
            texts[row.layer].row_with(row.cycle, row.text, power, row.readings, &mut text)?;
        } else {
            texts[row.layer].row(row.cycle, row.text, &mut text);
        }
        if text.len() > (1 << 20) - 4096 {
            out.write_all(&text)?;
            text.clear();
        }
        Ok(())
    })?;
    out.write_all(&text)?;
    Ok(counts)
}

/// A failure when nothing at all could be aligned.
#[must_use]
pub fn nothing(failed: usize, all: usize) -> Failure {
    Failure::new(Kind::Data, format!("{failed} of {all} runs were not aligned"))
        .help("the messages above say why; the other runs are done")
}
