//! Against a real MLflow server, which `LAYERJOULE_TEST_MLFLOW` names: the path of the program `mlflow`.

use crate::fixtures::{Forge, Part};
use registry::{Provenance, Registry, Request, mlflow};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server with nothing in it, stopped when dropped.
struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(program: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut process = Command::new(program)
            .args(["server", "--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()])
            .args(["--backend-store-uri", &format!("sqlite:///{}", at("runs.sqlite"))])
            .args(["--artifacts-destination", &at("artifacts")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        // It makes its tables first, which takes a while on a busy machine.
        for _ in 0..1200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Self { process, port, _folder: folder };
            }
            if let Some(status) = process.try_wait().expect("its state") {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                panic!("the server ended with {status}: {log}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let _ = process.kill();
        panic!("the server does not start");
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn post(&self, call: &str, body: &Value) -> Value {
        let sent = reqwest::Client::new().post(format!("{}/api/2.0/mlflow/{call}", self.url())).json(body).send();
        sent.await.expect("an answer").json().await.expect("JSON")
    }

    async fn get(&self, call: &str) -> Value {
        let sent = reqwest::get(format!("{}/api/2.0/mlflow/{call}", self.url()));
        sent.await.expect("an answer").json().await.expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server forks workers; asked to stop, it stops them.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        for _ in 0..100 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[ignore = "needs the `mlflow` that LAYERJOULE_TEST_MLFLOW names: .ci/mlflow"]
async fn an_mlflow_server_shows_what_is_registered_and_deployed() {
    let program = std::env::var("LAYERJOULE_TEST_MLFLOW").expect("LAYERJOULE_TEST_MLFLOW: see .ci/mlflow");
    assert!(Path::new(&program).exists(), "LAYERJOULE_TEST_MLFLOW: there is no {program}");
    let server = Server::start(&program);
    let registry = Registry::over(store::Store::memory());
    let forge = Forge::new();
    let who = Provenance { data_revision: Some("r1".into()), who: "tester".into() };
    let mut versions = Vec::new();
    for (scale, mape) in [(1.0, 5.0), (2.0, 3.0)] {
        let folder = forge.model(Part { scale, mape: Some(mape), ..Part::default() });
        versions.push(registry.register(&folder, None, &who).await.expect("registered")[0].version.clone());
    }
    let request = Request { who: "tester".into(), ..Request::default() };
    registry.promote(&versions[0], &request).await.expect("promoted");
    let first = mlflow::sync(&registry, None, &server.url()).await.expect("copied");
    assert_eq!((first.new, first.models, first.notes), (2, 2, Vec::<String>::new()));
    let again = mlflow::sync(&registry, Some("board"), &server.url()).await.expect("copied");
    assert_eq!((again.new, again.models), (0, 2), "nothing twice");

    let experiment = server.get("experiments/get-by-name?experiment_name=host-trainer/board").await;
    let number = experiment["experiment"]["experiment_id"].clone();
    let runs = server.post("runs/search", &json!({ "experiment_ids": [number], "order_by": ["start_time ASC"] })).await;
    let runs = runs["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    for (run, version) in runs.iter().zip(&versions) {
        let pairs = |what: &str| run["data"][what].as_array().expect("a list").clone();
        let value = |what: &str, key: &str| {
            pairs(what).into_iter().find(|pair| pair["key"] == key).map(|pair| pair["value"].clone())
        };
        assert_eq!(value("tags", "host_trainer.model"), Some(version.record.model.to_string().into()));
        assert_eq!(value("params", "data_revision"), Some("r1".into()));
        assert!(value("params", "configuration.scale").is_some());
        let held_out = value("metrics", "cross-validation by network/mape_percent").and_then(|v| v.as_f64());
        assert!(held_out == Some(5.0) || held_out == Some(3.0), "{held_out:?}");
        assert_eq!(run["info"]["status"], "FINISHED");
        let id = run["info"]["run_id"].as_str().expect("a number");
        let files = server.get(&format!("artifacts/list?run_id={id}")).await;
        let mut names: Vec<&str> =
            files["files"].as_array().expect("files").iter().filter_map(|file| file["path"].as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["card.json", "device.json", "model.onnx"]);
    }
    let deployed = async || {
        let found = server.get("registered-models/alias?name=board.dense.runtime&alias=deployed").await;
        let tags = found["model_version"]["tags"].as_array().expect("tags").clone();
        let tag = |key: &str| tags.iter().find(|tag| tag["key"] == key).map(|tag| tag["value"].clone());
        (tag("host_trainer.model"), tag("host_trainer.status"))
    };
    assert_eq!(deployed().await, (Some(versions[0].record.model.to_string().into()), Some("deployed".into())));
    registry.promote(&versions[1], &request).await.expect("promoted");
    mlflow::sync(&registry, None, &server.url()).await.expect("copied");
    assert_eq!(deployed().await, (Some(versions[1].record.model.to_string().into()), Some("deployed".into())));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_so() {
    let registry = Registry::over(store::Store::memory());
    let forge = Forge::new();
    registry.register(&forge.model(Part::default()), None, &Provenance::default()).await.expect("registered");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let failed = mlflow::sync(&registry, None, &format!("http://127.0.0.1:{port}")).await.expect_err("nobody there");
    assert!(failed.to_string().contains("cannot reach MLflow"), "{failed}");
}
