//! The program: what people type, several processes at once, a process that is killed.

use crate::fixtures::{Forge, Part};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A store in a folder of its own, with a cache of its own.
struct Desk {
    folder: tempfile::TempDir,
    forge: Forge,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder"), forge: Forge::new() }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOST_TRAINER_STORE", self.store())
            .env("HOST_TRAINER_USER", "tester")
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env_remove("MLFLOW_TRACKING_URI")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs what must work, and reads its JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Registers a model and returns its name.
    fn register(&self, part: Part) -> String {
        let folder = self.forge.model(part);
        let answer = self.json(&["models", "register", path(&folder), "--data-revision", "r1"]);
        answer[0]["model"]["model"].as_str().expect("a name").to_owned()
    }

    fn refused(&self, arguments: &[&str], code: i32, says: &str) {
        let output = self.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(says), "{arguments:?} should say `{says}`: {message}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// An engine of one fully connected layer with 8 inputs.
fn engine(folder: &Path) -> PathBuf {
    let file = folder.join("engine.json");
    let tensor = |name: &str, n: u32| serde_json::json!({ "Name": name, "Dimensions": [1, n, 1, 1], "Format/Datatype": "Row major linear FP32" });
    let layer = serde_json::json!({
        "Name": "fc", "LayerType": "CaskGemmConvolution", "Inputs": [tensor("in", 8)], "Outputs": [tensor("out", 4)],
        "ParameterType": "FullyConnected", "Weights": { "Type": "Float", "Count": 32 },
    });
    let info = serde_json::json!({ "Layers": [layer], "Bindings": [] });
    std::fs::write(&file, info.to_string()).expect("an engine info");
    file
}

#[test]
fn what_people_type_from_register_to_rollback() {
    let desk = Desk::new();
    for looking in [
        &["models", "list"][..],
        &["models", "history"],
        &["models", "verify"],
        &["models", "show", "board/dense/runtime"],
    ] {
        desk.refused(looking, 5, "there is no store: no such folder");
    }
    assert!(!desk.store().exists(), "looking makes nothing");
    std::fs::create_dir(desk.store()).expect("a folder");
    desk.refused(&["models", "list"], 5, "its folder is empty");
    assert_eq!(std::fs::read_dir(desk.store()).expect("a folder").count(), 0);
    std::fs::remove_dir(desk.store()).expect("removed");
    let first = desk.register(Part { scale: 1.0, mape: Some(5.0), ..Part::default() });
    let worse = desk.register(Part { scale: 2.0, mape: Some(8.0), ..Part::default() });
    let better = desk.register(Part { scale: 3.0, mape: Some(2.0), ..Part::default() });
    let engine = engine(desk.folder.path());
    let store = desk.store();
    let predict = ["predict", "--store", path(&store), "--trt-engine-path", path(&engine)];
    desk.refused(&predict, 2, "nothing is deployed");

    let promoted = desk.json(&["models", "promote", &first[..8]]);
    assert_eq!((&promoted[0]["outcome"], &promoted[0]["version"]), (&"promoted".into(), &1.into()));
    let runtime = || desk.json(&predict)["layers"][0]["runtime_prediction"].as_f64().expect("a figure");
    assert_eq!(runtime(), 8.0);
    desk.refused(&["models", "promote", "board/dense/runtime@2"], 1, "its mape on cross-validation is 8.0000");
    desk.refused(&["models", "promote", &worse, "--force"], 2, "--reason");
    desk.refused(&["models", "promote", &worse, "--metric", "mapes"], 2, "known are mape");
    let compared = desk.json(&["models", "compare"]);
    assert_eq!((&compared[0]["model"], &compared[0]["outcome"]), (&better.as_str().into(), &"better".into()));
    assert_eq!(runtime(), 8.0, "comparing changes nothing");

    let all = desk.json(&["models", "promote", "--all-better"]);
    assert_eq!(all[0]["model"], better.as_str());
    assert_eq!(runtime(), 24.0);
    desk.json(&["models", "rollback", "board/dense/runtime", "--reason", "the board got hot"]);
    assert_eq!(runtime(), 8.0);
    desk.refused(&["models", "promote", &better], 1, "taken back by a rollback");
    desk.refused(&["models", "rollback", "board/dense/runtime"], 1, "no model was deployed before");
    // What is left to promote is worse: nothing happens, and that is no failure.
    assert_eq!(desk.json(&["models", "promote", "--all-better"])[0]["outcome"], "declined");
    desk.json(&["models", "promote", &worse, "--force", "--reason", "asked for by the lab"]);
    assert_eq!(runtime(), 16.0);
    desk.json(&["models", "rollback", "board/dense/runtime", "--to", "board/dense/runtime@1"]);

    let history = desk.json(&["models", "history", "board"]);
    let story: Vec<String> = history
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| format!("{} {} {}", entry["action"].as_str().expect("text"), entry["version"], entry["forced"]))
        .collect();
    assert_eq!(story, ["promote 1 false", "promote 3 false", "rollback 1 false", "promote 2 true", "rollback 1 false"]);
    assert_eq!(history[3]["reason"], "asked for by the lab");
    assert!(history.as_array().expect("a list").iter().all(|entry| entry["who"] == "tester"));
    let listed = desk.json(&["models", "list"]);
    let status: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|m| m["status"].as_str()).collect();
    assert_eq!(status, ["deployed", "declined", "declined"]);
    let shown = desk.json(&["models", "show", "board/dense/runtime"]);
    assert_eq!((&shown["model"], &shown["data_revision"]), (&first.as_str().into(), &"r1".into()));
    desk.refused(&["models", "show", "board/dense/power"], 2, "nothing is deployed as");
    for format in ["human", "csv"] {
        for command in [&["list"][..], &["history"], &["show", "board/dense/runtime"], &["compare"], &["verify"]] {
            let output = desk.run(&[&["models"], command, &["--format", format]].concat());
            assert!(output.status.success() && !output.stdout.is_empty(), "{command:?} {format}");
        }
    }

    let out = desk.folder.path().join("exported");
    assert!(desk.run(&["models", "export", path(&out)]).status.success());
    let from_folder = desk.json(&["predict", "--models", path(&out), "--trt-engine-path", path(&engine)]);
    assert_eq!(from_folder["layers"][0]["runtime_prediction"].as_f64(), Some(8.0));
    let other = desk.folder.path().join("other");
    let imported = desk.json(&["models", "import", path(&out), "--store", path(&other)]);
    assert_eq!(imported[0]["model"]["imported_from"]["data_revision"], "r1");
    desk.refused(&["models", "export", path(&out)], 2, "is there already");
}

