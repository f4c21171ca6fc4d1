//! Boards and modes as a user meets them: identity, other modes, the choice of one, other boards. The real binary, in folders
//! of its own.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ARITHMETIC: f64 = 4e-7;
const BYTES: f64 = 1e-6;
const LAUNCH: f64 = 0.005;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data").join(format!("{name}_trt_engine_info.json"))
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    for name in ["HOST_TRAINER_MODELS", "HOST_TRAINER_CONFIG", "HOST_TRAINER_ONNXRUNTIME"] {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments).output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Dense layers of some networks whose run time is a launch, arithmetic over one clock and bytes over the other.
fn measured(folder: &Path, devices: &[(&str, f64, f64)], networks: &[&str], network_total: bool) {
    let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name,precision,device\n");
    let mut totals = String::from("model,batch_size,runtime,device\n");
    for (device, arithmetic, bytes) in devices {
        for (number, network) in networks.iter().enumerate() {
            let mut sum = 0.0;
            for layer in 1..=10 {
                let (input, output) = (128 * layer * (number + 1), 64 * (11 - layer));
                let macs = (input * output) as f64;
                let time = LAUNCH + ARITHMETIC * macs * arithmetic + BYTES * 2.0 * (macs + input as f64) * bytes;
                sum += time;
                let cells = if network_total { String::new() } else { format!("{}", 5e6 / arithmetic) };
                let runtime = if network_total { String::new() } else { time.to_string() };
                text.push_str(&format!("{network},1,{input},{output},{cells},{runtime},d{layer},fp16,{device}\n"));
            }
            totals.push_str(&format!("{network},1,{sum},{device}\n"));
        }
    }
    fs::create_dir_all(folder).expect("folder");
    fs::write(folder.join("dense.csv"), text).expect("file");
    if network_total {
        fs::write(folder.join("networks.csv"), totals).expect("file");
    }
}

