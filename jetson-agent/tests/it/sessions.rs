//! Whole sessions with the simulated runner, and what they leave behind.

use crate::support::{agent, code, json, orin_nano, profile, run, stderr};
use shared::run_folder::{
    LayerStamp, Manifest, Pass, PowerLogReader, RunFolder, Status, read_layer_latencies, read_sample_log,
};
use simulate::Truth;
use std::io::BufReader;
use std::path::Path;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn tiny(folder: &Path) -> RunFolder {
    RunFolder::new(&folder.join("raw_data"), "tiny")
}

fn sample_engine() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json").to_owned()
}

#[test]
fn a_session_in_real_time_leaves_a_whole_run_folder() {
    let home = folder();
    let output = run(&mut profile(home.path(), &["--runs", "300", "--warmup", "5", "--profiled", "40"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let run_folder = tiny(home.path());
    let manifest = Manifest::read(&run_folder.manifest()).expect("reads");
    assert_eq!(manifest.status, Status::Complete);
    assert_eq!(manifest.layers, ["conv", "pool", "conv"]);
    let content = read_sample_log(&run_folder.sample_log()).expect("reads");
    assert!(content.damage.is_clean());
    assert_eq!(content.seal, Some(content.counts));
    assert_eq!((content.counts.power_inferences, content.counts.profiled_inferences), (300, 40));
    assert_eq!(content.counts.layer_cycles, 40);
    assert!(content.counts.samples > 20, "{}", content.counts.samples);
    assert!(content.samples.windows(2).all(|pair| pair[0].t_ns < pair[1].t_ns));
    let spans: Vec<_> = content.inferences_of(Pass::Power).collect();
    assert!(spans.windows(2).all(|pair| pair[0].end_ns <= pair[1].start_ns));
    // Names that repeat stay apart in the log and come together in the reference's file.
    assert!(content.layers.iter().all(|(_, runs)| runs.len() == 3));
    let latencies = read_layer_latencies(&run_folder.layer_latency()).expect("reads");
    assert_eq!(
        latencies.layers.iter().map(|(n, e)| (n.as_str(), e.len())).collect::<Vec<_>>(),
        [("conv", 80), ("pool", 40)]
    );
    let truth: Truth = serde_json::from_slice(&std::fs::read(run_folder.truth()).expect("reads")).expect("parses");
    assert_eq!(truth.cycles, 300);
    assert!((truth.layers[0].duration_ms - 0.2).abs() < 0.01);
    assert!(manifest.sampling.expect("a report").cpu_share >= 0.0);
    let verified = run(agent(home.path()).args(["verify", "raw_data/tiny", "--format", "json"]));
    // No engine info was given, which is a warning, not a fault.
    assert_eq!((code(&verified), json(&verified)["whole"].as_bool()), (0, Some(true)));
    let info = json(&run(agent(home.path()).args(["info", "raw_data/tiny", "--format", "json"])));
    assert_eq!(info["status"], "complete");
    let watts = info["mean_power_w"].as_f64().expect("power");
    assert!((5.0..9.5).contains(&watts), "{watts}");
}

/// Reads a run folder with nothing but the standard library and a JSON parser, by the letter of the reference's formats:
/// a power log of `YYYYMMDD-HH:MM:SS.ffffff,mV,mA` lines, `{layer: [[ms, stamp], …]}`, latencies in s.
#[test]
fn the_reference_reads_what_a_session_of_the_sample_leaves() {
    let home = folder();
    let engine = sample_engine();
    let output = run(agent(home.path()).args(["profile", "--runner", "simulated", "--engine-info", &engine]).args([
        "--name",
        "resnet18",
        "--runs",
        "3000",
        "--profiled",
        "20",
        "--simulate-fast",
        "--shape",
        "input:1x3x224x224",
    ]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let root = home.path().join("raw_data/resnet18");
    let stamp = |text: &str| -> f64 {
        let (date, time) = text.split_once('-').expect("a dash");
        assert_eq!((date.len(), time.len()), (8, 15), "{text}");
        let mut parts = time.split(':').map(|part| part.parse::<f64>().expect("a number"));
        let (hours, minutes, seconds) = (parts.next().expect("h"), parts.next().expect("m"), parts.next().expect("s"));
        hours * 3600.0 + minutes * 60.0 + seconds
    };
    let log = std::fs::read_to_string(root.join("resnet18_power_log.log")).expect("reads");
    let mut last = f64::NEG_INFINITY;
    let mut lines = 0;
    for line in log.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), 3, "{line}");
        let (mv, ma): (f64, f64) = (fields[1].parse().expect("mV"), fields[2].parse().expect("mA"));
        assert!(fields[1].contains('.') && (4_000.0..30_000.0).contains(&mv) && ma > 0.0, "{line}");
        let seconds = stamp(fields[0]);
        // Over midnight the day changes.
        assert!(seconds >= last || last - seconds > 80_000.0, "{line}");
        (last, lines) = (seconds, lines + 1);
    }
    assert!(lines > 1_000, "{lines}");
    let parse = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(root.join(path)).expect("reads")).expect("parses")
    };
    let model = parse("resnet18_tensorrt.json");
    let latencies = model["latencies"].as_array().expect("a list");
    assert_eq!((latencies.len(), model["config"]["runs"].as_u64()), (3_000, Some(3_000)));
    assert_eq!(model["config"]["input_shape"], serde_json::json!([1, 3, 224, 224]));
    assert_eq!(model["config"]["dtype"], "float16");
    let mean = latencies.iter().map(|l| l.as_f64().expect("s")).sum::<f64>() / 3_000.0;
    assert!((mean - model["avg_latency"].as_f64().expect("s")).abs() < 1e-9 && (1e-4..1e-1).contains(&mean));
    assert!((model["avg_throughput"].as_f64().expect("rate") * mean - 1.0).abs() < 1e-6);
    let layers = parse("trt_profiling/trt_layer_latency.json");
    let engine_info = parse("trt_profiling/trt_engine_info.json");
    let names: Vec<&str> =
        engine_info["Layers"].as_array().expect("layers").iter().map(|l| l["Name"].as_str().expect("name")).collect();
    assert_eq!(layers.as_object().expect("an object").len(), names.len());
    for name in names {
        let entries = layers[name].as_array().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(entries.len(), 20);
        for entry in entries {
            assert!(entry[0].as_f64().expect("ms") >= 0.0);
            stamp(entry[1].as_str().expect("a stamp"));
        }
    }
    let verified = run(agent(home.path()).args(["verify", "raw_data/resnet18"]));
    assert_eq!(code(&verified), 0, "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn the_same_seed_leaves_the_same_measurements() {
    let texts = ["7", "7", "8"].map(|seed| {
        let home = folder();
        let output = run(&mut profile(home.path(), &["--runs", "200", "--simulate-fast", "--seed", seed]));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
        let first = content.samples[0].t_ns;
        content.samples.iter().map(|s| (s.t_ns - first, s.mv.to_bits(), s.ma.to_bits())).collect::<Vec<_>>()
    });
    assert!(texts[0] == texts[1] && texts[0] != texts[2]);
}

#[test]
fn the_reference_way_stamps_layers_in_callbacks_of_the_power_pass() {
    let home = folder();
    let extra = ["--runs", "50", "--simulate-fast", "--layer-stamps", "callback", "--layers-with-power"];
    assert_eq!(code(&run(&mut profile(home.path(), &extra))), 0);
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    assert_eq!((manifest.layer_times.stamp, manifest.layer_times.with_power), (LayerStamp::Callback, true));
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    let ends: Vec<u64> = content.inferences_of(Pass::Power).map(|span| span.end_ns).collect();
    assert_eq!(content.layers.len(), 50);
    for (cycle, runs) in &content.layers {
        let end = ends[*cycle as usize];
        assert!(runs.iter().all(|run| run.stamp_ns > end && run.stamp_ns < end + 20_000));
    }
}

#[test]
fn the_board_s_sensor_is_read_while_a_simulated_engine_runs() {
    let home = folder();
    orin_nano(home.path());
    let root = home.path().to_str().expect("UTF-8");
    let extra = ["--runs", "200", "--profiled", "5", "--source", "hwmon", "--root", root];
    let output = run(&mut profile(home.path(), &extra));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    assert_eq!(manifest.power.rails.len(), 3);
    let sensor = &manifest.power.rails[0].sensor;
    assert_eq!((sensor.samples, sensor.update_interval_ms, sensor.shunt_micro_ohm), (Some(512), Some(430), Some(5000)));
    assert_eq!(sensor.quantum_ma, Some(8.0));
    assert_eq!(manifest.board.power_mode_name.as_deref(), Some("MAXN_SUPER"));
    assert_eq!(manifest.board.power_modes.as_ref().map(|all| all.modes.len()), Some(2));
    assert_eq!(manifest.board.clocks.gpu_mhz, Some(1020.0));
    let (_, device) = shared::device::Hardware::of(&manifest);
    assert!(device.is_some_and(|name| name.mode() == Some("MAXN_SUPER")));
    assert!(manifest.checks.iter().any(|check| check.name == "jetpack"));
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(
        content
            .states
            .iter()
            .any(|s| s.temperatures_c == [("cpu-thermal".to_owned(), 48.125)] && s.gpu_load == Some(0.73))
    );
    let log = BufReader::new(std::fs::File::open(tiny(home.path()).power_log()).expect("opens"));
    assert!(PowerLogReader::new(log).all(|line| line.expect("reads").expect("a sample").power().0 > 5.4));
}

#[test]
fn a_folder_that_holds_a_run_is_not_written_over() {
    let home = folder();
    assert_eq!(code(&run(&mut profile(home.path(), &["--runs", "5", "--simulate-fast"]))), 0);
    let before = std::fs::read(tiny(home.path()).sample_log()).expect("reads");
    let again = run(&mut profile(home.path(), &["--runs", "5", "--simulate-fast"]));
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("already holds a run"), "{}", stderr(&again));
    assert_eq!(std::fs::read(tiny(home.path()).sample_log()).expect("reads"), before);
    // As a session does that still measures it.
    let log = std::fs::File::open(tiny(home.path()).sample_log()).expect("opens");
    log.try_lock().expect("nobody else has it");
    let beside = run(&mut profile(home.path(), &["--runs", "5", "--simulate-fast"]));
    assert_eq!(code(&beside), 2);
    assert!(stderr(&beside).contains("another session is measuring it"), "{}", stderr(&beside));
}

