//! What the server answers is what its OpenAPI document says that it answers.

use crate::fixtures::{Forge, Part};
use crate::server::{Server, command, eventually, sample};
use crate::studies;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// An OpenAPI document to hold answers against.
struct Document(Value);

impl Document {
    fn of(server: &Server) -> Self {
        Self(server.json("/v1/openapi.json"))
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            None => schema,
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("a reference within the document");
                self.resolve(self.0.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")))
            }
        }
    }

    /// The properties that a schema knows, with those of its parts; none where it takes any.
    fn known(&self, schema: &Value) -> Option<BTreeSet<String>> {
        let schema = self.resolve(schema);
        let mut names = BTreeSet::new();
        if schema.get("additionalProperties").is_some() {
            return None;
        }
        if let Some(properties) = schema["properties"].as_object() {
            names.extend(properties.keys().cloned());
        }
        for parts in ["allOf", "oneOf", "anyOf"] {
            for part in schema[parts].as_array().into_iter().flatten() {
                names.extend(self.known(part)?);
            }
        }
        // An object of which nothing is said may hold anything.
        (!names.is_empty()).then_some(names)
    }

    /// What is wrong with a value; a member that the schema does not know is wrong as well.
    fn wrong(&self, value: &Value, schema: &Value, place: &str) -> Vec<String> {
        let mut wrong = self.wrong_parts(value, schema, place);
        if let (Some(object), Some(known)) = (value.as_object(), self.known(schema)) {
            wrong
                .extend(object.keys().filter(|key| !known.contains(*key)).map(|key| format!("{place}.{key}: unknown")));
        }
        wrong
    }

    fn wrong_parts(&self, value: &Value, schema: &Value, place: &str) -> Vec<String> {
        let schema = self.resolve(schema);
        let mut wrong = Vec::new();
        let is = |name: &str| match name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "string" => value.is_string(),
            other => panic!("{place}: {other} is no type"),
        };
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        if !types.is_empty() && !types.iter().any(|name| is(name)) {
            return vec![format!("{place}: {value} is no {types:?}")];
        }
        if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
            wrong.push(format!("{place}: {value} is none of {}", schema["enum"]));
        }
        if let Some(object) = value.as_object() {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !object.contains_key(name) {
                    wrong.push(format!("{place}.{name}: missing"));
                }
            }
            for (name, member) in object {
                let place = format!("{place}.{name}");
                match (schema["properties"].get(name), schema.get("additionalProperties")) {
                    (Some(of), _) | (None, Some(of @ Value::Object(_))) => wrong.extend(self.wrong(member, of, &place)),
                    _ => {}
                }
            }
        }
        if let (Some(list), Some(of)) = (value.as_array(), schema.get("items").filter(|of| of.is_object())) {
            for (i, item) in list.iter().enumerate() {
                wrong.extend(self.wrong(item, of, &format!("{place}[{i}]")));
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            wrong.extend(self.wrong_parts(value, part, place));
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[choice].as_array() {
                let tried: Vec<Vec<String>> = parts.iter().map(|part| self.wrong(value, part, place)).collect();
                if tried.iter().all(|wrong| !wrong.is_empty()) {
                    wrong.push(format!("{place}: fits no part of {choice}: {tried:?}"));
                }
            }
        }
        wrong
    }
}

/// A server with its document, and the answers that were held against it.
struct Checked<'a> {
    server: &'a Server,
    document: Document,
    seen: BTreeSet<(String, u16)>,
}

impl<'a> Checked<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, document: Document::of(server), seen: BTreeSet::new() }
    }

    /// Sends a request to a route and holds the answer against what the document says of its status and its content type.
    fn answers(&mut self, route: &str, path: &str, headers: &[&str], body: &[u8], expected: u16) -> String {
        let (method, template) = route.split_once(' ').expect("a method and a path");
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        headers.iter().for_each(|header| request += &format!("{header}\r\n"));
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let answer = self.server.raw(&[request.as_bytes(), body].concat());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        assert_eq!(status, expected, "{method} {path}: {body}");
        let operation = &self.document.0["paths"][template][method.to_lowercase()];
        assert!(operation.is_object(), "the document has no {route}");
        let response = match &operation["responses"][status.to_string()] {
            Value::Null => &operation["responses"]["default"],
            response => response,
        };
        let media = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-type:").map(|value| value.trim().to_owned()))
            .expect("a content type");
        let media = media.split(';').next().expect("a type");
        let content = &response["content"][media];
        assert!(content.is_object(), "{method} {path}: {status} with {media}, of which the document says nothing");
        if media == "application/json" {
            let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"));
            let wrong = self.document.wrong(&value, &content["schema"], "");
            assert_eq!(wrong, Vec::<String>::new(), "{method} {path}: {status}");
        }
        for event in body.lines().filter_map(|line| line.strip_prefix("data:")) {
            let value: Value = serde_json::from_str(event).unwrap_or_else(|e| panic!("{path}: {e}: {event}"));
            assert_eq!(self.document.wrong(&value, &content["schema"], ""), Vec::<String>::new(), "{event}");
        }
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        self.seen.insert((id, status));
        body.to_owned()
    }
}

