//! From a run folder to a trace.

use super::energies::LayerEnergies;
use super::events::{Events, Track};
use super::layers::place;
use serde_json::{Map, json};
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic_with;
use shared::run_folder::{
    LogContent, Manifest, Pass, PowerSetup, RunFolder, Sample, Total, read_sample_log, total_readings,
};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// What a trace holds.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceOptions {
    /// Profiled cycles whose layers are written, the first ones.
    pub cycles: usize,
    /// Inferences of each pass that are written, the first ones.
    pub inferences: usize,
    /// Powers of layers out of an aligned run.
    pub energies: Option<LayerEnergies>,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self { cycles: 200, inferences: 5_000, energies: None }
    }
}

/// What was written, and what was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Events.
    pub events: u64,
    /// Cycles with layers that were left out.
    pub cycles_left_out: usize,
    /// Inferences that were left out.
    pub inferences_left_out: usize,
    /// Layers of one cycle that have an energy.
    pub layers_with_energy: usize,
}

/// Writes a run's trace. Memory: about the size of the run's log.
///
/// # Errors
/// When the run has no sample log, or a file cannot be read or written.
pub fn export(run: &RunFolder, out: &Path, options: &TraceOptions) -> Result<Exported, Failure> {
    let log = run.sample_log();
    if !log.exists() {
        return Err(Failure::new(Kind::Io, "has no samples.eplog, which a trace is made from")
            .at(run.path())
            .help("record the run with `jetson-agent profile`; folders of other tools have no common clock for layers and power"));
    }
    let content = read_sample_log(&log)?;
    let manifest = match Manifest::read(&run.manifest()) {
        Ok(manifest) => manifest,
        Err(failure) => content.manifest.clone().ok_or(failure)?,
    };
    let mut exported = Exported::default();
    write_atomic_with(out, |file| {
        exported = write(file, &manifest, &content, options)?;
        Ok(())
    })?;
    Ok(exported)
}

/// The first instant of anything recorded.
fn origin(manifest: &Manifest, content: &LogContent) -> u64 {
    let samples = content.samples.first().map(|sample| sample.t_ns);
    let spans = content.inferences.iter().map(|(_, span)| span.start_ns);
    let passes = manifest.passes.iter().map(|pass| pass.start_ns);
    let others = content.events.iter().map(|e| e.t_ns).chain(content.states.iter().map(|state| state.t_ns));
    samples.into_iter().chain(spans).chain(passes).chain(others).min().unwrap_or(0)
}

fn write(
    out: &mut dyn io::Write,
    manifest: &Manifest,
    content: &LogContent,
    options: &TraceOptions,
) -> io::Result<Exported> {
    let origin_ns = origin(manifest, content);
    let about = json!({
        "model": manifest.model,
        "program": manifest.program,
        "board": manifest.board.model,
        "power_source": manifest.power.source,
        "unix_ns_of_time_zero": manifest.clock.wall_ns(origin_ns).to_string(),
    });
    let mut exported = Exported::default();
    let mut events = Events::begin(out, origin_ns, &about)?;
    let board = manifest.board.model.as_deref().unwrap_or("board");
    events.name_process(&format!("{} on {board}", manifest.model))?;
    for (track, name) in [(Track::Passes, "passes"), (Track::Inferences, "inferences"), (Track::Layers, "layers")] {
        events.name_track(track, name)?;
    }
    for pass in &manifest.passes {
        let args = Map::from_iter([
            ("cycles".to_owned(), json!(pass.cycles)),
            ("uncertainty_ns".to_owned(), json!(pass.uncertainty_ns)),
        ]);
        events.complete(Track::Passes, pass_name(pass.pass), (pass.start_ns, pass.end_ns), args)?;
    }
    let mut written: HashMap<&str, usize> = HashMap::new();
    for (pass, span) in &content.inferences {
        let written = written.entry(pass_name(*pass)).or_default();
        if *written >= options.inferences {
            exported.inferences_left_out += 1;
            continue;
        }
        *written += 1;
        let args =
            Map::from_iter([("cycle".to_owned(), json!(span.cycle)), ("pass".to_owned(), json!(pass_name(*pass)))]);
        events.complete(Track::Inferences, "inference", (span.start_ns, span.end_ns), args)?;
    }
    layers(&mut events, manifest, content, options, &mut exported)?;
    counters(&mut events, &manifest.power, &content.samples)?;
    states(&mut events, content)?;
    for event in &content.events {
        events.instant(&event.kind, event.t_ns, &event.message)?;
    }
    exported.events = events.end()?;
    Ok(exported)
}

fn pass_name(pass: Pass) -> &'static str {
    match pass {
        Pass::Warmup => "warm-up",
        Pass::Power => "power",
        Pass::Profiled => "profiled",
    }
}

