//! One suite for every power source and one for every runner: the simulated and the replayed pass what the real ones do.

use crate::meters::{csv_meter, nvml_library, powersensor3, pty};
use crate::support::{ina3221, orin_nano, profile, run, tree};
use jetson_agent::power::{
    PowerSource, ReplaySource, Root, SamplerOptions, SimulatedBoard, SimulatedSource, SourceError, find_hwmon,
    find_iio, find_nvml, find_powercap, sample_briefly, serial,
};
use jetson_agent::runner::{EngineRunner, Job, Observer, SimulatedRunner, SimulatedTiming, trtexec};
use jetson_agent::sys;
use shared::run_folder::{LayerStamp, Pass, Record, Total};
use shared::units::{Millis, Watts};
use simulate::{Load, LoadLayer, PollModel, SensorModel};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What every power source promises.
fn check_source(name: &str, mut source: Box<dyn PowerSource>, watts: std::ops::Range<f64>) {
    let setup = source.setup().clone();
    assert!(!setup.rails.is_empty() && setup.rails.len() <= 255, "{name}");
    assert!(!setup.source.is_empty() && setup.rails.iter().all(|rail| !rail.label.is_empty()), "{name}");
    let rails = setup.rails.len() as u8;
    match &setup.total {
        Total::Unknown => {}
        Total::Rail(rail) => assert!(*rail < rails, "{name}"),
        Total::Sum(parts) => assert!(!parts.is_empty() && parts.iter().all(|rail| *rail < rails), "{name}"),
    }
    let before = sys::monotonic_ns();
    let mut samples = Vec::new();
    // A stream may have nothing yet; it must not wait for ever, and what it gave before stays.
    for _ in 0..200 {
        let held = samples.len();
        match source.read(&mut samples) {
            Ok(()) | Err(SourceError::Transient(_) | SourceError::Ended) => {}
            Err(error) => panic!("{name}: {error}"),
        }
        assert!(samples.len() >= held, "{name}");
        if samples.len() >= 5 * usize::from(rails) {
            break;
        }
    }
    let after = sys::monotonic_ns();
    assert!(samples.len() >= usize::from(rails), "{name}: nothing read");
    for rail in 0..rails {
        let of_rail: Vec<_> = samples.iter().filter(|s| s.rail == rail).collect();
        assert!(!of_rail.is_empty(), "{name}: rail {rail} is silent");
        assert!(of_rail.windows(2).all(|pair| pair[0].t_ns <= pair[1].t_ns), "{name}: time runs backwards");
    }
    for sample in &samples {
        assert!(sample.rail < rails && sample.mv.is_finite() && sample.ma.is_finite(), "{name}");
        // A meter's own clock is joined to ours within a second at worst.
        assert!(sample.t_ns + 1_000_000_000 > before && sample.t_ns <= after + 1_000_000, "{name}: another clock");
    }
    let last = samples.iter().rev().find(|s| s.rail == 0).expect("rail 0");
    assert!(watts.contains(&last.power().0), "{name}: {}", last.power());
    let options = SamplerOptions { rate_hz: Some(500.0), realtime: false };
    match sample_briefly(source, options, Duration::from_millis(200)) {
        Ok((sampled, outcome, again)) => {
            assert!(!sampled.is_empty() && outcome.report.failed == 0, "{name}");
            assert_eq!(again.rails.len(), setup.rails.len(), "{name}");
            assert!(outcome.report.cpu_share >= 0.0 && outcome.report.jitter_us.is_finite(), "{name}");
        }
        Err(SourceError::Ended) => {}
        Err(error) => panic!("{name}: {error}"),
    }
}

fn found(candidate: Option<jetson_agent::power::Candidate>) -> Box<dyn PowerSource> {
    let candidate = candidate.expect("is found");
    candidate.source.unwrap_or_else(|unusable| panic!("{}", unusable.why))
}

#[test]
fn sources_of_the_board() {
    let nano = tempfile::tempdir().expect("temporary folder");
    orin_nano(nano.path());
    check_source("hwmon", found(find_hwmon(&Root::new(Some(nano.path())))), 5.4..5.6);
    let agx = tempfile::tempdir().expect("temporary folder");
    ina3221(agx.path(), 0, "1", &[("VDD_GPU_SOC", "19000", "100", "2000"), ("VIN_SYS_5V0", "5000", "100", "2000")]);
    tree(
        agx.path(),
        &[
            ("sys/bus/iio/devices/iio:device0/name", "ina3221x"),
            ("sys/bus/iio/devices/iio:device0/rail_name_0", "POM_5V_IN"),
            ("sys/bus/iio/devices/iio:device0/in_voltage0_input", "5000"),
            ("sys/bus/iio/devices/iio:device0/in_current0_input", "400"),
            ("sys/class/powercap/intel-rapl:0/name", "package-0"),
            ("sys/class/powercap/intel-rapl:0/energy_uj", "1000000"),
            ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850"),
        ],
    );
    let root = Root::new(Some(agx.path()));
    check_source("hwmon, a sum", found(find_hwmon(&root)), 1.8..2.0);
    check_source("iio", found(find_iio(&root)), 1.9..2.1);
    check_source("powercap", found(find_powercap(&root)), 0.0..0.1);
}

