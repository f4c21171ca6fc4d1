//! The `trtexec` runner against a stand-in that takes its options and writes its formats.

use crate::support::{agent, code, ina3221, run, stderr, unreadable};
use shared::run_folder::{LayerStamp, Manifest, Pass, RunFolder, Status, read_layer_latencies, read_sample_log};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in/trtexec");

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("temporary folder");
    crate::support::orin_nano(home.path());
    std::fs::write(home.path().join("model.onnx"), "a model").expect("writes");
    home
}

fn profile(home: &Path, fault: &str, extra: &[&str]) -> Command {
    let mut command = agent(home);
    command.env("JETSON_AGENT_STAND_IN", fault).args(["--root", home.to_str().expect("UTF-8")]);
    command.args([
        "profile",
        "--trtexec",
        STAND_IN,
        "--name",
        "net",
        "--idle",
        "20ms",
        "--runs",
        "100",
        "--warmup",
        "10",
    ]);
    command.args(["--profiled", "50"]).args(extra);
    command
}

fn net(home: &Path) -> RunFolder {
    RunFolder::new(&home.join("raw_data"), "net")
}

#[test]
fn an_onnx_model_is_built_run_for_power_and_profiled() {
    let home = home();
    let output = run(&mut profile(
        home.path(),
        "none",
        &["--onnx", "model.onnx", "--shape", "input:1x3x224x224", "--batch", "8"],
    ));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest = Manifest::read(&net(home.path()).manifest()).expect("reads");
    assert_eq!((manifest.status, manifest.runner.version.as_deref()), (Status::Complete, Some("10.3.0")));
    assert!(
        manifest.runner.command.contains(&"--shapes=input:8x3x224x224".to_owned()),
        "{:?}",
        manifest.runner.command
    );
    assert!(manifest.runner.command.contains(&"--fp16".to_owned()));
    assert_eq!((manifest.layer_times.stamp, manifest.layer_times.cycles_per_entry), (LayerStamp::PassAverage, 50));
    let content = read_sample_log(&net(home.path()).sample_log()).expect("reads");
    // The warm-up ran in the same process and is left out.
    let spans: Vec<_> = content.inferences_of(Pass::Power).collect();
    assert_eq!((spans.len(), spans[0].cycle), (100, 0));
    let power = manifest.passes.iter().find(|p| p.pass == Pass::Power).expect("a power pass");
    assert!(spans.iter().all(|s| s.start_ns >= power.start_ns && s.end_ns <= power.end_ns));
    assert!(content.samples.iter().any(|s| s.t_ns > power.start_ns && s.t_ns < power.end_ns));
    assert_eq!(content.layers.len(), 1);
    let latencies = read_layer_latencies(&net(home.path()).layer_latency()).expect("reads");
    assert_eq!(latencies.layers.len(), 26);
    assert!((latencies.layers[2].1[0].duration.0 - 0.03).abs() < 1e-6);
    assert!(net(home.path()).path().join("trtexec/trtexec_build.log").exists());
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/net"]))), 0);
}

