//! Models that change while the server answers.

use crate::fixtures::{Forge, Part};
use crate::server::{Server, eventually};
use registry::{Alias, Provenance, Registry, Request, Version};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use store::{Append, Key, Ledger, Store};

const ALIAS: &str = "board/dense/runtime";

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Registers models whose run time is their number times the input size, and returns them.
fn registered(registry: &Registry, scales: &[f64]) -> Vec<Version> {
    let forge = Forge::new();
    let register = |scale: &f64| {
        let folder = forge.model(Part { scale: *scale, ..Part::default() });
        let mut done = block(registry.register(&folder, None, &Provenance::default())).expect("registered");
        done.remove(0).version
    };
    scales.iter().map(register).collect()
}

fn forced(who: &str) -> Request {
    Request { force: true, reason: Some("a test".into()), who: who.into(), ..Request::default() }
}

/// A row whose run time is the deployed model's number, ms, and the digest of the graph that said so.
fn ask(server: &Server) -> (f64, String) {
    let row = br#"{"layer_kind": "dense", "rows": [{"batch_size": 1, "input_size": 1, "output_size": 8}]}"#;
    let (status, answer) = server.post("/v1/rows", &[], row);
    assert_eq!(status, 200, "{answer} {}", server.log());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let runtime = answer["rows"][0]["runtime_prediction"].as_f64().expect("a time");
    (runtime, answer["models"]["dense/runtime"].as_str().expect("a digest").to_owned())
}

fn promote(server: &Server, version: u64) -> (u16, String) {
    let body = json!({ "model": format!("{ALIAS}@{version}"), "force": true, "reason": "a <b>test</b>" });
    server.post("/v1/models/promote", &[], body.to_string().as_bytes())
}

fn is(value: f64, expected: f64) -> bool {
    (value / expected - 1.0).abs() < 1e-6
}

#[test]
fn a_promotion_by_anybody_answers_within_seconds_and_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let registry = Registry::open(&folder.path().to_string_lossy()).expect("a store");
    let versions = registered(&registry, &[1.0, 2.0, 3.0]);
    let server = Server::of_store(folder.path());
    // Nothing is deployed yet: alive, not ready.
    assert_eq!((server.get("/healthz").0, server.get("/readyz").0), (200, 503));

    let mut events = server.connect();
    events.write_all(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let told = Arc::new(Mutex::new(String::new()));
    std::thread::spawn({
        let told = Arc::clone(&told);
        move || {
            for line in BufReader::new(events).lines().map_while(Result::ok) {
                told.lock().expect("lines").push_str(&line);
            }
        }
    });
    block(registry.promote(&versions[0], &forced("another process"))).expect("promoted");
    assert!(eventually(|| server.get("/readyz").0 == 200), "{}", server.log());
    assert_eq!(ask(&server), (1.0, versions[0].record.onnx.to_string()));
    assert!(eventually(|| told.lock().expect("lines").contains("event: models")), "{:?}", told.lock());

    // By the server itself, a promotion answers when it is in force.
    let (status, answer) = promote(&server, 2);
    assert!(status == 200 && answer.contains("\"promoted\""), "{answer}");
    assert_eq!(ask(&server), (2.0, versions[1].record.onnx.to_string()));
    let body = json!({ "alias": ALIAS, "reason": "worse" }).to_string();
    let (status, answer) = server.post("/v1/models/rollback", &[], body.as_bytes());
    assert!(status == 200 && answer.contains("\"rolled_back\""), "{answer}");
    assert_eq!(ask(&server).0, 1.0);
    let candidate = json!({ "model": format!("{ALIAS}@3") }).to_string();
    assert_eq!(server.refusal("/v1/models/promote", &[], candidate.as_bytes()), (409, "declined".into()));

    // Who did what is kept, and names are checked before anything is asked of the store.
    let history = server.json("/v1/models/history?device=board");
    let entries = history["entries"].as_array().expect("entries");
    let who: Vec<&str> = entries.iter().filter_map(|entry| entry["who"].as_str()).collect();
    assert_eq!(entries.len(), 3);
    assert!(who[0] == "another process" && who[1].starts_with("local at 127.0.0.1"), "{who:?}");
    assert_eq!(server.json("/v1/models/registered")["models"][1]["status"], "declined");
    for model in ["../../x/dense/runtime@1", "board/dense/runtime@../1", "board/../x", "zz", ""] {
        let body = json!({ "model": model }).to_string();
        let (status, answer) = server.post("/v1/models/promote", &[], body.as_bytes());
        assert!(matches!(status, 400 | 404), "{model}: {status} {answer}");
        assert!(!answer.contains(&*folder.path().to_string_lossy()) || status == 404, "{answer}");
    }
}

