//! Who may do what, and from where.

use crate::server::{Server, command, root, sample};

const READER: &str = "reader-secret-0123456789";
const PREDICTOR: &str = "predictor-secret-0123456789";
const PROMOTER: &str = "promoter-secret-0123456789";

fn bearer(secret: &str) -> String {
    format!("Authorization: Bearer {secret}")
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    let models = root().join("trained_models");
    let output = command(&["serve", "--listen", "0.0.0.0:0", "--models", &models.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token-file"));
}

#[test]
fn tokens_allow_what_their_scopes_say_and_are_never_logged() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("tokens");
    let text =
        format!("reader read {READER}\npredictor predict {PREDICTOR}\npromoter read,predict,promote {PROMOTER}\n");
    std::fs::write(&file, text).expect("written");
    let server = Server::start(&["--token-file", &file.to_string_lossy(), "--log-format", "json"]);
    let engine = sample("lenet");

    assert_eq!(server.get("/healthz").0, 200);
    assert_eq!(server.get("/readyz").0, 200);
    assert_eq!(server.get("/v1/models").0, 401);
    assert_eq!(server.refusal("/v1/predict", &[], &engine), (401, "token_missing".into()));
    let wrong = bearer("reader-secret-0123456780");
    assert_eq!(server.refusal("/v1/predict", &[&wrong], &engine), (401, "token_wrong".into()));
    assert_eq!(server.refusal("/v1/predict", &[&bearer(READER)], &engine), (403, "scope_missing".into()));
    assert_eq!(server.request("GET", "/v1/models", &[&bearer(READER)], b"").0, 200);
    assert_eq!(server.request("GET", "/v1/models", &[&format!("Cookie: host_trainer_token={READER}")], b"").0, 200);
    assert_eq!(server.post("/v1/predict", &[&bearer(PREDICTOR)], &engine).0, 200);
    assert_eq!(server.request("GET", "/metrics", &[&bearer(PREDICTOR)], b"").0, 403);
    let promote = br#"{"model": "board/dense/runtime@1"}"#;
    assert_eq!(server.refusal("/v1/models/promote", &[&bearer(PREDICTOR)], promote), (403, "scope_missing".into()));
    assert_eq!(server.refusal("/v1/models/promote", &[&bearer(PROMOTER)], promote), (409, "no_store".into()));

    // An address that keeps guessing has to wait; one that knows its token does not.
    let guesses: Vec<u16> = (0..40).map(|_| server.post("/v1/predict", &[&wrong], &engine).0).collect();
    assert!(guesses.contains(&429) && guesses.iter().all(|status| matches!(status, 401 | 429)), "{guesses:?}");
    assert_eq!(server.post("/v1/predict", &[&bearer(PREDICTOR)], &engine).0, 200);

    assert!(server.logs("token_wrong"));
    let log = server.log();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string());
    }
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn tokens_come_from_the_environment_too() {
    let models = root().join("trained_models");
    let tokens = format!("reader read {READER}");
    let server = Server::with(&["--models", &models.to_string_lossy()], &[("HOST_TRAINER_TOKENS", &tokens)]);
    assert_eq!(server.get("/v1/models").0, 401);
    assert_eq!(server.request("GET", "/v1/models", &[&bearer(READER)], b"").0, 200);
}

#[test]
fn pages_of_other_sites_reach_nothing() {
    let server = Server::start(&["--allow-host", "models.example"]);
    let engine = sample("lenet");
    for host in ["evil.example", "evil.example:80", "localhost.evil.example"] {
        let host = format!("Host: {host}");
        assert_eq!(server.refusal("/v1/predict", &[&host], &engine), (403, "host_refused".into()));
        assert_eq!(server.request("GET", "/v1/models", &[&host], b"").0, 403);
    }
    assert_eq!(server.request("GET", "/v1/models", &["Host: models.example"], b"").0, 200);
    let promote = br#"{"model": "board/dense/runtime@1"}"#;
    for site in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        assert_eq!(server.refusal("/v1/models/promote", &[site], promote), (403, "cross_site".into()));
    }
    assert_eq!(server.post("/v1/predict", &["Origin: http://localhost"], &engine).0, 200);
    // No other site may read an answer: no header says so.
    let answer = server
        .raw(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n");
    let head = answer.split("\r\n\r\n").next().expect("a head").to_lowercase();
    assert!(!head.contains("access-control"), "{head}");
    for header in
        ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "x-frame-options: deny"]
    {
        assert!(head.contains(header), "{head}");
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let server = Server::start(&["--rate-limit", "2"]);
    let request = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers: Vec<String> = (0..60).map(|_| server.raw(request)).collect();
    let refused: Vec<&String> = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 429")).collect();
    assert!(!refused.is_empty() && refused.len() < answers.len());
    assert!(refused.iter().all(|answer| answer.contains("retry-after: ") && answer.contains("rate_limited")));
}