const NETWORKS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn fit(folder: &Path, data: &str, out: &str) {
    let output = run(folder, &["fit", "--data", data, "--out", out, "--kind", "physics", "--test-models", "none"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_device_carries_its_hardware_from_tables_to_cards_and_predictions() {
    let folder = tempfile::tempdir().expect("folder");
    measured(&folder.path().join("data"), &[("orin-nano@15W", 1.0, 1.0)], &NETWORKS, false);
    let known = json!({"orin-nano@15W": {"jetpack": "6.2", "clocks": {"gpu_mhz": 612.0, "emc_mhz": 2133.0}}});
    fs::write(folder.path().join("data/devices.json"), known.to_string()).expect("file");
    fit(folder.path(), "data", "models");
    for file in ["device.json", "dense/runtime/card.json"] {
        let text = fs::read_to_string(folder.path().join("models/orin-nano@15W").join(file)).expect("file");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["hardware"], known["orin-nano@15W"], "{file}");
    }
    let engine = sample("lenet");
    let engine = engine.to_str().expect("UTF-8");
    let predicted = answer(&run(
        folder.path(),
        &["predict", "--models", "models", "--trt-engine-path", engine, "--format", "json"],
    ));
    assert_eq!(predicted["device"], "orin-nano@15W");
    assert_eq!(predicted["hardware"]["jetpack"], "6.2");

    for (wanted, said) in [
        ("orin-nano@25W", "known of orin-nano are orin-nano@15W"),
        ("orin-nano", "name the power mode: orin-nano@15W"),
        ("orin-nanno@15W", "did you mean `orin-nano@15W`?"),
    ] {
        let output =
            run(folder.path(), &["predict", "--models", "models", "--device", wanted, "--trt-engine-path", engine]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(said), "{wanted}: {}", stderr(&output));
    }
    // A store takes the name as it is, and a version behind it.
    let store = ["--store", "store"];
    let register = ["models", "register", "models"];
    assert!(run(folder.path(), &[&register[..], &store[..]].concat()).status.success());
    let shown = run(folder.path(), &[&["models", "show", "orin-nano@15W/dense/runtime@1"][..], &store[..]].concat());
    assert!(shown.status.success(), "{}", stderr(&shown));
}

#[test]
fn other_modes_follow_the_clocks_of_those_measured() {
    let folder = tempfile::tempdir().expect("folder");
    // Twice the GPU clock and the same memory: arithmetic takes half as long.
    measured(&folder.path().join("data"), &[("tx2@slow", 2.0, 1.0), ("tx2@fast", 1.0, 1.0)], &NETWORKS, false);
    let known = json!({
        "tx2@slow": {"clocks": {"gpu_mhz": 650.0, "emc_mhz": 1866.0}},
        "tx2@fast": {"clocks": {"gpu_mhz": 1300.0, "emc_mhz": 1866.0}},
    });
    fs::write(folder.path().join("data/devices.json"), known.to_string()).expect("file");
    fit(folder.path(), "data", "models");
    let engine = sample("lenet");
    let engine = engine.to_str().expect("UTF-8");
    let explore = |device: &str, more: &[&str]| {
        let common =
            ["predict", "--models", "models", "--device", device, "--trt-engine-path", engine, "--format", "json"];
        run(folder.path(), &[&common[..], more].concat())
    };
    let all = answer(&explore("tx2", &["--modes", "all"]));
    let of = |mode: &str| {
        all["outlooks"].as_array().expect("a list").iter().find(|o| o["mode"] == mode).expect("it").clone()
    };
    let time = |outlook: &Value| outlook["runtime_ms"].as_f64().expect("a time");
    let (slow, fast, between) = (of("slow"), of("fast"), of("MAXP_CORE_ALL"));
    assert_eq!((&slow["origin"], &fast["origin"]), (&json!("model"), &json!("model")));
    // Its memory is slower than any that was measured.
    assert_eq!(between["origin"], "extrapolated");
    assert!(time(&fast) < time(&slow));
    let plain = answer(&run(
        folder.path(),
        &["predict", "--models", "models", "--device", "tx2@slow", "--trt-engine-path", engine, "--format", "json"],
    ));
    assert!((time(&slow) - plain["totals"]["runtime_ms"].as_f64().expect("a time")).abs() < 1e-9);

    let given = answer(&explore("tx2@fast", &["--gpu-mhz", "900", "--batch", "1,4"]));
    let given = given["outlooks"].as_array().expect("a list");
    assert_eq!(given.len(), 2);
    assert_eq!((&given[0]["origin"], &given[0]["mode"]), (&json!("interpolated"), &Value::Null));
    assert!(time(&given[0]) > time(&fast) && time(&given[0]) < time(&slow));
    assert_eq!((given[0]["batch"].as_u64(), given[1]["batch"].as_u64()), (Some(1), Some(4)));
    assert!(time(&given[1]) > time(&given[0]));
    assert!(given[0]["energy_mj"].as_f64().is_some_and(|energy| energy > 0.0));

    let output = explore("tx2@fast", &["--modes", "MAXP_CORE_AL"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `MAXP_CORE_ALL`?"), "{}", stderr(&output));
    let output = explore("tx2@fast", &["--modes", "all", "--gpu-mhz", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn one_mode_is_an_extrapolation_and_watts_are_said_not_to_be_modelled() {
    let folder = tempfile::tempdir().expect("folder");
    measured(&folder.path().join("data"), &[("orin-nano@25W", 1.0, 1.0)], &NETWORKS, false);
    fit(folder.path(), "data", "models");
    let engine = sample("resnet18");
    let arguments = [
        "predict",
        "--models",
        "models",
        "--trt-engine-path",
        engine.to_str().expect("UTF-8"),
        "--modes",
        "15W,25W,MAXN",
    ];
    let output = run(folder.path(), &[&arguments[..], &["--format", "json"]].concat());
    let all = answer(&output);
    let modes: Vec<&Value> =
        all["outlooks"].as_array().expect("a list").iter().map(|outlook| &outlook["mode"]).collect();
    assert_eq!(modes, ["15W", "25W", "MAXN_SUPER"]);
    assert!(stderr(&output).contains("extrapolated from one mode, orin-nano@25W"), "{}", stderr(&output));
    assert!(stderr(&output).contains("capped at 15 W is not modelled"), "{}", stderr(&output));
    let time = |place: usize| all["outlooks"][place]["runtime_ms"].as_f64().expect("a time");
    assert!(time(0) > time(1) && time(1) > time(2));
    // A board that nobody knows has no clocks to start from.
    measured(&folder.path().join("other"), &[("my board", 1.0, 1.0)], &NETWORKS, false);
    fit(folder.path(), "other", "others");
    let output = run(
        folder.path(),
        &["predict", "--models", "others", "--trt-engine-path", engine.to_str().expect("UTF-8"), "--modes", "all"],
    );
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("the clocks of my board are not known"), "{}", stderr(&output));
}

#[test]
fn a_choice_meets_its_limit_or_the_answer_is_no() {
    let folder = tempfile::tempdir().expect("folder");
    // Enough networks for an interval of whole networks.
    let networks: Vec<String> = (0..24).map(|number| format!("n{number}")).collect();
    let networks: Vec<&str> = networks.iter().map(String::as_str).collect();
    measured(&folder.path().join("data"), &[("orin-nano@25W", 1.0, 1.0)], &networks, false);
    fit(folder.path(), "data", "models");
    let engine = sample("lenet");
    let engine = engine.to_str().expect("UTF-8");
    let ask = |more: &[&str]| {
        run(folder.path(), &[&["choose", engine, "--models", "models", "--batch", "1,8"][..], more].concat())
    };
    let free = answer(&ask(&["--min-energy", "--format", "json", "--chart", "chart.html"]));
    let candidates = free["candidates"].as_array().expect("a list");
    assert_eq!(candidates.len(), 8, "four modes and two batches");
    let chosen = free["chosen"].as_u64().expect("one") as usize;
    let energy = |c: &Value| c["energy_mj"].as_f64().expect("known") / c["batch"].as_f64().expect("known");
    assert!(candidates.iter().all(|other| energy(other) >= energy(&candidates[chosen])));
    let front = free["pareto_front"].as_array().expect("a list");
    assert!(!front.is_empty() && front.iter().any(|place| place.as_u64() == Some(chosen as u64)));
    let chart = fs::read_to_string(folder.path().join("chart.html")).expect("a chart");
    assert!(chart.contains("<svg") && chart.contains("Pareto front"));

    let quickest = candidates.iter().map(|c| c["runtime_ms"].as_f64().expect("a time")).fold(f64::MAX, f64::min);
    let no = ask(&["--max-latency", &format!("{}us", 100.0 * quickest)]);
    assert_eq!(no.status.code(), Some(1), "{}", stderr(&no));
    assert!(stderr(&no).contains("no candidate takes at most"), "{}", stderr(&no));
    let limit = format!("{}ms", 3.0 * quickest);
    let within = answer(&ask(&["--max-latency", &limit, "--max-throughput", "--format", "json"]));
    let chosen = &within["candidates"][within["chosen"].as_u64().expect("one") as usize];
    assert!(chosen["probability_within_limit"].as_f64().is_some_and(|p| p >= 0.9), "{chosen}");
    assert!(chosen["runtime_ms"].as_f64().is_some_and(|time| time <= 3.0 * quickest));
}

#[test]
fn models_are_carried_to_another_board_by_a_few_totals() {
    let folder = tempfile::tempdir().expect("folder");
    measured(&folder.path().join("data"), &[("orin-nx@MAXN", 1.0, 1.0)], &NETWORKS, false);
    fit(folder.path(), "data", "models");
    let carry = |out: &str, more: &[&str]| {
        let common = [
            "fit",
            "--from",
            "orin-nx@MAXN",
            "--from-models",
            "models",
            "--device",
            "orin-nano@15W",
            "--out",
            out,
            "--format",
            "json",
        ];
        answer(&run(folder.path(), &[&common[..], more].concat()))
    };
    let device = |out: &str| -> Value {
        let path = folder.path().join(out).join("orin-nano@15W/device.json");
        serde_json::from_str(&fs::read_to_string(path).expect("file")).expect("JSON")
    };
    assert_eq!(carry("none", &[]), json!([]));
    let none = device("none");
    let factor = |device: &Value| device["transfer"]["work_factor"].as_f64().expect("a factor");
    assert!(factor(&none) > 1.1 && factor(&none) < 2.0, "by the peaks: {none}");

    // Really it takes 1.8 times as long.
    measured(&folder.path().join("few"), &[("orin-nano@15W", 1.8, 1.8)], &NETWORKS[..3], true);
    let rows = carry("few_models", &["--data", "few"]);
    assert_eq!(rows.as_array().map(Vec::len), Some(3));
    let few = device("few_models");
    assert!((factor(&few) - 1.8).abs() < 0.2, "{few}");
    assert_eq!((&few["transfer"]["from"], &few["transfer"]["measurements"]), (&json!("orin-nx@MAXN"), &json!(3)));
    let spread = |device: &Value| device["transfer"]["log_sd"].as_f64().expect("a figure");
    assert!(spread(&few) < spread(&none));

    // The graph itself has the factors, and its card's self-test agrees.
    let engine = sample("lenet");
    let engine = engine.to_str().expect("UTF-8");
    let total = |models: &str| {
        let value = answer(&run(
            folder.path(),
            &["predict", "--models", models, "--trt-engine-path", engine, "--format", "json"],
        ));
        let dense =
            value["layers"].as_array().expect("a list").iter().find(|l| l["runtime_source"] == "model").cloned();
        dense.expect("a dense layer")["runtime_prediction"].as_f64().expect("a time")
    };
    let ratio = total("few_models") / total("models");
    assert!(ratio > 1.0 && ratio < 2.0, "{ratio}");
    let card =
        fs::read_to_string(folder.path().join("few_models/orin-nano@15W/dense/runtime/card.json")).expect("card");
    assert!(card.contains("carried over from orin-nx@MAXN by 3 networks measured on orin-nano@15W"));
    assert!(!folder.path().join("few_models/orin-nano@15W/dense/power").exists());
}

#[test]
fn tables_of_whole_networks_are_scaled_and_carried_over() {
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("file");
    write("m.csv", "model,gpu_mhz,emc_mhz,runtime,power\na,1300,1866,10,12\na,650,1866,19,7\n");
    write("w.csv", "model,gpu_mhz,emc_mhz\na,900,1866\n");
    let clocks = ["boards", "clocks", "--measured", "m.csv", "--to", "w.csv", "--board", "tx2", "--format", "json"];
    let row = answer(&run(folder.path(), &clocks))[0].clone();
    assert_eq!(row["origin"], "interpolated");
    assert!(row["runtime"].as_f64().is_some_and(|time| time > 11.0 && time < 16.0), "{row}");
    write("bad.csv", "model,gpu_mhz,emc_mhz\nb,900,1866\n");
    let output = run(folder.path(), &["boards", "clocks", "--measured", "m.csv", "--to", "bad.csv"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("bad.csv: line 2: `b` was not measured"), "{}", stderr(&output));
    // Three of eight clusters are on at 15 W: without a measurement, work follows the geometric mean of arithmetic and bandwidth.
    write("s.csv", "model,runtime\na,10\n");
    let carry = |to: &str| {
        let arguments =
            ["boards", "transfer", "--source", "s.csv", "--from", "agx-orin@MAXN", "--to", to, "--format", "json"];
        answer(&run(folder.path(), &arguments))[0]["runtime"].as_f64().expect("a time")
    };
    let (arithmetic, bandwidth) = (8.0 / 3.0 * 1300.5 / 408.0, 3199.0 / 2133.0);
    let slower: f64 = carry("agx-orin@15W") / carry("agx-orin");
    assert!((slower / f64::sqrt(arithmetic * bandwidth) - 1.0).abs() < 1e-6, "{slower}");
    let output = run(folder.path(), &["boards", "modes", "orin-nanoo"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `orin-nano`?"), "{}", stderr(&output));
    write("nvpmodel.conf", "< POWER_MODEL ID=0 NAME=MODE_9W >\nGPU MAX_FREQ 500000000\nGPU MAX_FREQ x\n");
    let output = run(folder.path(), &["boards", "modes", "--nvpmodel", "nvpmodel.conf", "--format", "json"]);
    assert!(stderr(&output).contains("line 3"), "{}", stderr(&output));
    let modes = answer(&output);
    assert_eq!((modes[0]["watts"].as_f64(), modes[0]["gpu_mhz"].as_f64()), (Some(9.0), Some(500.0)));
}