#[test]
fn idle_power_is_measured_with_its_error_and_an_earlier_log_kept() {
    let home = folder();
    for _ in 0..2 {
        let output =
            run(agent(home.path()).args(["idle", "--source", "simulated", "--duration", "300ms", "--format", "json"]));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let microwatts = json(&output)["avg_idle_power"].as_f64().expect("a number");
        assert!((microwatts - 4.2e6).abs() < 2e4, "{microwatts}");
    }
    assert!(home.path().join("raw_data/idling_power.json").exists());
    assert!(home.path().join("raw_data/idling_power.eplog.1").exists());
}

#[test]
fn a_recorded_run_is_replayed_and_can_be_measured_again() {
    let home = folder();
    assert_eq!(code(&run(&mut profile(home.path(), &["--runs", "300", "--simulate-fast"]))), 0);
    let replayed = run(agent(home.path()).args(["replay", "raw_data/tiny", "--speed", "0"]));
    assert_eq!(code(&replayed), 0);
    assert_eq!(replayed.stdout, std::fs::read(tiny(home.path()).power_log()).expect("reads"));
    let again =
        run(&mut profile(home.path(), &["--runs", "100", "--source", "replay:raw_data/tiny", "--result-dir", "again"]));
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    let manifest = Manifest::read(&RunFolder::new(&home.path().join("again"), "tiny").manifest()).expect("reads");
    assert_eq!(manifest.power.source, "replay");
    assert!(manifest.counts.samples > 10);
}

