//! Studies by scripts: ordered, followed, stopped, gone on with, and still there when the server was killed.

use crate::server::{Server, command, eventually};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Dense layers of six networks.
fn training_data(folder: &Path) -> PathBuf {
    let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
    for network in 0..6_usize {
        for layer in 1..=6_usize {
            let (input, output) = (64 * layer * (network + 1), 32 * (1 + layer * 7 % 5));
            let noise = 1.0 + 0.05 * ((layer * 31 + network * 17) % 7) as f64 / 7.0;
            let runtime = (0.01 + (input * output) as f64 * 1e-7) * noise;
            writeln!(text, "net{network},1,{input},{output},5000000,{runtime},d{layer}").expect("text");
        }
    }
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("folder");
    std::fs::write(data.join("dense.csv"), text).expect("data");
    data
}

/// A server with data, which keeps its studies and batches in the folder.
pub(crate) fn server(folder: &Path) -> Server {
    let (data, state, studies) = (training_data(folder), folder.join("state"), folder.join("studies.sqlite"));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let batches = text(&folder.join("batches"));
    Server::start(&[
        "--data",
        &text(&data),
        "--state",
        &text(&state),
        "--shared-db",
        &text(&studies),
        "--batches",
        &batches,
    ])
}

fn begun(server: &Server, order: &Value) -> String {
    let (status, answer) = server.send("/v1/studies", order);
    assert_eq!((status, &answer["state"]), (201, &json!("waiting")), "{answer}");
    answer["name"].as_str().expect("a name").to_owned()
}

/// What the list says of a study: its state, and the trials that are done.
pub(crate) fn stands(server: &Server, name: &str) -> (String, u64) {
    let list = server.json("/v1/studies");
    let study = list["studies"].as_array().expect("studies").iter().find(|study| study["name"] == name);
    let study = study.unwrap_or_else(|| panic!("no {name} in {list}"));
    let done = ["complete", "pruned", "failed"].iter().map(|state| study["counts"][state].as_u64().expect("a number"));
    (study["state"].as_str().expect("a state").to_owned(), done.sum())
}

#[test]
fn a_study_is_the_commands_and_is_told_as_it_runs() {
    let folder = tempfile::tempdir().expect("folder");
    let server = server(folder.path());
    let grid = json!({ "lasso.eps": [0.1, 0.01], "lasso.alphas": [10, 20] });
    let order = json!({ "space": grid, "samples": 30, "pruner": "median" });
    let mut asked = order.clone();
    asked["dry_run"] = true.into();
    let (status, answer) = server.send("/v1/studies", &asked);
    assert_eq!((status, &answer["state"], &answer["trials"]), (200, &json!("checked"), &json!(4)), "{answer}");
    assert_eq!(server.json("/v1/studies")["studies"], json!([]), "nothing was begun");

    let name = begun(&server, &order);
    assert_eq!(answer["name"], name.as_str(), "the order determines the name");
    let told = server.follow(&format!("/v1/studies/{name}/events"));
    assert!(eventually(|| stands(&server, &name) == ("done".to_owned(), 4)), "{}", server.log());
    let last = || told.lock().expect("events").last().cloned().unwrap_or_default();
    assert!(eventually(|| last()["state"] == "done"), "{:?}", told.lock());
    assert_eq!((&last()["event"], &last()["id"], &last()["trials"]), (&json!("study"), &json!(name), &json!(4)));
    let document = server.json(&format!("/v1/studies/{name}"));
    assert_eq!(document["study"]["specification"]["pruner"], "median");
    assert_eq!(document["trials"].as_array().map(Vec::len), Some(4));

    // The command finds the same order done, trial by trial: same rows drawn, same folds, same figures.
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("grid.json"), grid.to_string()).expect("written");
    let arguments = ["--grid", &path("grid.json"), "--samples", "30", "--pruner", "median", "--format", "json"];
    for database in ["studies.sqlite", "other.sqlite"] {
        let own = ["--quiet", "tune", "--data", &path("data"), "--shared-db", &path(database)];
        let output = command(&[&own[..], &arguments].concat());
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(said["study"], name.as_str());
        let values = |trials: &Value| -> Vec<(Value, Value)> {
            let trials = trials.as_array().expect("trials").iter();
            trials.map(|trial| (trial["number"].clone(), trial["value"].clone())).collect()
        };
        assert_eq!(values(&said["history"]), values(&document["trials"]), "{database}");
    }
}