fn layers(
    events: &mut Events<'_>,
    manifest: &Manifest,
    content: &LogContent,
    options: &TraceOptions,
    exported: &mut Exported,
) -> io::Result<()> {
    let pass = if manifest.layer_times.with_power { Pass::Power } else { Pass::Profiled };
    let starts: HashMap<u32, u64> = content.inferences_of(pass).map(|span| (span.cycle, span.start_ns)).collect();
    exported.cycles_left_out = content.layers.len().saturating_sub(options.cycles);
    // The turn of each layer among those of its name.
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let turns: Vec<usize> = manifest
        .layers
        .iter()
        .map(|name| {
            let turn = seen.entry(name).or_insert(0);
            *turn += 1;
            *turn - 1
        })
        .collect();
    for (number, (cycle, runs)) in content.layers.iter().take(options.cycles).enumerate() {
        let places = place(runs, manifest.layer_times.stamp, starts.get(cycle).copied());
        for (index, (run, span)) in runs.iter().zip(places).enumerate() {
            let unnamed = format!("layer {index}");
            let name = manifest.layers.get(index).unwrap_or(&unnamed);
            let mut args = Map::from_iter([("cycle".to_owned(), json!(cycle)), ("layer".to_owned(), json!(index))]);
            let power = options
                .energies
                .as_ref()
                .and_then(|energies| energies.of(name, turns.get(index).copied().unwrap_or(0)));
            if let Some((power, verdict)) = power {
                args.insert("power_w".into(), json!(power.0));
                args.insert("energy_mj".into(), json!(power.0 * f64::from(run.ms)));
                args.insert("verdict".into(), json!(verdict));
                exported.layers_with_energy += usize::from(number == 0);
            }
            events.complete(Track::Layers, name, span, args)?;
        }
    }
    Ok(())
}

/// Rails as counters. A reading that repeats the one before adds nothing, except the last.
fn counters(events: &mut Events<'_>, setup: &PowerSetup, samples: &[Sample]) -> io::Result<()> {
    for (index, rail) in (0_u8..).zip(&setup.rails) {
        let readings =
            samples.iter().filter(|sample| sample.rail == index).map(|sample| (sample.t_ns, sample.power().0));
        steps(events, &format!("{} (W)", rail.label), "W", readings)?;
    }
    if matches!(setup.total, Total::Sum(_)) {
        let readings = total_readings(setup, samples).map(|(t_ns, voltage, current)| (t_ns, (voltage * current).0));
        steps(events, "total (W)", "W", readings)?;
    }
    Ok(())
}

fn steps(
    events: &mut Events<'_>,
    name: &str,
    unit: &str,
    readings: impl Iterator<Item = (u64, f64)>,
) -> io::Result<()> {
    let (mut written, mut pending): (Option<f64>, Option<(u64, f64)>) = (None, None);
    for (t_ns, value) in readings {
        if written == Some(value) {
            pending = Some((t_ns, value));
        } else {
            events.counter(name, unit, t_ns, value)?;
            (written, pending) = (Some(value), None);
        }
    }
    match pending {
        Some((t_ns, value)) => events.counter(name, unit, t_ns, value),
        None => Ok(()),
    }
}

fn states(events: &mut Events<'_>, content: &LogContent) -> io::Result<()> {
    for state in &content.states {
        for (unit, mhz) in &state.clocks_mhz {
            events.counter(&format!("clock {unit} (MHz)"), "MHz", state.t_ns, *mhz)?;
        }
        for (zone, celsius) in &state.temperatures_c {
            events.counter(&format!("{zone} (°C)"), "C", state.t_ns, *celsius)?;
        }
        if let Some(load) = state.gpu_load {
            events.counter("GPU load (%)", "percent", state.t_ns, load * 100.0)?;
        }
        for (counter, count) in &state.throttle_events {
            events.counter(&format!("throttling {counter}"), "events", state.t_ns, *count as f64)?;
        }
    }
    Ok(())
}