#[test]
fn simulated_and_replayed_sources() {
    let board = || SimulatedBoard::new(SensorModel::ina3221_fast(), 4.2, 1);
    check_source("simulated register", Box::new(SimulatedSource::new(board(), PollModel::reference_loop())), 4.0..4.4);
    let meter = SimulatedBoard::new(SensorModel::ideal_meter(), 4.2, 1);
    check_source("simulated stream", Box::new(SimulatedSource::new(meter, PollModel::streaming())), 4.19..4.21);
    let home = tempfile::tempdir().expect("temporary folder");
    assert!(run(&mut profile(home.path(), &["--runs", "500", "--simulate-fast"])).status.success());
    let log = home.path().join("raw_data/tiny/samples.eplog");
    check_source("replay", Box::new(ReplaySource::open(&log).expect("opens")), 3.0..10.0);
}

#[test]
fn meters_and_nvml() {
    let stop = Arc::new(AtomicBool::new(false));
    let (master, port) = pty();
    let meter = csv_meter(master, Arc::clone(&stop));
    check_source("csv", serial::open(&port, serial::Protocol::CsvLines, 115_200).expect("opens"), 7.4..10.1);
    let (master, port) = pty();
    let device = powersensor3(master, Arc::clone(&stop));
    check_source(
        "powersensor3",
        serial::open(&port, serial::Protocol::PowerSensor3, 115_200).expect("opens"),
        0.0..100.0,
    );
    stop.store(true, Ordering::Relaxed);
    meter.join().expect("joins");
    device.join().expect("joins");
    let folder = tempfile::tempdir().expect("temporary folder");
    let library = nvml_library(folder.path());
    check_source("nvml", found(find_nvml(Some(&library))), 71.4..71.6);
}

/// What every runner promises.
fn check_runner(name: &str, runner: &mut dyn EngineRunner, job: &Job) {
    let stop = Arc::new(AtomicBool::new(false));
    let prepared = runner.prepare(job, &stop).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(!prepared.setup.runner.is_empty(), "{name}");
    let (sender, records) = std::sync::mpsc::channel();
    let done = Arc::new(AtomicU64::new(0));
    let observer = Observer::new(sender, Arc::clone(&stop), Arc::clone(&done));
    for (pass, cycles) in [(Pass::Warmup, job.warmup), (Pass::Power, job.runs), (Pass::Profiled, job.profiled)] {
        let before = sys::monotonic_ns();
        let span = runner.run(pass, cycles, &observer).unwrap_or_else(|e| panic!("{name}: {e}"));
        let after = sys::monotonic_ns();
        assert_eq!(span.pass, pass, "{name}");
        assert!(span.cycles <= cycles && span.start_ns <= span.end_ns, "{name}");
        assert!(
            span.start_ns + span.uncertainty_ns >= before && span.end_ns <= after + span.uncertainty_ns + 50_000_000,
            "{name}"
        );
        let records: Vec<Record> = records.try_iter().collect();
        let spans: Vec<_> =
            records.iter().filter_map(|r| if let Record::Inferences(p, s) = r { Some((p, s)) } else { None }).collect();
        assert!(spans.iter().all(|(p, _)| **p == pass), "{name}");
        let spans: Vec<_> = spans.into_iter().flat_map(|(_, s)| s).collect();
        assert!(spans.iter().all(|s| s.start_ns <= s.end_ns), "{name}");
        assert!(
            spans.windows(2).all(|pair| pair[0].cycle + 1 == pair[1].cycle && pair[0].start_ns <= pair[1].start_ns),
            "{name}"
        );
        let layers: Vec<_> = records
            .iter()
            .filter_map(|r| if let Record::Layers { runs, .. } = r { Some(runs) } else { None })
            .collect();
        match pass {
            Pass::Power => {
                assert_eq!((spans.len() as u32, span.cycles), (cycles, cycles), "{name}");
                assert!(done.load(Ordering::Relaxed) > 0, "{name}: no progress");
            }
            Pass::Profiled => {
                assert!(!layers.is_empty(), "{name}: no layer times");
                let known = runner.layers().len();
                assert!(known > 0 && layers.iter().all(|runs| runs.len() == known), "{name}");
                assert!(
                    layers.iter().flat_map(|runs| runs.iter()).all(|run| run.ms.is_finite() && run.ms >= 0.0),
                    "{name}"
                );
            }
            Pass::Warmup => assert!(layers.is_empty(), "{name}"),
        }
    }
    // Told to stop, it ends at once and says how far it came.
    stop.store(true, Ordering::Relaxed);
    if let Ok(span) = runner.run(Pass::Power, 1_000_000, &observer) {
        assert!(span.cycles <= 1, "{name}");
    }
}

fn job(work: &Path) -> Job {
    Job {
        engine: Some(work.join("net.engine")),
        precision: "fp16".into(),
        warmup: 3,
        runs: 20,
        profiled: 5,
        work: work.to_owned(),
        ..Job::default()
    }
}

#[test]
fn runners() {
    let work = tempfile::tempdir().expect("temporary folder");
    std::fs::write(work.path().join("net.engine"), "an engine").expect("writes");
    let layer = |name: &str, ms, watts| LoadLayer { name: name.into(), duration: Millis(ms), power: Watts(watts) };
    let load = Load::of_layers(vec![layer("a", 0.2, 8.0), layer("b", 0.1, 6.0)]);
    let sensor = SensorModel::ina3221_fast();
    let board = SimulatedBoard::new(sensor, 4.2, 1);
    let timing = SimulatedTiming { stamp: LayerStamp::LayerEnd, with_power: false };
    let mut simulated = SimulatedRunner::new(board, load, sensor, timing, 1, None);
    check_runner("simulated", &mut simulated, &job(work.path()));
    let stand_in = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in/trtexec"));
    let mut trtexec = trtexec::Trtexec::new(stand_in.to_owned(), trtexec::Timeouts::default());
    check_runner("trtexec", &mut trtexec, &job(work.path()));
}
