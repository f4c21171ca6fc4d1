//! Experiments of several runs: what they identify, and that they go on where they were cut off.

use crate::onnx_file::{bytes, initializer, integers, node, number, value};
use crate::support::{agent, code, orin_nano, profile, run, stderr, wait_until};
use jetson_agent::session::settled_means;
use shared::run_folder::{Change, Design, DesignKind, DesignStep, Manifest, Pass, RunFolder, Status, read_sample_log};
use simulate::Truth;
use std::path::Path;
use std::process::{Output, Stdio};

fn tiny(home: &Path) -> RunFolder {
    RunFolder::new(&home.join("raw_data"), "tiny")
}

fn manifest(run: &RunFolder) -> Manifest {
    Manifest::read(&run.manifest()).expect("reads")
}

fn further(home: &Path, step: &DesignStep) -> RunFolder {
    RunFolder::at(&tiny(home).path().join(&step.folder)).expect("a run folder")
}

fn design(home: &Path) -> Design {
    manifest(&tiny(home)).design.expect("an experiment")
}

/// Behind JetPack's setting of the INA3221 no reading shows anything but the mean over 0.4 s. Pauses show what the board draws
/// while no layer runs.
#[test]
fn pauses_identify_the_power_outside_layers_behind_a_lag_of_half_a_second() {
    let home = tempfile::tempdir().expect("temporary folder");
    std::fs::write(home.path().join("spoil.json"), r#"{"host_gap_power": 3.1, "pause_power": 3.1}"#).expect("writes");
    let engine = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");
    let output = run(agent(home.path()).args(["profile", "--runner", "simulated", "--engine-info", engine]).args([
        "--name",
        "tiny",
        "--simulate-fast",
        "--simulate-load",
        "spoil.json",
        "--simulate-sensor",
        "ina3221-boot",
        "--runs",
        "8000",
        "--profiled",
        "50",
        "--design",
        "pauses",
        "--design-time",
        "10m",
    ]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let design = design(home.path());
    assert_eq!(design.steps.len(), 3);
    // Five time constants of 512 · 0.84 ms.
    assert!((design.steps[0].settled_after.0 - 2_158.0).abs() < 5.0, "{design:?}");
    for step in &design.steps {
        let further = further(home.path(), step);
        let manifest = manifest(&further);
        let Change::Pause { pause } = step.change else { panic!("{step:?}") };
        assert_eq!((step.status, manifest.status), (Some(Status::Complete), Status::Complete));
        assert_eq!(manifest.runner.pause_us, Some(pause.0));
        assert_eq!(manifest.counts.power_inferences, u64::from(step.cycles));
        let spans: Vec<_> = read_sample_log(&further.sample_log()).expect("reads").inferences_of(Pass::Power).collect();
        assert!(spans.windows(2).all(|pair| (pair[1].start_ns - pair[0].end_ns) as f64 > pause.0 * 1e3));
    }
    let outside = design.outside.expect("three runs and more settled");
    assert_eq!(outside.runs, 4);
    assert!((outside.watts.0 - 3.1).abs() < 0.06 && outside.deviation.0 < 0.06, "{outside:?}");
    assert!(stderr(&output).contains("power outside layers 3."), "{}", stderr(&output));
    // The main run is a run like any other.
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/tiny"]))), 0);
}

/// Without averaging the board's sensor settles at once.
fn settle_at_once(root: &Path) {
    for (name, value) in [("samples", "1"), ("update_interval", "1")] {
        std::fs::write(root.join("sys/class/hwmon/hwmon1").join(name), value).expect("writes");
    }
}

const QUICK: [&str; 10] =
    ["--runs", "300", "--profiled", "5", "--design", "pauses", "--design-time", "600ms", "--simulate-sensor", "ideal"];

#[test]
fn an_experiment_goes_on_where_it_was_killed() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut command = profile(home.path(), &QUICK);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    // Killed while the second of three further runs goes on.
    let folders = || -> Vec<RunFolder> {
        let Ok(Some(design)) = Manifest::read(&tiny(home.path()).manifest()).map(|manifest| manifest.design) else {
            return Vec::new();
        };
        let at = |folder: &String| RunFolder::at(&tiny(home.path()).path().join(folder)).expect("a run folder");
        design.steps.iter().map(|step| at(&step.folder)).collect()
    };
    wait_until(&mut child, "the second further run goes on", || {
        folders().get(1).is_some_and(|further| further.manifest().exists())
    });
    child.kill().expect("kills");
    child.wait().expect("waits");
    let kept = [tiny(home.path()).sample_log(), folders()[0].sample_log()];
    let before = kept.clone().map(|path| std::fs::read(path).expect("reads"));
    let second = run(&mut profile(home.path(), &QUICK));
    assert_eq!(code(&second), 0, "{}", stderr(&second));
    assert_eq!(kept.map(|path| std::fs::read(path).expect("reads")), before, "a finished run was measured again");
    let design = design(home.path());
    assert!(design.steps.iter().all(|step| step.status == Some(Status::Complete)), "{design:?}");
    assert!(design.outside.is_some());
    let aside: Vec<_> = std::fs::read_dir(tiny(home.path()).path().join("design"))
        .expect("reads")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".cut-off-pause"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    // Done: nothing is measured again, and the answer is the same.
    let third = run(&mut profile(home.path(), &QUICK));
    assert_eq!(code(&third), 0, "{}", stderr(&third));
    assert_eq!(self::design(home.path()), design);
}

/// An imitated Orin Nano with a model.
fn board_with_model(home: &Path, model: impl AsRef<[u8]>) {
    orin_nano(home);
    settle_at_once(home);
    std::fs::write(home.join("model.onnx"), model).expect("writes");
}

/// Profiles the model as an experiment of several runs, with the stand-in for trtexec.
fn with_trtexec(home: &Path, name: &str, design: &str, time: &str) -> Output {
    let stand_in = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in/trtexec");
    let output = run(agent(home)
        .args(["--root", home.to_str().expect("UTF-8"), "profile", "--trtexec", stand_in, "--onnx", "model.onnx"])
        .args(["--name", name, "--runs", "100", "--profiled", "10", "--idle", "20ms"])
        .args(["--design", design, "--design-time", time]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    output
}

#[test]
fn trtexec_waits_for_whole_milliseconds_and_builds_the_engine_once() {
    let home = tempfile::tempdir().expect("temporary folder");
    board_with_model(home.path(), "a model");
    with_trtexec(home.path(), "tiny", "pauses", "300ms");
    let engine = "--loadEngine=raw_data/tiny/trtexec/model.engine".to_owned();
    let mut pauses = Vec::new();
    for step in design(home.path()).steps {
        let manifest = manifest(&further(home.path(), &step));
        assert!(manifest.runner.command.contains(&engine), "{:?}", manifest.runner);
        pauses.push(manifest.runner.pause_us.expect("a pause"));
    }
    // A half, one and two of its two milliseconds, in whole ones.
    assert_eq!(pauses, [1_000.0, 2_000.0, 4_000.0]);
}

/// Layers of 10 to 90 µs behind a filter of 0.43 s: looped one by one, each is a steady load.
#[test]
fn loops_identify_single_layers_behind_a_lag_of_half_a_second() {
    let home = tempfile::tempdir().expect("temporary folder");
    let load = r#"{"pause_power": 5.0, "launch": 0.01, "collect": 0.005, "host_gap": 0.03}"#;
    std::fs::write(home.path().join("spoil.json"), load).expect("writes");
    let engine = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");
    let measure = |choice: &str| {
        run(agent(home.path()).args(["profile", "--runner", "simulated", "--engine-info", engine]).args([
            "--name",
            "tiny",
            "--simulate-fast",
            "--simulate-load",
            "spoil.json",
            "--simulate-sensor",
            "ina3221-boot",
            "--runs",
            "3000",
            "--profiled",
            "50",
            "--design",
            choice,
            "--design-time",
            "10m",
        ]))
    };
    // The sensor settles slowly: what is chosen is loops.
    let output = measure("auto");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let design = design(home.path());
    assert_eq!(design.kind, DesignKind::Loops);
    let outside = design.outside.expect("pauses come first").watts.0;
    assert!((outside - 5.0).abs() < 0.06, "{outside}");
    let truth: Truth =
        serde_json::from_slice(&std::fs::read(tiny(home.path()).truth()).expect("reads")).expect("parses");
    let busy: Vec<usize> =
        truth.layers.iter().filter(|layer| layer.duration_ms > 0.0).map(|layer| layer.index).collect();
    let (mut looped, mut worst) = (Vec::new(), 0.0_f64);
    for step in &design.steps {
        let Change::Loop { layers, alone, network, .. } = &step.change else { continue };
        looped.extend(layers.clone());
        assert!(step.change.is_comparable(), "{step:?}");
        let (alone, network) = (alone.expect("a time"), network.expect("a time"));
        assert!((alone.0 / network.0 - 1.0).abs() < 0.02, "{step:?}");
        let further = further(home.path(), step);
        let (power, period) = settled_means(&further, step.settled_after).expect("reads").expect("has settled");
        let watts = ((power * period).0 - outside * (period.0 - alone.0)) / alone.0;
        let truth: Truth = serde_json::from_slice(&std::fs::read(further.truth()).expect("reads")).expect("parses");
        assert_eq!(truth.layers.len(), 1);
        worst = worst.max((watts / truth.layers[0].power_w - 1.0).abs());
    }
    // Layers alike are looped once and stand for all of their kind; those that launch nothing are not looped.
    looped.sort_unstable();
    assert_eq!(looped, busy);
    assert!(design.steps.len() < busy.len(), "{} steps, {} layers", design.steps.len(), busy.len());
    assert!(worst < 0.03, "{worst}");
    assert_eq!(code(&measure("auto")), 0);
    assert_eq!(code(&measure("pauses")), 2, "another experiment in the same folder is refused");
}

/// The energy of stretches of layers, as differences of prefixes behind a filter of 0.43 s.
#[test]
fn prefixes_identify_stretches_of_layers_behind_a_lag_of_half_a_second() {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");
    let output = run(agent(home.path()).args(["profile", "--runner", "simulated", "--engine-info", engine]).args([
        "--name",
        "tiny",
        "--simulate-fast",
        "--simulate-sensor",
        "ina3221-boot",
        "--runs",
        "40000",
        "--profiled",
        "50",
        "--design",
        "prefixes",
        "--design-time",
        "5m",
    ]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let design = design(home.path());
    assert_eq!(design.kind, DesignKind::Prefixes);
    let main = tiny(home.path());
    let truth: Truth = serde_json::from_slice(&std::fs::read(main.truth()).expect("reads")).expect("parses");
    let settled_after = design.steps[0].settled_after;
    let energy = |run: &RunFolder| {
        let (power, period) = settled_means(run, settled_after).expect("reads").expect("has settled");
        (power * period).0
    };
    let mut ends: Vec<(usize, f64)> = Vec::new();
    for step in &design.steps {
        let Change::Prefix { first_layers, .. } = step.change else { panic!("{step:?}") };
        assert!(step.change.is_comparable(), "{step:?}");
        let further = further(home.path(), step);
        assert_eq!(manifest(&further).layers, manifest(&main).layers[..first_layers]);
        ends.push((first_layers, energy(&further)));
    }
    ends.push((truth.layers.len(), energy(&main)));
    assert!(ends.len() >= 6, "{ends:?}");
    for pair in ends.windows(2) {
        let between = &truth.layers[pair[0].0..pair[1].0];
        // A microsecond of the host stands before each layer.
        let wanted: f64 = between.iter().map(|layer| layer.energy_mj + 5.0 * 1e-3).sum();
        let found = pair[1].1 - pair[0].1;
        assert!((found - wanted).abs() < 0.15 * wanted + 0.1, "{pair:?}: {found} {wanted}");
    }
}

/// The first layers of the sample engine, as an ONNX model with shapes left open: the engine info knows them.
fn stem() -> Vec<u8> {
    let graph = [
        node(
            "Conv",
            "stem/Conv",
            &["input", "w"],
            "c",
            &[integers("strides", &[2, 2]), integers("pads", &[3, 3, 3, 3])],
        ),
        node("Relu", "stem/Relu", &["c"], "stem/Relu_output_0", &[]),
        node("MaxPool", "stem/MaxPool", &["stem/Relu_output_0"], "y", &[integers("kernel_shape", &[3, 3])]),
        bytes(2, b"stem"),
        bytes(5, &initializer("w", &[64, 3, 7, 7])),
        bytes(11, &value("input", &[1, 3, 224, 224])),
        bytes(12, &value("y", &[1, 64, 56, 56])),
    ];
    [number(1, 8), bytes(8, &number(2, 17)), bytes(7, &graph.concat())].concat()
}

#[test]
fn trtexec_loops_the_layers_that_the_model_has() {
    let home = tempfile::tempdir().expect("temporary folder");
    board_with_model(home.path(), stem());
    let output = with_trtexec(home.path(), "tiny", "loops", "1s");
    // What is not in the model is said, the reformatting layers among it.
    assert!(stderr(&output).contains("Reformatting CopyNode for Input Tensor 0 to stem/Conv + stem/Relu: not looped"));
    let loops: Vec<DesignStep> =
        design(home.path()).steps.into_iter().filter(|step| matches!(step.change, Change::Loop { .. })).collect();
    let mut names = Vec::new();
    for step in &loops {
        let manifest = manifest(&further(home.path(), step));
        let model = "--onnx=raw_data/tiny/design/models/loop-";
        assert!(manifest.runner.command.iter().any(|word| word.starts_with(model)), "{:?}", manifest.runner.command);
        let Change::Loop { layers, same_tactic, .. } = &step.change else { panic!("{step:?}") };
        names.push(self::manifest(&tiny(home.path())).layers[layers[0]].clone());
        // The stand-in runs the whole engine whatever it is given, so that the layer is there, by the same tactic and time.
        assert!(same_tactic.is_some_and(|same| same) && step.change.is_comparable(), "{step:?}");
    }
    names.sort();
    assert_eq!(names, ["stem/Conv + stem/Relu", "stem/MaxPool"]);
    // A prefix of the same model: what the model does not have is in none.
    with_trtexec(home.path(), "prefix", "prefixes", "60ms");
    let prefix = RunFolder::new(&home.path().join("raw_data"), "prefix");
    let steps = manifest(&prefix).design.expect("an experiment").steps;
    assert!(!steps.is_empty() && steps.iter().all(|step| step.status == Some(Status::Complete)), "{steps:?}");
}

#[test]
#[ignore = "needs the library that JETSON_AGENT_ONNXRUNTIME names"]
fn onnxruntime_loops_every_operator_of_a_model() {
    let library = crate::onnxruntime::library();
    let home = tempfile::tempdir().expect("temporary folder");
    orin_nano(home.path());
    settle_at_once(home.path());
    std::fs::write(home.path().join("small.onnx"), crate::onnxruntime::small_model()).expect("writes");
    let output = run(agent(home.path())
        .args(["--root", home.path().to_str().expect("UTF-8"), "profile", "--runner", "onnxruntime"])
        .args(["--onnxruntime", &library, "--onnx", "small.onnx", "--source", "hwmon", "--idle", "20ms"])
        .args(["--name", "tiny", "--runs", "300", "--profiled", "20", "--design", "loops", "--design-time", "1s"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let design = design(home.path());
    let loops = design.steps.iter().filter(|step| matches!(step.change, Change::Loop { .. }));
    // What the library renames is said and left out; the matrix product keeps its name and runs alone.
    assert!(
        loops.clone().count() >= 1 && stderr(&output).contains("not looped: has none of the operators"),
        "{}\n{design:?}",
        stderr(&output)
    );
    assert!(loops.clone().all(|step| step.status == Some(Status::Complete)), "{design:?}");
}

#[test]
fn an_experiment_of_another_kind_of_run_is_refused_and_its_time_needs_one() {
    let home = tempfile::tempdir().expect("temporary folder");
    let output = run(&mut profile(home.path(), &["--design-time", "1m"]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--design"), "{}", stderr(&output));
    // Without an engine info nothing says which layers there are.
    let output = run(&mut profile(home.path(), &["--design", "loops"]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--onnx"), "{}", stderr(&output));
    // One inference has no period.
    let options = ["--runs", "1", "--profiled", "1", "--simulate-fast", "--design", "pauses"];
    let output = run(&mut profile(home.path(), &options));
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("fewer than two inferences"), "{}", stderr(&output));
}
