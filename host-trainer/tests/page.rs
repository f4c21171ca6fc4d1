//! The page as the real server serves it, without a browser: what is sent, refused, kept and escaped.

use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, redirect};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const HOSTILE: &str = "<script>alert(1)</script>";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A server, killed when dropped.
struct Server {
    child: Child,
    url: String,
    client: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(state: &Path, tokens: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOST_TRAINER_")) {
            command.env_remove(name);
        }
        if let Some(tokens) = tokens {
            command.env("HOST_TRAINER_TOKENS", tokens);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--models"]).arg(root().join("trained_models"));
        command.arg("--state").arg(state).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut url).expect("a line");
        // A second call is told that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
        Self { child, url: url.trim().to_owned(), client }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).header(ACCEPT, "text/html")
    }

    /// A form with one file, as a browser sends it.
    fn upload(&self, name: &str, content: &str) -> RequestBuilder {
        let body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--edge--\r\n"
        );
        self.client
            .post(format!("{}/engines", self.url))
            .header(ACCEPT, "text/html")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .body(body)
    }
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("answered")
}

fn to(answer: &Response) -> String {
    answer.headers().get(LOCATION).expect("leads on").to_str().expect("text").to_owned()
}

#[tokio::test]
async fn an_engine_is_shown_downloaded_and_found_again() {
    let state = tempfile::tempdir().expect("a folder");
    let info = std::fs::read_to_string(root().join("sample_data/resnet18_trt_engine_info.json")).expect("a sample");
    let hostile = info.replacen("\"Name\":\"", &format!("\"Name\":\"{HOSTILE}"), 3);
    assert!(info != hostile, "the sample names its layers otherwise");
    let server = Server::start(state.path(), None);
    let start = sent(server.get("/")).await;
    assert_eq!(start.status(), 200);
    let policy = start.headers()["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");

    let answer = sent(server.upload("<b>.json", &hostile)).await;
    assert_eq!(answer.status(), 303);
    let path = to(&answer);
    let shown = sent(server.get(&path)).await.text().await.expect("a page");
    assert!(shown.contains("&lt;script&gt;alert(1)") && !shown.contains(HOSTILE));
    assert!(shown.contains("&lt;b&gt;.json") && !shown.contains("<b>.json"));
    let csv = sent(server.get(&format!("{}.csv", path.split('?').next().unwrap_or_default()))).await;
    assert!(csv.headers()["content-disposition"].to_str().expect("text").contains("attachment"));
    assert!(csv.text().await.expect("text").starts_with("layer_name,layer_type,"));
    let refused = sent(server.upload("a.json", "{}")).await;
    assert_eq!(refused.status(), 422);
    let said = refused.text().await.expect("a page");
    assert!(said.contains("role=\"alert\"") && said.contains("a.json"), "{said}");
    drop(server);

    let again = Server::start(state.path(), None);
    assert_eq!(sent(again.get(&path)).await.status(), 200);
    for gone in ["/engines/..%2f..%2fetc%2fpasswd", "/engines/0123", "/static/../Cargo.toml", "/static/none.css"] {
        assert_eq!(sent(again.get(gone)).await.status(), 404, "{gone}");
    }
    let script = again.client.get(format!("{}/engines/0123", again.url));
    let script = sent(script).await.text().await.expect("text");
    assert!(script.starts_with('{'), "scripts get JSON: {script}");
}

#[tokio::test]
async fn other_sites_and_strangers_are_kept_out() {
    let state = tempfile::tempdir().expect("a folder");
    let server = Server::start(state.path(), Some("ada read,predict a-secret-of-length"));
    let elsewhere = server.upload("a.json", "{}").header("origin", "http://evil.example");
    assert_eq!(sent(elsewhere).await.status(), 403);
    let stranger = sent(server.get("/models")).await;
    assert_eq!(stranger.status(), 401);
    assert!(stranger.text().await.expect("a page").contains("type=\"password\""));
    let sign_in = |token: &str| {
        let body = format!("token={token}&next=%2F%2Fevil.example");
        server
            .client
            .post(format!("{}/login", server.url))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
    };
    let wrong = sent(sign_in("wrong")).await;
    assert_eq!(wrong.status(), 401);
    assert!(!wrong.headers().contains_key(SET_COOKIE));
    let right = sent(sign_in("a-secret-of-length")).await;
    assert_eq!((right.status().as_u16(), to(&right).as_str()), (303, "/"));
    let cookie = right.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let known = sent(server.get("/models").header(COOKIE, &cookie)).await;
    assert_eq!(known.status(), 200);
    assert!(known.text().await.expect("a page").contains("Sign out"));
    let form = server.client.post(format!("{}/models/jetson-orin-nano/dense/power/promote", server.url));
    let promoted = form.header(COOKIE, &cookie).header(ACCEPT, "text/html").body("");
    assert_eq!(sent(promoted).await.status(), 403, "reading is not promoting");
}

