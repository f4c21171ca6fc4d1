//! TensorRT in process against a library of ours, compiled against the headers that the agent was compiled against. It shows
//! that the plumbing works: loading, shapes, memory, deferred profiling, errors. It shows nothing about TensorRT.

use crate::support::{agent, code, orin_nano, run, stderr};
use shared::run_folder::{Manifest, Pass, RunFolder, Status, read_sample_log};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in");

/// The libraries, built once for all tests.
fn libraries() -> &'static (tempfile::TempDir, PathBuf, PathBuf) {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("temporary folder");
        let include = std::env::var("TENSORRT_INCLUDE_DIR").expect("TENSORRT_INCLUDE_DIR, as for the build");
        let cuda_include = std::env::var("CUDA_INCLUDE_DIR").expect("CUDA_INCLUDE_DIR, as for the build");
        let stubs = Command::new("python3").args([&format!("{STAND_IN}/nvinfer_stubs.py"), &include]).output();
        let stubs = stubs.expect("python3 runs");
        assert!(stubs.status.success(), "{}", String::from_utf8_lossy(&stubs.stderr));
        std::fs::write(folder.path().join("nvinfer_stubs.h"), stubs.stdout).expect("writes");
        let (cuda, nvinfer) = (folder.path().join("cuda.so"), folder.path().join("nvinfer.so"));
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&cuda).arg(format!("{STAND_IN}/cuda.c")).status();
        assert!(built.expect("cc runs").success());
        let built = Command::new("c++")
            .args(["-std=c++17", "-shared", "-fPIC", "-w", "-I", &include, "-I", &cuda_include, "-I"])
            .arg(folder.path())
            .arg("-o")
            .arg(&nvinfer)
            .arg(format!("{STAND_IN}/nvinfer.cpp"))
            .status();
        assert!(built.expect("c++ runs").success());
        (folder, cuda, nvinfer)
    })
}

fn profile(home: &Path, engine: &str, extra: &[&str], environment: &[(&str, &str)]) -> Output {
    let (_, cuda, nvinfer) = libraries();
    orin_nano(home);
    std::fs::write(home.join("net.engine"), engine).expect("writes");
    run(agent(home)
        .args(["--root", home.to_str().expect("UTF-8"), "profile", "--runner", "tensorrt", "--engine", "net.engine"])
        .arg("--tensorrt-library")
        .arg(nvinfer)
        .arg("--cuda-library")
        .arg(cuda)
        .args(["--source", "hwmon", "--idle", "20ms", "--runs", "200", "--warmup", "3", "--profiled", "30"])
        .args(extra)
        .envs(environment.iter().copied()))
}

const SHAPE: [&str; 2] = ["--shape", "x:1x3x8x8"];

#[test]
fn an_engine_is_run_with_deferred_profiling() {
    let home = tempfile::tempdir().expect("temporary folder");
    let output = profile(home.path(), "STAND-IN engine", &SHAPE, &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let run_folder = RunFolder::new(&home.path().join("raw_data"), "net");
    let manifest = Manifest::read(&run_folder.manifest()).expect("reads");
    assert_eq!((manifest.status, manifest.runner.runner.as_str()), (Status::Complete, "tensorrt"));
    assert_eq!(manifest.layers, ["conv1 + relu1", "pool1", "conv1 + relu1"]);
    let content = read_sample_log(&run_folder.sample_log()).expect("reads");
    assert_eq!((content.counts.power_inferences, content.counts.layer_cycles), (200, 30));
    let profiled: Vec<_> = content.inferences_of(Pass::Profiled).collect();
    for ((cycle, runs), span) in content.layers.iter().zip(&profiled) {
        assert_eq!((*cycle, runs.iter().map(|r| r.ms).collect::<Vec<_>>()), (span.cycle, vec![0.3, 0.1, 0.2]));
        // Ends are laid out from the inference's start: 0.3, 0.4 and 0.6 ms after it.
        let ends: Vec<u64> = runs.iter().map(|r| (r.stamp_ns - span.start_ns + 500) / 1_000).collect();
        assert_eq!(ends, [300, 400, 600]);
        assert!(runs[2].stamp_ns <= span.end_ns);
    }
    let (engine, _) = shared::engine::read(&run_folder.engine_info()).expect("reads");
    assert_eq!(engine.layers.len(), 3);
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/net"]))), 0);
}

#[test]
fn what_cannot_run_is_told_and_nothing_broken_is_used() {
    type Environment = &'static [(&'static str, &'static str)];
    // Engine, arguments, environment, exit code, what is said.
    let cases: [(&str, &[&str], Environment, i32, &str); 7] = [
        ("no engine", &SHAPE, &[], 3, "magicTag"),
        ("STAND-IN engine", &[], &[], 3, "--shape x:"),
        ("STAND-IN engine", &["--shape", "x:1x3"], &[], 3, "does not take the shape"),
        ("STAND-IN engine", &SHAPE, &[("STAND_IN_TENSORRT", "no-runtime")], 4, "no runtime"),
        ("STAND-IN engine", &SHAPE, &[("STAND_IN_TENSORRT", "version")], 4, "compiled against"),
        // Without CUDA the real runtime was a pointer to nothing; it must not be asked for.
        (
            "STAND-IN engine",
            &SHAPE,
            &[("STAND_IN_CUDA", "35"), ("STAND_IN_TENSORRT", "broken-runtime")],
            4,
            "older than this CUDA",
        ),
        ("STAND-IN engine", &SHAPE, &[("STAND_IN_CUDA", "100")], 4, "no device"),
    ];
    for (engine, extra, environment, exit, says) in cases {
        let home = tempfile::tempdir().expect("temporary folder");
        let output = profile(home.path(), engine, extra, environment);
        assert_eq!(code(&output), exit, "{says}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{says}: {}", stderr(&output));
        assert!(!home.path().join("raw_data/net/manifest.json").exists(), "{says}");
    }
    let home = tempfile::tempdir().expect("temporary folder");
    let output = profile(home.path(), "STAND-IN engine", &SHAPE, &[("STAND_IN_TENSORRT", "failing")]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    let manifest = Manifest::read(&home.path().join("raw_data/net/manifest.json")).expect("reads");
    assert_eq!(manifest.status, Status::Failed);
}
