//! Run folders for tests, and the commands that read them.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs `align` on a folder of runs, or `dataset` on what that wrote.
pub(super) fn host_trainer(command: &str, folder: &Path, results: &Path, options: &[&str]) -> Output {
    let option = if command == "align" { "--raw-data-dir" } else { "--preprocessed-data-dir" };
    Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .args([command, option])
        .arg(folder)
        .arg("--result-dir")
        .arg(results)
        .args(options)
        .output()
        .unwrap()
}

/// The alignment report of the only run in a folder.
pub(super) fn quality(raw: &Path, options: &[&str]) -> Value {
    let results = tempfile::tempdir().unwrap();
    let output = host_trainer("align", raw, results.path(), &[options, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone()
}

/// Writes a run folder as EdgeProfiler does: power log, layer times and idle power in W. The run's folder.
pub(super) fn write_run(root: &Path, model: &str, power: &[u8], latency: &[u8], idle_w: f64) -> PathBuf {
    let folder = root.join(model);
    fs::create_dir_all(folder.join("trt_profiling")).unwrap();
    fs::write(folder.join(format!("{model}_power_log.log")), power).unwrap();
    fs::write(folder.join("trt_profiling/trt_layer_latency.json"), latency).unwrap();
    let idle = format!("{{\"timestamp\": \"20250128-133619\", \"avg_idle_power\": {}}}", idle_w * 1e6);
    fs::write(root.join("idling_power.json"), idle).unwrap();
    folder
}