#[test]
fn a_bad_model_never_replaces_a_good_one() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(&folder.path().to_string_lossy()).expect("a store");
    let registry = Registry::over(store.clone());
    let versions = registered(&registry, &[1.0, 2.0]);
    block(registry.promote(&versions[0], &forced("a test"))).expect("promoted");
    let server = Server::of_store(folder.path());
    assert_eq!(ask(&server).0, 1.0);

    let forge = Forge::new();
    for (number, (what, bad)) in forge.unfit_models().into_iter().enumerate() {
        let place =
            learn::model::model_folder(&bad, "board", shared::engine::Table::Dense, learn::model::Target::Runtime);
        let digest =
            |content: Vec<u8>| block(store.put_blob(&Key::new("models/blobs").expect("a key"), content.into()));
        let read = |path: &Path| digest(std::fs::read(path).expect("a file")).expect("written");
        // As one who writes to the store past all checks: the entry says that the bad model is deployed.
        let ledger = Ledger::new(store.clone(), Key::new(format!("models/promotions/{ALIAS}")).expect("a key"));
        let mut entry: Value = block(ledger.last()).expect("read").expect("an entry").value;
        entry["to"] = json!(read(&place.join("card.json")));
        entry["onnx"] = json!(read(&place.join("model.onnx")));
        assert!(matches!(block(ledger.append(number as u64 + 1, &entry)).expect("written"), Append::Done(_)));
        let refused = || server.json("/readyz")["refused"]["board"].is_string();
        assert!(eventually(refused), "{what}: {}", server.log());
        assert_eq!(ask(&server).0, 1.0, "{what}");
    }
    assert!(server.logs("refused") && server.get("/metrics").1.contains("host_trainer_reloads_refused_total"));
    assert_eq!(server.get("/readyz").0, 200);
    let (status, answer) = promote(&server, 2);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(ask(&server).0, 2.0);
    assert_eq!(server.json("/readyz")["refused"], json!({}));
}

#[test]
fn a_folder_is_followed_too_and_a_damaged_one_is_not() {
    let forge = Forge::new();
    let folder = forge.model(Part::default());
    let server = Server::with(&["--models", &folder.to_string_lossy(), "--poll", "0.2"], &[]);
    assert_eq!(ask(&server).0, 1.0);
    let model = folder.join("board/dense/runtime");
    let other = forge.model(Part { scale: 2.0, ..Part::default() }).join("board/dense/runtime");
    // Half of the new model: its card names a graph that is not there.
    std::fs::copy(other.join("card.json"), model.join("card.json")).expect("copied");
    assert!(eventually(|| server.json("/readyz")["refused"]["board"].is_string()), "{}", server.log());
    assert_eq!(ask(&server).0, 1.0);
    std::fs::copy(other.join("model.onnx"), model.join("model.onnx")).expect("copied");
    std::fs::copy(other.join("card.json"), model.join("card.json")).expect("copied");
    assert!(eventually(|| is(ask(&server).0, 2.0)), "{}", server.log());
}

#[test]
fn promotions_under_load_fail_no_request() {
    let folder = tempfile::tempdir().expect("folder");
    let registry = Registry::open(&folder.path().to_string_lossy()).expect("a store");
    let versions = registered(&registry, &[1.0, 2.0, 3.0]);
    block(registry.promote(&versions[0], &forced("a test"))).expect("promoted");
    let server = Server::of_store(folder.path());
    let started = Instant::now();
    let done = AtomicBool::new(false);
    // When each model was deployed at most: from the request that promoted it to the answer to the next.
    let mut deployed: Vec<(f64, f64, f64)> = vec![(1.0, 0.0, f64::INFINITY)];
    let answers: Vec<(f64, f64, f64)> = std::thread::scope(|scope| {
        let asking = || {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let before = started.elapsed().as_secs_f64();
                let (value, digest) = ask(&server);
                let model = versions[value.round() as usize - 1].record.onnx.to_string();
                assert_eq!(digest, model, "the answer names the model that gave it");
                answers.push((value, before, started.elapsed().as_secs_f64()));
            }
            answers
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(asking)).collect();
        for round in 0..30 {
            let version = [2, 3, 1][round % 3];
            let before = started.elapsed().as_secs_f64();
            let (status, answer) = promote(&server, version);
            assert_eq!(status, 200, "{answer}");
            let after = started.elapsed().as_secs_f64();
            deployed.last_mut().expect("one").2 = after;
            deployed.push((version as f64, before, f64::INFINITY));
        }
        done.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("no request failed")).collect()
    });
    assert!(answers.len() > 30, "{}", answers.len());
    for (value, before, after) in &answers {
        let stood = |(model, from, to): &(f64, f64, f64)| is(*model, *value) && from <= after && to >= before;
        assert!(deployed.iter().any(stood), "{value} was not deployed between {before} and {after}: {deployed:?}");
    }
}

#[test]
fn killed_during_a_promotion_it_starts_again_with_a_whole_model() {
    let folder = tempfile::tempdir().expect("folder");
    let registry = Registry::open(&folder.path().to_string_lossy()).expect("a store");
    let versions = registered(&registry, &[1.0, 2.0]);
    block(registry.promote(&versions[0], &forced("a test"))).expect("promoted");
    let alias: Alias = ALIAS.parse().expect("a name");
    let mut unanswered = 0;
    for round in 0..6_u64 {
        let mut server = Server::of_store(folder.path());
        let body =
            json!({ "model": format!("{ALIAS}@{}", 2 - round % 2), "force": true, "reason": "a test" }).to_string();
        let head = format!(
            "POST /v1/models/promote HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = server.connect();
        connection.write_all(head.as_bytes()).expect("sent");
        std::thread::sleep(std::time::Duration::from_millis(round * 12));
        server.signal("-KILL");
        let _ = server.wait();
        // What the server sent before it died, if anything; a reset connection ends it too.
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        unanswered += u32::from(answer.is_empty());

        let server = Server::of_store(folder.path());
        let deployed = block(registry.trail(&alias)).expect("read").deployed().expect("deployed").onnx.to_string();
        let (value, digest) = ask(&server);
        assert_eq!(digest, deployed);
        assert_eq!(versions[value.round() as usize - 1].record.onnx.to_string(), deployed);
    }
    assert!(unanswered > 0, "every promotion was answered before its server was killed");
}