#[test]
fn given_data_judge_candidate_and_deployed_alike() {
    let desk = Desk::new();
    let first = desk.register(Part { scale: 1.0, mape: Some(5.0), data: "a" });
    let second = desk.register(Part { scale: 2.0, mape: Some(1.0), data: "b" });
    desk.json(&["models", "promote", &first]);
    desk.refused(&["models", "promote", &second], 1, "not taken on the same data");
    let data = desk.folder.path().join("data");
    std::fs::create_dir(&data).expect("folder");
    std::fs::write(
        data.join("dense.csv"),
        "model,batch_size,input_size,output_size,power,runtime,layer_name\nnew,1,8,4,,16,fc\nknown,1,16,4,,32,fc\n",
    )
    .expect("a table");
    let output = desk.run(&["models", "promote", &second, "--data", path(&data), "--format", "json"]);
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warnings}");
    assert!(warnings.contains("trained on networks that they are judged on: known"), "{warnings}");
    let promoted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let comparison = &promoted[0]["comparison"];
    assert_eq!(comparison["deployed"]["value"].as_f64(), Some(50.0));
    assert_eq!(comparison["candidate"]["value"].as_f64(), Some(0.0));
    assert_eq!(comparison["candidate"]["data_sha256"], comparison["deployed"]["data_sha256"]);
}