#[test]
fn an_older_trtexec_is_asked_in_its_own_words() {
    let home = home();
    let output = run(&mut profile(home.path(), "old", &["--onnx", "model.onnx"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest = Manifest::read(&net(home.path()).manifest()).expect("reads");
    // `printf 'a model' | sha256sum`
    let hash = "97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c";
    assert_eq!(manifest.runner.source_sha256.as_deref(), Some(hash));
}

#[test]
fn ctrl_c_ends_the_engine_and_seals_the_run() {
    let home = home();
    std::fs::write(home.path().join("net.engine"), "an engine").expect("writes");
    let mut child = profile(home.path(), "hang", &["--engine", "net.engine"]).spawn().expect("starts");
    let log = net(home.path()).path().join("trtexec/trtexec_power.log");
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Starting inference")) {
        assert!(child.try_wait().expect("waits").is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().expect("waits").code(), Some(130));
    let manifest = Manifest::read(&net(home.path()).manifest()).expect("reads");
    assert_eq!(manifest.status, Status::Interrupted);
}

#[test]
fn every_fault_is_told_with_its_code_and_what_was_measured_kept() {
    // Fault, exit code, what is said, whether a run was begun before it came.
    let cases = [
        ("wrong-engine", 3, "TensorRT version and the GPU", false),
        ("crash", 4, "killed by signal 11", true),
        ("garbage", 4, "times.json", true),
        ("no-export", 4, "times.json", true),
        ("hang", 4, "did not end within", true),
    ];
    for (fault, exit, says, begun) in cases {
        let home = home();
        std::fs::write(home.path().join("net.engine"), "an engine").expect("writes");
        // Short enough for a test, long enough for a busy machine to load the engine in.
        let limit = if fault == "hang" { "8s" } else { "30m" };
        let output = run(&mut profile(home.path(), fault, &["--engine", "net.engine", "--run-timeout", limit]));
        assert_eq!(code(&output), exit, "{fault}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{fault}: {}", stderr(&output));
        assert_eq!(net(home.path()).manifest().exists(), begun, "{fault}");
        if begun {
            let manifest = Manifest::read(&net(home.path()).manifest()).expect("reads");
            assert_eq!(manifest.status, Status::Failed, "{fault}");
            let content = read_sample_log(&net(home.path()).sample_log()).expect("reads");
            assert!(content.counts.samples > 0 && content.seal == Some(content.counts), "{fault}");
        }
    }
    let home = home();
    let output = run(&mut profile(home.path(), "bad-onnx", &["--onnx", "model.onnx"]));
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("unsupported"), "{}", stderr(&output));
    let output = run(&mut profile(home.path(), "none", &["--engine", "absent.engine"]));
    assert_ne!(code(&output), 0);
    let output = run(agent(home.path()).args(["profile", "--trtexec", "/nonexistent", "--engine", "x"]));
    assert_eq!(code(&output), 4);
}

#[test]
fn killing_the_agent_leaves_no_engine_running() {
    let home = home();
    std::fs::write(home.path().join("net.engine"), "an engine").expect("writes");
    let mut child = profile(home.path(), "hang", &["--engine", "net.engine"]).spawn().expect("starts");
    let log = net(home.path()).path().join("trtexec/trtexec_power.log");
    let children = |parent: u32| -> Vec<u32> {
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|id| id.parse().ok())
            .collect()
    };
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Starting inference")) {
        assert!(child.try_wait().expect("waits").is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    let engines = children(child.id());
    child.kill().expect("kills");
    child.wait().expect("waits");
    for _ in 0..1_000 {
        let alive = engines.iter().any(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            !(stat.is_empty() || stat.contains(") Z ") || stat.contains(") X "))
        });
        if !alive {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{engines:?} are still there");
}

/// `auto` goes without power where there is no sensor, and says so; a sensor that is there and fails is a failure.
#[test]
fn a_machine_without_a_sensor_is_measured_with_a_warning() {
    let home = tempfile::tempdir().expect("temporary folder");
    std::fs::write(home.path().join("model.onnx"), "a model").expect("writes");
    let measure = || run(&mut profile(home.path(), "none", &["--onnx", "model.onnx"]));
    let output = measure();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("run times alone are measured, and no power: "), "{}", stderr(&output));
    let manifest = Manifest::read(&net(home.path()).manifest()).expect("reads");
    assert_eq!((manifest.power.source.as_str(), manifest.counts.samples), ("none", 0));
    ina3221(home.path(), 1, "1", &[("VDD_IN", "5008", "1096", "5000")]);
    unreadable(home.path(), "sys/class/hwmon/hwmon1/curr1_input");
    std::fs::rename(home.path().join("raw_data"), home.path().join("before")).expect("renames");
    let output = measure();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("--source none measures run times alone"), "{}", stderr(&output));
}
