//! ONNX Runtime. Tests with the real library are ignored by default; `cargo test -- --ignored onnxruntime` runs them with the
//! library that `JETSON_AGENT_ONNXRUNTIME` names.

use crate::onnx_file::{bytes, initializer, integers, node, number, value};
use crate::support::{agent, code, orin_nano, run, stderr};
use shared::run_folder::{Manifest, Pass, RunFolder, Status, read_sample_log};
use std::path::Path;

/// A convolution of 16 filters (the library pads to its block of 8 or 16) with stride 2, a maximum pool, a flattening and a matrix product, for 3×32×32 inputs.
pub(crate) fn small_model() -> Vec<u8> {
    let graph = [
        node("Conv", "conv", &["x", "w"], "c", &[integers("strides", &[2, 2]), integers("pads", &[1, 1, 1, 1])]),
        node("MaxPool", "pool", &["c"], "p", &[integers("kernel_shape", &[2, 2]), integers("strides", &[2, 2])]),
        node("Flatten", "flat", &["p"], "f", &[]),
        node("Gemm", "fc", &["f", "m"], "y", &[]),
        bytes(2, b"small"),
        bytes(5, &initializer("w", &[16, 3, 3, 3])),
        bytes(5, &initializer("m", &[1024, 10])),
        bytes(11, &value("x", &[1, 3, 32, 32])),
        bytes(13, &value("c", &[1, 16, 16, 16])),
        bytes(13, &value("p", &[1, 16, 8, 8])),
        bytes(13, &value("f", &[1, 1024])),
        bytes(12, &value("y", &[1, 10])),
    ];
    [number(1, 8), bytes(8, &number(2, 17)), bytes(7, &graph.concat())].concat()
}

/// Convolutions that do not depend on each other, each of four times the work of the one before.
fn branches() -> Vec<u8> {
    let side = |branch: u32| 8_u64 << branch;
    let mut graph = vec![bytes(2, b"branches")];
    for branch in 0..BRANCHES {
        let name = |part: &str| format!("{part}{branch}");
        let (x, y, w, conv) = (name("x"), name("y"), name("w"), name("conv"));
        let pads = [integers("pads", &[1, 1, 1, 1])];
        graph.push(node("Conv", &conv, &[&x, &w], &y, &pads));
        graph.push(bytes(5, &initializer(&w, &[32, 32, 3, 3])));
        graph.push(bytes(11, &value(&x, &[1, 32, side(branch), side(branch)])));
        graph.push(bytes(12, &value(&y, &[1, 32, side(branch), side(branch)])));
    }
    [number(1, 8), bytes(8, &number(2, 17)), bytes(7, &graph.concat())].concat()
}

/// Branches of that model.
const BRANCHES: u32 = 5;

fn profile(home: &Path, library: &str) -> std::process::Output {
    orin_nano(home);
    std::fs::write(home.join("small.onnx"), small_model()).expect("writes");
    run(agent(home)
        .args(["--root", home.to_str().expect("UTF-8"), "profile", "--runner", "onnxruntime", "--onnxruntime", library])
        .args([
            "--onnx",
            "small.onnx",
            "--source",
            "hwmon",
            "--idle",
            "20ms",
            "--runs",
            "300",
            "--warmup",
            "5",
            "--profiled",
            "20",
        ]))
}

/// The library to test with.
pub(crate) fn library() -> String {
    std::env::var("JETSON_AGENT_ONNXRUNTIME").expect("JETSON_AGENT_ONNXRUNTIME names a libonnxruntime.so")
}

