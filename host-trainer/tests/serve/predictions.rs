//! What is predicted: the same as by the command, alone or among others.

use crate::server::{PATIENCE, Server, command, root, sample};
use serde_json::{Value, json};
use std::io::{Read, Write};

const SAMPLES: [&str; 4] = ["lenet", "alexnet", "resnet18", "mobilenet_v2"];

/// The command's document of a sample, without the name of its file.
fn expected(name: &str) -> Value {
    let engine = root().join(format!("sample_data/{name}_trt_engine_info.json"));
    let models = root().join("trained_models");
    let (engine, models) = (engine.to_string_lossy(), models.to_string_lossy());
    let output = command(&["predict", "--trt-engine-path", &engine, "--models", &models, "--format", "json"]);
    let mut document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    document.as_object_mut().expect("a document").remove("engine");
    document
}

/// A server's document without what only a server says.
fn prediction(document: &Value) -> Value {
    let mut document = document.clone();
    let object = document.as_object_mut().expect("a document");
    for key in ["engine", "models", "digest", "generation", "program"] {
        object.remove(key);
    }
    document
}

fn predicted(server: &Server, body: &[u8]) -> Value {
    let (status, answer) = server.post("/v1/predict", &[], body);
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).expect("JSON")
}

#[test]
fn answers_are_the_commands_whether_alone_together_or_in_one_document() {
    let server = Server::start(&["--workers", "1"]);
    let expected: Vec<Value> = SAMPLES.iter().map(|name| expected(name)).collect();

    // Together: what waits while others are predicted goes through the models in one run.
    let answers: Vec<(usize, Value)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..24)
            .map(|i| (i % SAMPLES.len(), &server))
            .map(|(i, server)| scope.spawn(move || (i, predicted(server, &sample(SAMPLES[i])))))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    });
    for (i, answer) in answers {
        assert_eq!(prediction(&answer), expected[i], "{}", SAMPLES[i]);
        assert_eq!(answer["program"]["name"], "host-trainer");
        assert_eq!(answer["models"]["convolutional/runtime"].as_str().map(str::len), Some(64));
    }

    // In one document: as JSON, and as a text that holds it.
    let engine = |(i, name): (usize, &&str)| {
        let text = String::from_utf8(sample(name)).expect("UTF-8");
        let info = if i % 2 == 0 { serde_json::from_str(&text).expect("JSON") } else { Value::String(text) };
        json!({ "name": name, "engine_info": info })
    };
    let mut engines: Vec<Value> = SAMPLES.iter().enumerate().map(engine).collect();
    engines.push(json!({ "engine_info": { "Layers": [] } }));
    let body = json!({ "engines": engines, "device": "orin-nano", "budgets": { "runtime_ms": 2.0 } });
    let answer = predicted(&server, body.to_string().as_bytes());
    let all = answer["predictions"].as_array().expect("a list");
    assert_eq!(all.len(), SAMPLES.len() + 1);
    for ((one, name), expected) in all.iter().zip(SAMPLES).zip(&expected) {
        assert_eq!(
            (&one["engine"], &one["layers"], &one["totals"]),
            (&name.into(), &expected["layers"], &expected["totals"])
        );
        let within = expected["totals"]["runtime_ms"].as_f64().expect("a time") <= 2.0;
        assert_eq!(one["budgets"][0]["kept"], within);
    }
    assert_eq!(all[SAMPLES.len()]["error"]["code"], "no_engine_info");
    let (status, body) = server.get("/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("host_trainer_batch_requests_bucket") && body.contains("host_trainer_model_set{"), "{body}");
}

#[test]
fn rows_and_tables_are_answered_as_asked() {
    let server = Server::start(&[]);
    let (status, csv) = server.post("/v1/predict?device=desktop-gpu", &["Accept: text/csv"], &sample("resnet18"));
    let (engine, models) = (root().join("sample_data/resnet18_trt_engine_info.json"), root().join("trained_models"));
    let arguments = ["--trt-engine-path", &engine.to_string_lossy(), "--models", &models.to_string_lossy()];
    let output = command(&[&["predict", "--device", "desktop-gpu", "--format", "csv"][..], &arguments].concat());
    assert_eq!((status, csv), (200, String::from_utf8(output.stdout).expect("UTF-8")));

    // A row says of a layer what its engine's prediction says.
    let answer = predicted(&server, &sample("resnet18"));
    let layer = answer["layers"].as_array().expect("layers").iter().find(|layer| layer["kind"] == "dense");
    let layer = layer.expect("a dense layer");
    let row = json!({"batch_size": 1, "input_size": 512, "output_size": 1000, "precision": "fp16", "weights": 512_000});
    let body = json!({ "layer_kind": "dense", "rows": [row, row] }).to_string();
    let (status, rows) = server.post("/v1/rows", &[], body.as_bytes());
    let rows: Value = serde_json::from_str(&rows).expect("JSON");
    assert_eq!((status, &rows["rows"][1]), (200, &rows["rows"][0]));
    for figure in ["power_prediction", "runtime_prediction", "energy_prediction", "runtime_source"] {
        assert_eq!(rows["rows"][0][figure], layer[figure], "{figure}");
    }
    let (status, csv) = server.post("/v1/rows", &["Accept: text/csv"], body.as_bytes());
    assert_eq!((status, csv.lines().count()), (200, 3));

    assert_eq!(server.refusal("/v1/rows", &[], br#"{"layer_kind": "dense", "rows": [{}]}"#), (422, "bad_rows".into()));
    assert_eq!(server.refusal("/v1/predict?device=../x", &[], &sample("lenet")), (422, "unknown_device".into()));
    assert_eq!(server.refusal("/v1/predict?devise=x", &[], &sample("lenet")), (400, "bad_request".into()));
    assert_eq!(server.refusal("/v1/predict", &["Accept: image/png"], &sample("lenet")), (406, "not_acceptable".into()));
    assert_eq!(server.refusal("/v1/models/promote", &[], b"{}"), (422, "bad_request_body".into()));
    let promote = br#"{"model": "board/dense/runtime@1"}"#;
    assert_eq!(server.refusal("/v1/models/promote", &[], promote), (409, "no_store".into()));
    assert_eq!(server.json("/v1/models")["default_device"], "orin-nano");
    assert!(server.json("/v1/openapi.json")["paths"]["/v1/predict"]["post"].is_object());
}

#[test]
fn ending_finishes_what_was_accepted() {
    let mut server = Server::start(&[]);
    let body = sample("resnet18");
    let mut stream = server.connect();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    // The server says so when it begins to read the body: from then on the request is accepted.
    let mut accepted = [0; 25];
    stream.read_exact(&mut accepted).expect("accepted");
    assert_eq!(&accepted, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..100]).expect("sent");
    // A stream without end must not hold the server up.
    let mut events = server.connect();
    events.write_all(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut start = [0; 15];
    events.read_exact(&mut start).expect("connected");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    server.signal("-TERM");
    assert!(server.logs("asked to end"));
    stream.write_all(&body[100..]).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"totals\""), "{answer}");
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(std::net::TcpStream::connect_timeout(&server.address, PATIENCE).is_err());
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let server = Server::start(&["--workers", "1", "--max-waiting", "1"]);
    let engine: Value = serde_json::from_slice(&sample("resnet50")).expect("JSON");
    let engines: Vec<Value> = (0..100).map(|_| json!({ "engine_info": engine })).collect();
    let body = json!({ "engines": engines }).to_string().into_bytes();
    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let ask = || server.post("/v1/predict", &["Accept: text/csv"], &body);
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    });
    let refused: Vec<&(u16, String)> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(refused.iter().all(|(status, body)| *status == 429 && body.contains("queue_full")), "{refused:?}");
    assert!(!refused.is_empty() && refused.len() < answers.len(), "{} of {}", refused.len(), answers.len());
    assert!(server.log().contains("queue_full"));
}