/// The value of a trace, for tests and for those who want it in memory.
#[cfg(test)]
fn value(manifest: &Manifest, content: &LogContent, options: &TraceOptions) -> (serde_json::Value, Exported) {
    let mut bytes = Vec::new();
    let exported = write(&mut bytes, manifest, content, options).expect("writes");
    (serde_json::from_slice(&bytes).expect("JSON"), exported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energies::LayerPower;
    use serde_json::Value;
    use shared::run_folder::{BoardState, Event, InferenceSpan, LayerRun, PassSpan, Rail};
    use shared::units::Watts;

    fn run() -> (Manifest, LogContent) {
        let mut manifest = Manifest::new("net \"q\"", "test");
        manifest.layers = vec!["conv".into(), "conv".into()];
        manifest.power.rails = vec![Rail { label: "VDD_IN".into(), ..Rail::default() }];
        manifest.power.total = Total::Rail(0);
        manifest.passes = vec![PassSpan {
            pass: Pass::Profiled,
            cycles: 3,
            start_ns: 1_000_000,
            end_ns: 9_000_000,
            uncertainty_ns: 0,
        }];
        let mut content = LogContent::default();
        for cycle in 0..3_u32 {
            let start_ns = 1_000_000 + u64::from(cycle) * 2_000_000;
            content.inferences.push((Pass::Profiled, InferenceSpan { cycle, start_ns, end_ns: start_ns + 1_500_000 }));
            let layer = |ms: f32, end: u64| LayerRun { ms, stamp_ns: start_ns + end };
            content.layers.push((cycle, vec![layer(1.0, 1_000_000), layer(0.5, 1_500_000)]));
        }
        content.samples = (0..10)
            .map(|n| Sample {
                t_ns: 500_000 + n * 1_000_000,
                rail: 0,
                mv: 5_000.0,
                ma: if n < 5 { 1_000.0 } else { 1_200.0 },
            })
            .collect();
        content.states = vec![BoardState {
            t_ns: 2_000_000,
            clocks_mhz: vec![("gpu".into(), 1020.0)],
            temperatures_c: vec![("cpu-thermal".into(), 48.0)],
            gpu_load: Some(0.5),
            throttle_events: vec![("oc1".into(), 2)],
        }];
        content.events = vec![Event { t_ns: 1_000_000, kind: "pass_started".into(), message: "Profiled".into() }];
        (manifest, content)
    }

    /// The rules of the Trace Event Format for the events that are used here.
    fn check(trace: &Value) {
        for event in trace["traceEvents"].as_array().expect("events") {
            let phase = event["ph"].as_str().expect("a phase");
            assert!(event["name"].is_string() && event["pid"].is_u64(), "{event}");
            assert!(phase == "M" || event["ts"].as_f64().is_some_and(|ts| ts >= 0.0), "{event}");
            match phase {
                "M" => assert!(event["args"]["name"].is_string() || event["args"]["sort_index"].is_u64(), "{event}"),
                "X" => assert!(event["dur"].as_f64().is_some_and(|dur| dur >= 0.0) && event["tid"].is_u64(), "{event}"),
                "C" => {
                    let args = event["args"].as_object().expect("values");
                    assert!(args.len() == 1 && args.values().all(Value::is_number), "{event}");
                }
                "i" => assert_eq!(event["s"], "g"),
                other => panic!("{other}: {event}"),
            }
        }
    }

    fn of<'a>(trace: &'a Value, phase: &str) -> Vec<&'a Value> {
        trace["traceEvents"].as_array().expect("events").iter().filter(|event| event["ph"] == phase).collect()
    }

    #[test]
    fn a_trace_holds_what_the_run_holds() {
        let (manifest, content) = run();
        let (trace, exported) = value(&manifest, &content, &TraceOptions::default());
        check(&trace);
        assert_eq!(trace["traceEvents"].as_array().map(|e| e.len() as u64), Some(exported.events));
        let layers: Vec<&Value> = of(&trace, "X").into_iter().filter(|event| event["tid"] == 3).collect();
        assert_eq!(layers.len(), 6);
        // The first sample is time zero; the first layer runs from 0.5 ms to 1.5 ms.
        assert_eq!((layers[0]["ts"].as_f64(), layers[0]["dur"].as_f64()), (Some(500.0), Some(1000.0)));
        // Layers of a cycle do not overlap, and lie in its inference.
        assert_eq!(layers[1]["ts"].as_f64(), Some(1500.0));
        let watts: Vec<&Value> = of(&trace, "C").into_iter().filter(|event| event["name"] == "VDD_IN (W)").collect();
        // Ten readings with two values: each once, and the last.
        assert_eq!(watts.iter().filter_map(|event| event["args"]["W"].as_f64()).collect::<Vec<_>>(), [5.0, 6.0, 6.0]);
        assert!(
            of(&trace, "C").iter().any(|event| event["name"] == "clock gpu (MHz)" && event["args"]["MHz"] == 1020.0)
        );
        assert_eq!(of(&trace, "i").len(), 1);
    }

    #[test]
    fn what_is_left_out_is_counted_and_energies_are_powers_times_durations() {
        let (manifest, content) = run();
        let measured = LayerPower { name: "conv".into(), turn: 0, power: Watts(8.0), verdict: "measured".into() };
        let energies = [measured].into_iter().collect();
        let options = TraceOptions { cycles: 1, inferences: 2, energies: Some(energies) };
        let (trace, exported) = value(&manifest, &content, &options);
        check(&trace);
        assert_eq!((exported.cycles_left_out, exported.inferences_left_out, exported.layers_with_energy), (2, 1, 1));
        let layers: Vec<&Value> = of(&trace, "X").into_iter().filter(|event| event["tid"] == 3).collect();
        assert_eq!(
            (layers[0]["args"]["energy_mj"].as_f64(), layers[0]["args"]["verdict"].as_str()),
            (Some(8.0), Some("measured"))
        );
        assert!(layers[1]["args"]["energy_mj"].is_null(), "a layer without a power has no energy");
    }

    #[test]
    fn a_folder_without_a_log_is_refused_with_the_next_step() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let run = RunFolder::new(folder.path(), "net");
        let failure = export(&run, &folder.path().join("t.json"), &TraceOptions::default()).expect_err("no log");
        assert!(failure.help.is_some_and(|help| help.contains("jetson-agent profile")));
        assert!(!folder.path().join("t.json").exists());
    }
}
