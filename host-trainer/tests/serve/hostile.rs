//! Bad input: refused, logged, nothing leaked, still serving.

use crate::server::{PATIENCE, Server, eventually, sample};
use std::io::{Read, Write};
use std::net::TcpStream;

fn still_serves(server: &Server) {
    let (status, answer) = server.post("/v1/predict", &[], &sample("lenet"));
    assert_eq!(status, 200, "{answer} {}", server.log());
}

#[test]
fn bodies_that_are_no_engines_are_refused_with_their_reason() {
    let server = Server::start(&["--max-body", "1", "--max-layers", "2000"]);
    let whole = sample("resnet18");
    let deep = format!(r#"{{"Layers": [{}]}}"#, "[".repeat(100_000));
    let deep_batch = format!(r#"{{"engines": [{{"engine_info": {}}}]}}"#, "[".repeat(100_000));
    let many = format!(r#"{{"Layers": [{}]}}"#, vec![r#"{"Name":"a","LayerType":"Reformat"}"#; 3000].join(","));
    let engines = format!(r#"{{"engines": [{}]}}"#, vec![r#"{"engine_info":{}}"#; 300].join(","));
    let huge = vec![b' '; (1 << 20) + 1];
    for (body, status, code) in [
        (&b""[..], 422, "no_engine_info"),
        (b"{", 422, "no_engine_info"),
        (b"[1, 2, 3]", 422, "no_engine_info"),
        (b"null", 422, "no_engine_info"),
        (b"\x08\x07\x12\x04test", 422, "bad_data"),
        (b"\xff\xfe\xff\xff\xff", 422, "no_engine_info"),
        (br#"{"Layers": []}"#, 422, "no_engine_info"),
        (br#"{"Layers": ["a", "b"]}"#, 422, "no_engine_info"),
        (br#"{"Layers": 1, "engines": 2}"#, 422, "no_engine_info"),
        (&whole[..30], 422, "no_engine_info"),
        (br#"{"engines": [1]}"#, 422, "bad_batch"),
        (br#"{"engines": [{"engine_info": {}}], "device": {"a": []}}"#, 422, "bad_batch"),
        (deep.as_bytes(), 422, "no_engine_info"),
        (deep_batch.as_bytes(), 422, "bad_batch"),
        (engines.as_bytes(), 422, "bad_batch"),
        (many.as_bytes(), 413, "too_large"),
        (&huge, 413, "too_large"),
    ] {
        let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(server.refusal("/v1/predict", &[], body), (status, code.to_owned()), "{start}");
    }
    // A body that says nothing of its length is cut off where it passes the cap.
    let head =
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let chunk = [format!("{:x}\r\n", huge.len()).as_bytes(), &huge, b"\r\n0\r\n\r\n"].concat();
    let answer = server.raw(&[head, &chunk[..]].concat());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    // One cut off in the middle of its layers is read as far as it goes, with a warning, as the command does.
    let (status, answer) = server.post("/v1/predict", &[], &whole[..whole.len() / 2]);
    assert!(status == 200 && answer.contains("breaks off"), "{answer}");
    assert!(server.logs("no_engine_info") && server.logs("too_large"));
    assert!(!server.log().contains("LayerType"), "bodies are not logged");
    still_serves(&server);
}

#[test]
fn names_are_data_whatever_they_hold() {
    let server = Server::start(&[]);
    let name = r#"<script>alert(1)</script>\u001b[2J\r\nSet-Cookie: a=b"#;
    let body = String::from_utf8(sample("lenet")).expect("UTF-8").replace("conv1/Conv + conv1/Relu", name);
    let answer = server.raw(
        format!(
            "POST /v1/predict?name=%3Cscript%3E HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff") && !head.contains("set-cookie"), "{head}");
    let document: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let named = |layer: &serde_json::Value| {
        layer["layer_name"]
            .as_str()
            .is_some_and(|n| n.contains("<script>alert(1)</script>\u{1b}[2J\r\nSet-Cookie: a=b"))
    };
    assert!(document["layers"].as_array().expect("layers").iter().any(named));
    assert_eq!(document["engine"], "<script>");
    still_serves(&server);
}

#[test]
fn paths_lead_nowhere_but_to_routes() {
    let server = Server::start(&[]);
    for path in [
        "/../../../../etc/passwd",
        "/static/../../Cargo.toml",
        "/static/%2e%2e/%2e%2e/Cargo.toml",
        "/v1/models/..%2f..%2fetc",
        "/v1/studies/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/v1/predict/../../x",
    ] {
        let (status, body) = server.get(path);
        assert!(matches!(status, 400 | 404 | 405), "{path}: {status} {body}");
        assert!(!body.contains("root:") && !body.contains("[workspace]"), "{path}: {body}");
    }
    assert_eq!(server.get("/v1/models/history?device=../../etc").0, 400);
    assert_eq!(server.get("/v1/predict").0, 405);
    assert_eq!(server.request("BREW", "/v1/models", &[], b"").0, 405);
    let answer = server
        .raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a b<script>\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("<script"), "{answer}");
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", &[0; 4096]] {
        let answer = server.raw(nonsense);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(200_000));
    let answer = server.raw(long.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    still_serves(&server);
}

#[test]
fn slow_and_idle_clients_hold_nobody_up() {
    let server = Server::start(&["--header-timeout", "2", "--timeout", "2"]);
    // Headers that never end, a body that never comes, and thousands who say nothing.
    let mut slow = server.connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").expect("sent");
    let mut body = server.connect();
    body.write_all(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{").expect("sent");
    let idle: Vec<TcpStream> = (0..as_many_as_may_be_open(3000)).map(|_| server.connect()).collect();
    still_serves(&server);
    let closed = |mut stream: &TcpStream| {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Err(e) if e.kind() != std::io::ErrorKind::ConnectionReset => panic!("the server does not close: {e}"),
            _ => {}
        }
        String::from_utf8_lossy(&rest).into_owned()
    };
    let answer = closed(&slow);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = closed(&body);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("timeout"), "{answer}");
    for stream in &idle {
        assert_eq!(closed(stream), "");
    }
    let open =
        || server.json("/readyz")["ready"] == true && server.get("/metrics").1.contains("host_trainer_connections 1\n");
    assert!(eventually(open), "{}", server.get("/metrics").1);
    still_serves(&server);
}

/// So many connections, or as many as this process may open beside what the other tests need.
fn as_many_as_may_be_open(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux tells limits");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit on files");
    let most = files.split_whitespace().next().and_then(|most| most.parse().ok()).unwrap_or(usize::MAX);
    wanted.min(most.saturating_sub(300))
}

#[test]
fn who_never_reads_an_answer_is_let_go() {
    let server = Server::start(&["--write-timeout", "1"]);
    // More in answers than the system's buffers on both sides hold.
    let request = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000);
    let readers: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    for mut stream in &readers {
        stream.set_write_timeout(Some(std::time::Duration::from_secs(1))).expect("a socket");
        let _ = stream.write_all(&request);
    }
    let gone = || server.log().matches("does not read its answer").count() >= readers.len();
    assert!(eventually(gone), "{}", server.log());
    let closed = || server.get("/metrics").1.contains("host_trainer_connections 1\n");
    assert!(eventually(closed), "{}", server.get("/metrics").1);
    still_serves(&server);
    drop(readers);
}

#[test]
fn past_the_cap_a_connection_is_closed_at_once() {
    let server = Server::start(&["--max-connections", "10"]);
    let held: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    assert!(eventually(|| TcpStream::connect(server.address).is_ok() && server.log().contains("too many connections")));
    drop(held);
    assert!(eventually(|| {
        let mut stream = server.connect();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    }));
    still_serves(&server);
}