/// Without a sensor there are run times, and power is unknown: never zero.
#[test]
fn run_times_are_measured_without_a_power_source() {
    let home = tempfile::tempdir().expect("temporary folder");
    let cycles = ["--runs", "50", "--warmup", "2", "--profiled", "10"];
    let output = run(profile(home.path(), &cycles).args(["--source", "none"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("Complete, no power, 50 inferences"), "{}", stderr(&output));
    let folder = RunFolder::new(&home.path().join("raw_data"), "tiny");
    let manifest = Manifest::read(&folder.manifest()).expect("reads");
    assert_eq!((manifest.status, manifest.power.source.as_str()), (Status::Complete, "none"));
    assert_eq!((manifest.power.rails.len(), manifest.power.requested_hz), (0, None));
    assert_eq!((manifest.counts.samples, manifest.counts.power_inferences), (0, 50));
    assert_eq!(std::fs::read_to_string(folder.power_log()).expect("a power log"), "");
    let info = json(&run(agent(home.path()).args(["--format", "json", "info", "raw_data/tiny"])));
    assert!(info["mean_power_w"].is_null() && info["cycle_energy_mj"].is_null(), "{info}");
    assert!(info["latency_ms"].as_f64().is_some_and(|ms| ms > 0.3), "{info}");
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/tiny"]))), 0);
    // What reads power alone has nothing to do, and what attributes power has none.
    assert_eq!(code(&run(agent(home.path()).args(["idle", "--source", "none"]))), 2);
    let design = run(profile(home.path(), &cycles).args(["--source", "none", "--design", "pauses"]));
    assert_eq!(code(&design), 4, "{}", stderr(&design));
    assert!(stderr(&design).contains("has no power"), "{}", stderr(&design));
}