#[test]
#[ignore = "needs the library that JETSON_AGENT_ONNXRUNTIME names"]
fn a_model_runs_on_the_cpu_with_real_node_times() {
    let library = library();
    let home = tempfile::tempdir().expect("temporary folder");
    let output = profile(home.path(), &library);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let run_folder = RunFolder::new(&home.path().join("raw_data"), "small");
    let manifest = Manifest::read(&run_folder.manifest()).expect("reads");
    assert_eq!((manifest.status, manifest.runner.runner.as_str()), (Status::Complete, "onnxruntime"));
    assert_eq!(manifest.runner.shapes["x"], [1, 3, 32, 32]);
    let content = read_sample_log(&run_folder.sample_log()).expect("reads");
    let spans: Vec<_> = content.inferences_of(Pass::Power).collect();
    assert_eq!(spans.len(), 300);
    assert!(spans.windows(2).all(|pair| pair[0].end_ns <= pair[1].start_ns));
    assert_eq!(content.layers.len(), 20);
    let profiled: Vec<_> = content.inferences_of(Pass::Profiled).collect();
    for ((cycle, runs), span) in content.layers.iter().zip(&profiled) {
        assert_eq!((*cycle, runs.len()), (span.cycle, manifest.layers.len()));
        let layers: f64 = runs.iter().map(|run| f64::from(run.ms)).sum();
        // The profile counts whole microseconds, a node each.
        assert!(layers <= (span.end_ns - span.start_ns) as f64 * 1e-6 + runs.len() as f64 * 1e-3, "cycle {cycle}");
        assert!(runs.windows(2).all(|pair| pair[0].stamp_ns <= pair[1].stamp_ns));
    }
    let (engine, _) = shared::engine::read(&run_folder.engine_info()).expect("reads");
    // The library renames what it fuses and reorders; the convolution comes first whatever its name.
    let conv = &engine.layers[0];
    assert_eq!(conv.kind, shared::engine::LayerKind::Convolution, "{conv:?}");
    assert_eq!((&conv.kernel, &conv.stride, conv.out_maps), (&Some(vec![3, 3]), &Some(vec![2, 2]), Some(16)));
    let pool = engine.layers.iter().find(|layer| layer.kind == shared::engine::LayerKind::Pooling).expect("a pooling");
    assert_eq!((&pool.kernel, &pool.stride), (&Some(vec![2, 2]), &Some(vec![2, 2])), "{pool:?}");
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/small"]))), 0);
}

/// The library orders such branches differently from session to session: times have to go with the layers that took them.
#[test]
#[ignore = "needs the library that JETSON_AGENT_ONNXRUNTIME names"]
fn times_go_with_the_layers_that_took_them() {
    let (library, home) = (library(), tempfile::tempdir().expect("temporary folder"));
    std::fs::write(home.path().join("branches.onnx"), branches()).expect("writes");
    for attempt in 0..6 {
        let name = format!("run{attempt}");
        let output = run(agent(home.path())
            .args(["profile", "--runner", "onnxruntime", "--onnxruntime", &library, "--onnx", "branches.onnx"])
            .args(["--source", "none", "--idle", "0s", "--runs", "12", "--warmup", "1", "--profiled", "12"])
            .args(["--name", &name]));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let run_folder = RunFolder::new(&home.path().join("raw_data"), &name);
        let manifest = Manifest::read(&run_folder.manifest()).expect("reads");
        let (engine, _) = shared::engine::read(&run_folder.engine_info()).expect("reads");
        let names: Vec<&str> = engine.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(manifest.layers, names);
        let content = read_sample_log(&run_folder.sample_log()).expect("reads");
        let median = |place: usize| {
            let mut ms: Vec<f32> = content.layers.iter().map(|(_, runs)| runs[place].ms).collect();
            ms.sort_by(f32::total_cmp);
            ms[ms.len() / 2]
        };
        let convolutions = engine.layers.iter().enumerate().filter(|(_, layer)| layer.kernel.is_some());
        let mut found: Vec<(u64, f32)> = convolutions
            .map(|(place, layer)| (layer.outputs[0].dims.iter().product::<i64>() as u64, median(place)))
            .collect();
        found.sort_unstable_by_key(|conv| conv.0);
        assert_eq!(found.len(), BRANCHES as usize, "{names:?}");
        assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].1), "{found:?}");
    }
}

#[test]
fn a_missing_library_is_named() {
    let home = tempfile::tempdir().expect("temporary folder");
    let output = profile(home.path(), "/nonexistent/libonnxruntime.so");
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("--onnxruntime"), "{}", stderr(&output));
}

#[test]
#[ignore = "needs the library that JETSON_AGENT_ONNXRUNTIME names"]
fn a_broken_model_is_named() {
    let home = tempfile::tempdir().expect("temporary folder");
    orin_nano(home.path());
    let library = library();
    std::fs::write(home.path().join("broken.onnx"), "no model").expect("writes");
    let output = run(agent(home.path())
        .args(["--root", home.path().to_str().expect("UTF-8"), "profile", "--runner", "onnxruntime"])
        .args(["--onnxruntime", &library, "--onnx", "broken.onnx", "--source", "hwmon"]));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(!home.path().join("raw_data/broken/manifest.json").exists());
}