#[test]
fn sixteen_processes_promote_one_alias_and_the_trail_is_linear() {
    let desk = Desk::new();
    let models: Vec<String> =
        (0..17).map(|number| desk.register(Part { scale: f64::from(number) + 1.0, ..Part::default() })).collect();
    desk.json(&["models", "promote", &models[0]]);
    let promoters: Vec<_> = models[1..]
        .iter()
        .map(|model| {
            let arguments = ["models", "promote", model, "--force", "--reason", "one of sixteen", "--format", "json"];
            desk.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
        })
        .collect();
    for promoter in promoters {
        let output = promoter.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let history = desk.json(&["models", "history"]);
    let entries = history.as_array().expect("a list");
    assert_eq!(entries.len(), 17);
    for (number, pair) in entries.windows(2).enumerate() {
        assert_eq!(pair[1]["from"], pair[0]["to"], "entry {}", number + 2);
        assert_eq!(pair[1]["number"], number + 2);
    }
    let mut promoted: Vec<&str> = entries.iter().filter_map(|entry| entry["to"].as_str()).collect();
    promoted.sort_unstable();
    let mut wanted: Vec<&str> = models.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(promoted, wanted, "each exactly once");
    assert!(desk.run(&["models", "verify"]).status.success());
}

#[test]
fn a_promoter_killed_at_any_moment_leaves_the_old_model_or_the_new() {
    let desk = Desk::new();
    let models = [1.0, 2.0].map(|scale| desk.register(Part { scale, ..Part::default() }));
    desk.json(&["models", "promote", &models[0]]);
    let promote = |model: &str| {
        let arguments = ["models", "promote", model, "--force", "--reason", "again"];
        desk.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs")
    };
    // How long one takes here, so that kills fall into all of it.
    let started = std::time::Instant::now();
    assert!(promote(&models[1]).wait().expect("it ends").success());
    let mut whole = started.elapsed();
    let (mut acknowledged, mut killed) = (2, 0);
    const ROUNDS: u32 = 40;
    const KILLED: u64 = 10;
    let mut round = 0;
    // Kills are spread over one and a quarter times what a promotion takes; that time follows how busy the machine is.
    while round < ROUNDS || killed < KILLED && round < 5 * ROUNDS {
        let started = std::time::Instant::now();
        let mut child = promote(&models[round as usize % 2]);
        let kill_at = whole * (round % ROUNDS) / ROUNDS * 5 / 4;
        let ended = loop {
            match child.try_wait().expect("its status") {
                Some(status) => break Some(status),
                None if started.elapsed() >= kill_at => break None,
                None => std::thread::sleep(Duration::from_micros(100)),
            }
        };
        match ended {
            Some(status) => {
                assert!(status.success(), "round {round}: {status}");
                whole = started.elapsed();
                acknowledged += 1;
            }
            None => {
                // SIGKILL; it may still have ended of itself meanwhile.
                let _ = child.kill();
                match child.wait().expect("it ends").success() {
                    true => acknowledged += 1,
                    false => killed += 1,
                }
            }
        }
        round += 1;
        let listed = desk.json(&["models", "list", "--deployed"]);
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "one model is deployed, whatever happened");
    }
    let verified = desk.json(&["models", "verify"]);
    assert_eq!(verified["problems"], Value::Array(Vec::new()));
    // Whoever was told that it is done finds it in the trail; the same model promoted again adds no entry.
    let entries = verified["promotions"].as_u64().expect("a number");
    assert!(
        entries <= acknowledged + killed && entries >= 2,
        "{entries} entries, {acknowledged} done, {killed} killed"
    );
    assert!(killed >= KILLED, "only {killed} of {round} promoters were killed before they ended");
}

#[test]
fn a_damaged_blob_is_named_and_nothing_uses_it() {
    let desk = Desk::new();
    let model = desk.register(Part::default());
    let shown = desk.json(&["models", "show", &model]);
    let graph = shown["onnx"].as_str().expect("a name");
    desk.json(&["models", "promote", &model]);
    let blob = desk.store().join("models/blobs").join(&graph[..2]).join(graph);
    let mut content = std::fs::read(&blob).expect("a blob");
    content[40] ^= 4;
    std::fs::write(&blob, content).expect("damage");
    let engine = engine(desk.folder.path());
    desk.refused(&["models", "verify"], 3, "1 things are wrong");
    let verified = desk.run(&["models", "verify"]);
    assert!(String::from_utf8_lossy(&verified.stdout).contains(graph));
    desk.refused(&["predict", "--store", path(&desk.store()), "--trt-engine-path", path(&engine)], 3, graph);
    desk.refused(&["models", "export", path(&desk.folder.path().join("out"))], 3, graph);
}

#[test]
fn names_that_climb_are_refused_before_anything_is_touched() {
    let desk = Desk::new();
    desk.register(Part::default());
    let engine = engine(desk.folder.path());
    for device in ["..", "../..", "/etc", "a/../../b", ".hidden", "a\nb"] {
        let store = desk.store();
        let predict = ["predict", "--store", path(&store), "--device", device, "--trt-engine-path", path(&engine)];
        desk.refused(&predict, 2, "is no name for a device");
        let alias = format!("{device}/dense/runtime");
        for command in [
            vec!["models", "show", alias.as_str()],
            vec!["models", "promote", alias.as_str()],
            vec!["models", "rollback", alias.as_str()],
            vec!["models", "history", alias.as_str()],
            vec!["models", "register", ".", "--device", device],
            vec!["models", "export", "out", "--device", device],
        ] {
            let output = desk.run(&command);
            assert_eq!(output.status.code(), Some(2), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let mut inside: Vec<String> = std::fs::read_dir(desk.folder.path())
        .expect("folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    inside.sort();
    assert_eq!(inside, ["engine.json", "store"]);
}