#[tokio::test]
async fn an_engine_is_shown_in_the_modes_that_the_command_predicts() {
    let state = tempfile::tempdir().expect("a folder");
    let sample = root().join("sample_data/resnet18_trt_engine_info.json");
    let info = std::fs::read_to_string(&sample).expect("a sample");
    let server = Server::start(state.path(), None);
    let path = to(&sent(server.upload("resnet18.json", &info)).await);
    let engine = path.split('?').next().unwrap_or_default();
    let get = async |query: &str| {
        let answer = sent(server.get(&format!("{engine}/modes?device=jetson-orin-nano{query}"))).await;
        (answer.status().as_u16(), answer.text().await.expect("a page"))
    };
    let layers = sent(server.get(&path)).await.text().await.expect("a page");
    assert!(layers.contains(&format!("href=\"{engine}/modes?device=")), "the layers lead to the modes");

    // Nothing recorded in which mode these models were measured: the page asks.
    let (status, asked) = get("").await;
    assert_eq!(status, 200);
    assert!(
        asked.contains("The clocks of jetson-orin-nano, orin-nano are not known.")
            && asked.contains("name=\"own_mode\"")
    );
    assert!(asked.contains("2133.0") && !asked.contains("Pareto front"));

    let (status, shown) = get("&own_mode=15W&mode=25W&batch=1,4").await;
    assert_eq!(status, 200);
    let command = Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .args(["choose", "--device", "jetson-orin-nano", "--own-mode", "15W", "--batch", "1,4", "--format", "json"])
        .arg("--models")
        .arg(root().join("trained_models"))
        .arg(&sample)
        .output()
        .expect("the binary runs");
    let chosen: serde_json::Value = serde_json::from_slice(&command.stdout).expect("JSON");
    let candidates = chosen["candidates"].as_array().expect("a list");
    let best = &candidates[chosen["chosen"].as_u64().expect("one") as usize];
    let best = format!("{}, batch {}", best["mode"].as_str().expect("a mode"), best["batch"]);
    assert!(shown.contains(&format!("Chosen for energy: <strong>{best}</strong>")), "{best} is not chosen: {shown}");
    let rows = shown.split("id=\"candidates\"").nth(1).and_then(|rest| rest.split("</table>").next()).expect("a table");
    assert_eq!(rows.matches("<tr").count(), 1 + candidates.len());
    for one in candidates {
        let energy = one["energy_mj"].as_f64().expect("known");
        let digits = if energy >= 1000.0 {
            0
        } else if energy >= 100.0 {
            1
        } else if energy >= 10.0 {
            2
        } else {
            3
        };
        assert!(rows.contains(&format!("<td class=\"n\">{energy:.digits$}</td>")), "{energy} mJ: {rows}");
    }
    assert!(shown.contains("orin-nano, 25W, batch 1") && shown.contains("Pareto front"));

    let (status, none) = get("&own_mode=15W&limit=1us").await;
    assert_eq!(status, 200);
    assert!(none.contains("No candidate takes at most 0.001 ms") && none.contains("role=\"status\""), "{none}");
    // Modes of another board are forgotten, wrong ones refused.
    assert_eq!(get("&of=orin-nx&mode=40W&own_mode=40W").await.0, 200);
    for (wrong, said) in [
        ("&own_mode=15W&mode=nonsense", "no power mode nonsense"),
        ("&own_mode=nonsense", "no power mode nonsense"),
        ("&own_mode=15W&batch=0", "whole numbers from 1"),
        ("&own_mode=15W&limit=soon", "not a time"),
        ("&own_mode=15W&goal=beauty", "no such goal"),
    ] {
        let (status, page) = get(wrong).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(page.contains(said), "{wrong}: {page}");
    }
    assert_eq!(sent(server.get(&format!("{engine}/modes?device=nothing"))).await.status(), 422);
}
