//! The whole way of a campaign with the real programs on a simulated board: plan, measure, learn, predict.

mod programs;

use programs::agent;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn host(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .current_dir(folder)
        .args(["--quiet", "--no-progress"])
        .args(arguments)
        .env_remove("HOST_TRAINER_STORE")
        .output()
        .expect("the program runs")
}

fn ok(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Measures a plan on a simulated board in virtual time.
fn measure(folder: &Path, plan: &str, extra: &[&str]) -> Value {
    let mut command = Command::new(agent());
    command.current_dir(folder).env("JETSON_AGENT_ROOT", folder.join("no-board"));
    command.args(["--quiet", "campaign", plan, "--runner", "simulated", "--simulate-fast", "--idle", "100ms"]);
    ok(&command.args(["--format", "json"]).args(extra).output().expect("the agent runs"))
}

fn items(plan: &Value) -> &Vec<Value> {
    plan["items"].as_array().expect("items")
}

#[test]
fn a_plan_is_measured_and_learned_from_and_the_next_one_goes_on() {
    let home = tempfile::tempdir().expect("temporary folder");
    let folder = home.path();
    let plan = |out: &str, extra: &[&str]| {
        let network = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");
        let fixed = ["campaign", "plan", "--board", "orin-nano", "--for", network, "--time", "40s", "--overhead", "1s"];
        let end = ["--no-power", "--weights", "shape", "--out", out, "--format", "json"];
        ok(&host(folder, &[&fixed[..], &end[..], extra].concat()))
    };
    let first = plan("plan", &[]);
    assert!(items(&first).iter().any(|item| item["held_out"] == true), "{first}");
    let again = host(folder, &["campaign", "plan", "--board", "orin-nano", "--time", "40s", "--out", "plan"]);
    assert_eq!(again.status.code(), Some(2), "a plan is not written over");

    let done = measure(folder, "plan", &[]);
    assert_eq!(done["done"].as_u64(), Some(items(&first).len() as u64), "{done}");
    let learn = || ok(&host(folder, &["campaign", "learn", "plan", "--kind", "physics", "--format", "json"]));
    let report = learn();
    let device = &report["devices"][0];
    assert_eq!(device["device"], "orin-nano");
    assert_eq!(device["aligned"][0].as_u64(), Some(items(&first).len() as u64));
    let judged = device["judgement"]["networks"].as_array().expect("networks");
    assert!(judged.len() >= 2 && judged.iter().all(|one| one["predicted_ms"].as_f64() > Some(0.0)), "{report}");
    assert!(device["more"]["all_mape_percent"].as_f64() > Some(0.0), "{report}");
    assert_eq!(report["missing"].as_array().map(Vec::len), Some(0));

    // Nothing is aligned twice, and the same runs teach the same.
    let second = learn();
    assert_eq!(second["devices"][0]["aligned"][0].as_u64(), Some(0), "{second}");
    assert_eq!(second["devices"][0]["judgement"], device["judgement"]);

    let judge = items(&first).iter().find(|item| item["held_out"] == true).expect("one to judge by");
    let graph = format!("plan/{}", judge["onnx"].as_str().expect("a path"));
    let predicted = ok(&host(
        folder,
        &[
            "predict",
            "--models",
            "plan/learned/models",
            "--trt-engine-path",
            &graph,
            "--precision",
            "fp16",
            "--format",
            "json",
        ],
    ));
    assert!(predicted.to_string().contains("runtime_prediction"), "{predicted}");

    // The next plan knows what was measured.
    let next = plan("next", &["--have", "plan/learned/training", "--seed", "2"]);
    let expectation = |plan: &Value, key: &str| plan["expectation"][key].as_f64().expect("a share");
    assert_eq!(expectation(&first, "covered_before"), 0.0);
    assert!(expectation(&next, "covered_before") > 0.3, "{}", next["expectation"]);
    assert!(expectation(&next, "covered_after") >= expectation(&next, "covered_before"));
}

#[test]
fn with_power_layers_run_in_loops_and_have_power() {
    let home = tempfile::tempdir().expect("temporary folder");
    let folder = home.path();
    let plan =
        ["campaign", "plan", "--board", "orin-nano", "--time", "110s", "--overhead", "100ms", "--weights", "shape"];
    let planned = ok(&host(folder, &[&plan[..], &["--out", "plan", "--format", "json"]].concat()));
    assert!(items(&planned).iter().any(|item| item["kind"] == "loop"), "{planned}");
    measure(folder, "plan", &[]);
    let report =
        ok(&host(folder, &["campaign", "learn", "plan", "--kind", "physics", "--no-curve", "--format", "json"]));
    assert!(report["devices"][0]["more"].is_null());
    let loops: Vec<String> = fs::read_dir(folder.join("plan/learned/training"))
        .expect("lists")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("loop-"))
        .collect();
    assert!(!loops.is_empty());
    let power = |name: &String| -> Option<f64> {
        for entry in fs::read_dir(folder.join("plan/learned/training").join(name)).ok()?.flatten() {
            if entry.path().extension().is_none_or(|end| end != "csv")
                || entry.path().to_string_lossy().contains("_stats")
            {
                continue;
            }
            let mut reader = csv::Reader::from_path(entry.path()).ok()?;
            let at = reader.headers().ok()?.iter().position(|name| name == "power")?;
            return reader.records().next()?.ok()?.get(at)?.parse().ok();
        }
        None
    };
    let with_power = loops.iter().filter_map(power).filter(|watts| *watts > 0.0).count();
    assert_eq!(with_power, loops.len(), "a loop's layer has the power of its run");
}

#[test]
fn mistakes_are_named() {
    let home = tempfile::tempdir().expect("temporary folder");
    let folder = home.path();
    let code = |arguments: &[&str], what: &str| {
        let output = host(folder, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(what), "{arguments:?}: {said}");
        output.status.code()
    };
    let plan = ["campaign", "plan", "--out", "plan", "--board"];
    assert_eq!(code(&[&plan[..], &["orin-nano@15W"]].concat(), "--modes 15W"), Some(2));
    assert_eq!(code(&[&plan[..], &["cpu", "--for", "absent.onnx"]].concat(), "absent.onnx"), Some(5));
    assert_eq!(code(&[&plan[..], &["cpu", "--time", "1s"]].concat(), "nothing can be measured"), Some(2));
    assert_eq!(code(&["campaign", "learn", "plan"], "plan.json"), Some(5));
    ok(&host(folder, &[&plan[..], &["cpu", "--time", "30s"]].concat()));
    assert_eq!(code(&["campaign", "learn", "plan"], "no complete run"), Some(3));
    let path = folder.join("plan/plan.json");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text.replacen("\"format_version\": 1", "\"format_version\": 9", 1)).expect("writes");
    assert_eq!(code(&["campaign", "learn", "plan"], "version 9"), Some(3));
}