#[test]
fn a_graph_is_answered_like_the_command_does() {
    let server = Server::start(&["--workers", "1"]);
    let path = root().join("sample_data/resnet18.onnx");
    let graph = std::fs::read(&path).expect("the sample");
    let models = root().join("trained_models");
    let by_command = |arguments: &[&str]| {
        let (path, models) = (path.to_string_lossy(), models.to_string_lossy());
        let always = ["predict", "--onnx", &path, "--models", &models, "--format", "json"];
        let output = command(&[&always, arguments].concat());
        let mut document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        document.as_object_mut().expect("a document").remove("engine");
        document
    };
    for (query, arguments) in
        [("/v1/predict", &[][..]), ("/v1/predict?precision=fp32&batch=4", &["--precision", "fp32", "--batch", "4"])]
    {
        let (status, answer) = server.post(query, &[], &graph);
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert!(answer["warnings"].to_string().contains("the board may choose otherwise"), "{answer}");
        assert_eq!(prediction(&answer), by_command(arguments), "{query}");
    }
    let (status, answer) = server.post("/v1/predict?precision=fp12", &[], &graph);
    assert!(status == 400 && answer.contains("fp12"), "{answer}");
    let (status, answer) = server.post("/v1/predict", &[], &graph[..graph.len() / 2]);
    assert!((400..500).contains(&status), "{status} {answer}");
}