/// An engine one layer of which nothing predicts, next to one that is predicted.
fn half_opaque() -> Vec<u8> {
    let mut engine: Value = serde_json::from_slice(&sample("lenet")).expect("JSON");
    engine["Layers"].as_array_mut().expect("layers").push(json!({"Name": "{ForeignNode[a]}", "LayerType": "Myelin"}));
    engine.to_string().into_bytes()
}

#[test]
fn answers_are_as_the_document_says() {
    let folder = tempfile::tempdir().expect("folder");
    let server = studies::server(folder.path());
    let mut checked = Checked::new(&server);
    let engine = |name: &str, info: &[u8]| json!({ "name": name, "engine_info": serde_json::from_slice::<Value>(info).expect("JSON") });
    let predict = "POST /v1/predict";
    checked.answers(predict, "/v1/predict", &[], &sample("resnet18"), 200);
    checked.answers(
        predict,
        "/v1/predict?budget_runtime_ms=1&budget_energy_mj=1&budget_power_w=1",
        &[],
        &half_opaque(),
        200,
    );
    checked.answers(predict, "/v1/predict?device=desktop-gpu", &[], &half_opaque(), 200);
    checked.answers(
        predict,
        "/v1/predict",
        &[],
        br#"{"Layers": [{"Name": "{ForeignNode[a]}", "LayerType": "Myelin"}]}"#,
        200,
    );
    checked.answers(predict, "/v1/predict", &["Accept: text/csv"], &sample("lenet"), 200);
    let several =
        json!({ "engines": [engine("a", &sample("lenet")), engine("b", b"{}")], "budgets": { "runtime_ms": 2.0 } });
    checked.answers(predict, "/v1/predict", &[], several.to_string().as_bytes(), 200);
    checked.answers(predict, "/v1/predict", &["Accept: image/png"], &sample("lenet"), 406);
    checked.answers(predict, "/v1/predict?devise=x", &[], &sample("lenet"), 400);
    checked.answers(predict, "/v1/predict", &[], b"{", 422);
    checked.answers(predict, "/v1/predict", &["Origin: http://evil.example"], &sample("lenet"), 403);
    let rows =
        json!({"layer_kind": "dense", "rows": [{"batch_size": 1, "input_size": 512, "output_size": 1000}]}).to_string();
    checked.answers("POST /v1/rows", "/v1/rows", &[], rows.as_bytes(), 200);
    checked.answers("POST /v1/rows", "/v1/rows", &["Accept: text/csv"], rows.as_bytes(), 200);
    checked.answers("POST /v1/rows", "/v1/rows", &[], b"{}", 422);
    for path in ["/v1/models", "/healthz", "/readyz", "/v1/openapi.json", "/v1/studies"] {
        checked.answers(&format!("GET {path}"), path, &[], b"", 200);
    }
    for (accept, has_end) in [("*/*", false), ("application/openmetrics-text", true)] {
        let answer = checked.answers("GET /metrics", "/metrics", &[&format!("Accept: {accept}")], b"", 200);
        assert_eq!(answer.ends_with("# EOF\n"), has_end, "{answer}");
    }
    checked.answers("GET /metrics", "/metrics", &["Accept: image/png"], b"", 406);
    for path in ["/v1/models/registered", "/v1/models/history"] {
        checked.answers(&format!("GET {path}"), path, &[], b"", 409);
    }

    let begin = "POST /v1/studies";
    let order = json!({ "space": { "lasso.eps": [0.1, 0.01] }, "samples": 30 });
    let asked = json!({ "space": { "lasso.eps": [0.1, 0.01] }, "samples": 30, "dry_run": true });
    checked.answers(begin, "/v1/studies", &[], asked.to_string().as_bytes(), 200);
    checked.answers(begin, "/v1/studies", &[], b"{}", 422);
    let begun = checked.answers(begin, "/v1/studies", &[], order.to_string().as_bytes(), 201);
    let begun: Value = serde_json::from_str(&begun).expect("JSON");
    let name = begun["name"].as_str().expect("a name");
    assert!(eventually(|| studies::stands(&server, name).0 == "done"), "{}", server.log());
    checked.answers("GET /v1/studies", "/v1/studies", &[], b"", 200);
    checked.answers("GET /v1/studies/{name}", &format!("/v1/studies/{name}"), &[], b"", 200);
    checked.answers("GET /v1/studies/{name}", "/v1/studies/none", &[], b"", 404);
    checked.answers("GET /v1/studies/{name}/events", &format!("/v1/studies/{name}/events"), &[], b"", 200);
    for action in ["start", "stop"] {
        let route = format!("POST /v1/studies/{{name}}/{action}");
        checked.answers(&route, &format!("/v1/studies/{name}/{action}"), &[], b"", 200);
        checked.answers(&route, &format!("/v1/studies/none/{action}"), &[], b"", 404);
    }

    let begin = "POST /v1/batches";
    let mut order = json!({ "grid": { "lasso.eps": [0.1, 0.01] }, "dry_run": true });
    checked.answers(begin, "/v1/batches", &[], order.to_string().as_bytes(), 200);
    order["dry_run"] = false.into();
    checked.answers(begin, "/v1/batches", &[], b"{}", 422);
    checked.answers(begin, "/v1/batches", &[], br#"{"grid": {"lasso.epz": [1]}}"#, 400);
    let begun = checked.answers(begin, "/v1/batches", &[], order.to_string().as_bytes(), 201);
    let begun: Value = serde_json::from_str(&begun).expect("JSON");
    let batch = format!("/v1/batches/{}", begun["name"].as_str().expect("a name"));
    // A stream that ends when the batch is done.
    checked.answers("GET /v1/batches/{name}/events", &format!("{batch}/events"), &[], b"", 200);
    checked.answers("GET /v1/batches", "/v1/batches", &[], b"", 200);
    for part in ["", "/results", "/events"] {
        let route = format!("GET /v1/batches/{{name}}{part}");
        checked.answers(&route, &format!("{batch}{part}"), &[], b"", 200);
        checked.answers(&route, &format!("/v1/batches/none{part}"), &[], b"", 404);
    }
    checked.answers("GET /v1/batches/{name}/results", &format!("{batch}/results?limit=0"), &[], b"", 400);
    for action in ["start", "stop"] {
        let route = format!("POST /v1/batches/{{name}}/{action}");
        checked.answers(&route, &format!("{batch}/{action}"), &[], b"", 200);
        checked.answers(&route, &format!("/v1/batches/none/{action}"), &[], b"", 404);
    }

    let store = tempfile::tempdir().expect("folder");
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let registered =
        command(&["models", "register", &text(&Forge::new().model(Part::default())), "--store", &text(store.path())]);
    assert!(registered.status.success(), "{}", String::from_utf8_lossy(&registered.stderr));
    let of_store = Server::of_store(store.path());
    let mut of_store = Checked::new(&of_store);
    of_store.answers("GET /readyz", "/readyz", &[], b"", 503);
    let model = br#"{"model": "board/dense/runtime@1"}"#;
    let alias = br#"{"alias": "board/dense/runtime"}"#;
    of_store.answers("POST /v1/models/promote", "/v1/models/promote", &[], model, 200);
    of_store.answers("POST /v1/models/promote", "/v1/models/promote", &[], br#"{"model": "zz"}"#, 400);
    of_store.answers("POST /v1/models/rollback", "/v1/models/rollback", &[], alias, 409);
    for path in ["/v1/models/registered", "/v1/models/history", "/v1/models", "/readyz"] {
        of_store.answers(&format!("GET {path}"), path, &[], b"", 200);
    }

    // The endless stream of events is the only route that was left out.
    let paths = checked.document.0["paths"].as_object().expect("paths").values();
    let ids: BTreeSet<&str> = paths
        .flat_map(|item| item.as_object().expect("operations").values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let seen: BTreeSet<&str> = checked.seen.iter().chain(&of_store.seen).map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids.difference(&seen).copied().collect::<Vec<_>>(), ["follow_events"]);
}

#[test]
fn what_is_not_known_is_null_and_a_budget_that_cannot_be_checked_is_not_kept() {
    let server = Server::start(&[]);
    let totals = |path: &str, body: &[u8]| -> Value {
        let (status, answer) = server.post(path, &[], body);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).expect("JSON")
    };
    // A device whose power was measured.
    let budgets =
        "/v1/predict?device=jetson-orin-nano&budget_runtime_ms=1000&budget_energy_mj=1000&budget_power_w=1000";
    let kept = |answer: &Value| -> Vec<bool> {
        answer["budgets"].as_array().expect("budgets").iter().map(|b| b["kept"].as_bool().expect("a word")).collect()
    };
    let whole = totals(budgets, &sample("lenet"));
    assert_eq!(kept(&whole), [true, true, true]);
    let default = "/v1/predict?budget_runtime_ms=1000&budget_energy_mj=1000&budget_power_w=1000";
    let without_power = totals(default, &sample("lenet"));
    assert_eq!(kept(&without_power), [true, false, false]);
    assert_eq!(without_power["totals"]["energy_mj"], Value::Null);
    let part = totals(budgets, &half_opaque());
    assert_eq!(kept(&part), [false, false, false]);
    assert_eq!(part["totals"]["runtime_is_lower_bound"], true);
    assert_eq!(part["totals"]["runtime_ms"], whole["totals"]["runtime_ms"]);
    assert_eq!(part["budgets"][0]["at_least"], whole["totals"]["runtime_ms"]);
    assert_eq!(part["totals"]["average_power_w"], Value::Null);
    let nothing = totals(budgets, br#"{"Layers": [{"Name": "{ForeignNode[a]}", "LayerType": "Myelin"}]}"#);
    assert_eq!(kept(&nothing), [false, false, false]);
    for figure in ["runtime_ms", "energy_mj", "average_power_w", "runtime_modelled_percent"] {
        assert_eq!(nothing["totals"][figure], Value::Null, "{figure}");
    }
}
