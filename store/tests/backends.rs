//! The conformance suite on memory, on a folder, and on S3-speaking servers where one is installed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use std::sync::Arc;
use store::conformance::{Faults, half_pushes_are_invisible, run, run_one_by_one, writers};
use store::{Key, Store};

/// Of a thousand requests, so many go wrong.
const FAULTS: u64 = 60;

fn faulty(backend: &Arc<dyn ObjectStore>, seed: u64) -> Store {
    Store::over(Arc::new(Faults::new(Arc::clone(backend), seed, FAULTS)), None, "faulty")
}

fn plain(backend: &Arc<dyn ObjectStore>) -> Store {
    Store::over(Arc::clone(backend), None, "plain")
}

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let backend = memory();
    run(&plain(&backend), &plain(&backend)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms_with_faults() {
    for seed in 0..3 {
        let backend = memory();
        run(&faulty(&backend, seed), &plain(&backend)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store").display().to_string()).unwrap();
    run(&store, &store.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_conforms_with_faults() {
    let folder = tempfile::tempdir().unwrap();
    let backend: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    run(&faulty(&backend, 7), &plain(&backend)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_cut_off_anywhere_is_invisible() {
    half_pushes_are_invisible(memory(), Some(Key::new("a/prefix").unwrap())).await;
    let folder = tempfile::tempdir().unwrap();
    half_pushes_are_invisible(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_writers_lose_none_of_their_snapshots() {
    // A thousand take a minute of two cores: CI asks for them.
    let asked = std::env::var("LAYERJOULE_TEST_SNAPSHOTS");
    let snapshots = asked.map_or(160, |number| number.parse().expect("LAYERJOULE_TEST_SNAPSHOTS is a number"));
    writers(&Store::memory(), 16, snapshots).await;
}

/// An S3-speaking server on a free port of this machine, killed when it is dropped.
struct Server {
    process: std::process::Child,
    _folder: tempfile::TempDir,
    environment: std::collections::BTreeMap<String, String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts the server that an environment variable names.
    fn start(variable: &str, arguments: impl Fn(u16, &std::path::Path) -> Vec<String>) -> Self {
        let program =
            std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} must name a server: see .ci/store"));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        // A bucket of a server that keeps its objects in folders.
        std::fs::create_dir(folder.path().join("bucket")).unwrap();
        let process = std::process::Command::new(program)
            .args(arguments(port, folder.path()))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let environment = [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ACCESS_KEY_ID", "key".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_REGION", "us-east-1".into()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let server = Self { process, _folder: folder, environment };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{variable}: the server does not listen")
    }

    fn store(&self, folder: &str) -> Store {
        Store::open_with(&format!("s3://bucket/{folder}"), &self.environment).unwrap()
    }

    async fn conforms(&self) {
        let store = self.store("plain");
        run(&store, &store.clone()).await;
        let clean = self.store("faulty");
        let faulty = clean.with_backend(|backend| Arc::new(Faults::new(backend, 11, FAULTS)));
        run(&faulty, &clean).await;
        writers(&self.store("writers"), 4, 24).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server that LAYERJOULE_TEST_MOTO names: .ci/store"]
async fn s3_by_moto_conforms() {
    let arguments =
        |port: u16, _: &std::path::Path| vec!["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string()];
    let server = Server::start("LAYERJOULE_TEST_MOTO", arguments);
    // The mock makes a bucket for whoever asks, signed or not.
    let endpoint = server.environment["AWS_ENDPOINT_URL"].clone();
    let created = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let address = endpoint.trim_start_matches("http://").to_owned();
        let mut connection = std::net::TcpStream::connect(&address).unwrap();
        let authority =
            "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        write!(connection, "PUT /bucket HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authority}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    });
    let created = created.await.unwrap();
    assert!(created.starts_with("HTTP/1.1 200"), "{created}");
    server.conforms().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server that LAYERJOULE_TEST_S3S names: .ci/store"]
async fn s3_by_s3s_conforms() {
    let arguments = |port: u16, folder: &std::path::Path| {
        let port = port.to_string();
        let options = ["--host", "127.0.0.1", "--port", &port, "--access-key", "key", "--secret-key", "secret"];
        options.iter().map(|option| (*option).to_owned()).chain([folder.display().to_string()]).collect()
    };
    let server = Server::start("LAYERJOULE_TEST_S3S", arguments);
    // It creates an object in two steps: of two writers that race both may win, as the whole suite shows on it.
    let store = server.store("plain");
    run_one_by_one(&store, &store.clone()).await;
    let clean = server.store("faulty");
    let faulty = clean.with_backend(|backend| Arc::new(Faults::new(backend, 11, FAULTS)));
    run_one_by_one(&faulty, &clean).await;
}