#[test]
fn a_study_is_stopped_gone_on_with_and_outlives_the_server() {
    let folder = tempfile::tempdir().expect("folder");
    let mut first = server(folder.path());
    let space = "lasso.eps = { low = 1e-5, high = 1e-1, log = true }\n";
    let order = json!({ "space": space, "sampler": "random", "trials": 20_000, "target": "runtime" });
    let name = begun(&first, &order);
    let told = first.follow(&format!("/v1/studies/{name}/events"));
    let done = |server: &Server| stands(server, &name).1;
    assert!(eventually(|| done(&first) >= 2), "{}", first.log());
    let (status, answer) = first.send(&format!("/v1/studies/{name}/stop"), &Value::Null);
    assert_eq!((status, &answer["name"]), (200, &json!(name)), "{answer}");
    assert!(eventually(|| stands(&first, &name).0 == "stopped"), "{:?}", stands(&first, &name));
    let stopped_at = done(&first);
    assert!(stopped_at < 20_000);
    let states = || -> Vec<Value> { told.lock().expect("events").iter().map(|event| event["state"].clone()).collect() };
    assert!(eventually(|| states().last() == Some(&json!("stopped"))), "{:?}", states());
    assert!(states().contains(&json!("running")), "{:?}", states());
    let seen: Vec<u64> = told.lock().expect("events").iter().filter_map(|event| event["done"].as_u64()).collect();
    assert!(seen.is_sorted() && seen.last() > seen.first(), "{seen:?}");

    let (status, answer) = first.send(&format!("/v1/studies/{name}/start"), &Value::Null);
    assert_eq!(status, 200, "{answer}");
    assert!(eventually(|| done(&first) > stopped_at), "{}", first.log());
    let killed_at = done(&first);
    first.signal("-KILL");
    let _ = first.wait();

    // Nobody starts it: the queue outlived the server, and what was done is done.
    let second = server(folder.path());
    assert!(done(&second) >= killed_at);
    assert!(eventually(|| done(&second) > killed_at), "{}", second.log());
    assert_eq!(second.json("/v1/studies")["queue"], json!([name]));
    assert_eq!(second.send(&format!("/v1/studies/{name}/stop"), &Value::Null).0, 200);
}

#[test]
fn orders_that_cannot_be_are_refused_with_their_reason() {
    let folder = tempfile::tempdir().expect("folder");
    let server = server(folder.path());
    let grid = json!({ "lasso.eps": [0.1, 0.01] });
    for (order, status, code, says) in [
        (json!({}), 422, "bad_request_body", "space"),
        (json!({ "space": grid, "sampler": "annealing" }), 422, "bad_request_body", "annealing"),
        (json!({ "space": grid, "trails": 3 }), 422, "bad_request_body", "trails"),
        (json!({ "space": "lasso.eps = [" }), 400, "bad_request", ""),
        (json!({ "space": { "lasso.epz": [1] } }), 400, "bad_request", "epz"),
        (json!({ "space": { "lasso.eps": { "low": 1e-5, "high": 0.1 } }, "sampler": "grid" }), 400, "bad_request", ""),
        (json!({ "space": grid, "samples": 0 }), 400, "bad_request", "samples"),
        (json!({ "space": "x".repeat(2 << 20) }), 413, "too_large", ""),
    ] {
        let (got, answer) = server.send("/v1/studies", &order);
        let error = &answer["error"];
        assert_eq!((got, error["code"].as_str()), (status, Some(code)), "{answer}");
        assert!(error.to_string().contains(says), "{says}: {answer}");
        assert!(!error.to_string().contains(&*folder.path().to_string_lossy()), "{answer}");
    }
    for path in ["/v1/studies/none/start", "/v1/studies/none/stop", "/v1/studies/..%2f..%2fetc/start"] {
        assert_eq!(server.refusal(path, &[], b""), (404, "not_found".into()), "{path}");
    }
    assert_eq!(server.get("/v1/studies/none/events").0, 404);
    let site = ["Origin: http://evil.example"];
    let order = json!({ "space": grid }).to_string();
    assert_eq!(server.refusal("/v1/studies", &site, order.as_bytes()), (403, "cross_site".into()));
    assert_eq!(server.json("/v1/studies")["studies"], json!([]));

    let bare = Server::start(&[]);
    let (status, answer) = bare.send("/v1/studies", &json!({ "space": grid }));
    assert!(status == 400 && answer.to_string().contains("--data"), "{answer}");
}
