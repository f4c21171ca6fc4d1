//! The real binary as a server, and what is needed to talk to it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Long enough for anything on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(root().join(format!("sample_data/{name}_trt_engine_info.json"))).expect("a sample")
}

/// The command without a server: predictions of the same engine from the same models.
pub(crate) fn command(arguments: &[&str]) -> std::process::Output {
    binary().args(arguments).output().expect("the binary runs")
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOST_TRAINER_")) {
        command.env_remove(name);
    }
    command
}

/// A server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Its own state, where the test has none for it.
    _state: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Serves the models that come with the program.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let models = root().join("trained_models");
        Self::with(&[&["--models", &models.to_string_lossy()], arguments].concat(), &[])
    }

    /// Serves what is deployed in a store.
    pub(crate) fn of_store(store: &Path) -> Self {
        Self::with(&["--store", &store.to_string_lossy(), "--poll", "0.2"], &[])
    }

    pub(crate) fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let (mut command, state) = (binary(), tempfile::tempdir().expect("folder"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "debug"]).args(arguments);
        if !arguments.contains(&"--state") {
            command.arg("--state").arg(state.path());
        }
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                let mut line = String::new();
                while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                    log.lock().expect("the log").push_str(&line);
                    line.clear();
                }
            }
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut line).expect("stdout");
        let address = line.trim().rsplit("//").next().and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}: {}", log.lock().expect("the log")));
        Self { child, address, log, _state: state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Waits for a line of the log that holds a text.
    pub(crate) fn logs(&self, text: &str) -> bool {
        eventually(|| self.log().contains(text))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A connection of one's own.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("accepted");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// Sends bytes as they are and returns all that comes back until the server closes.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may refuse and close before all of it was sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request with a body, and its status and answer.
    pub(crate) fn post(&self, path: &str, headers: &[&str], body: &[u8]) -> (u16, String) {
        self.request("POST", path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> (u16, String) {
        let host =
            if headers.iter().any(|h| h.starts_with("Host:")) { String::new() } else { "Host: localhost\r\n".into() };
        let mut request = format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let answer = self.raw(&[request.as_bytes(), body].concat());
        let (head, body) =
            answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?} {}", self.log()));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// Sends a document, and gives the status and the document that is answered.
    pub(crate) fn send(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.post(path, &[], body.to_string().as_bytes());
        (status, serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}")))
    }

    /// Follows a stream of events in the background.
    pub(crate) fn follow(&self, path: &str) -> Arc<Mutex<Vec<Value>>> {
        let mut stream = self.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("data:") {
                    into.lock().expect("events").push(serde_json::from_str(event).expect("JSON"));
                }
            }
        });
        told
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (_, body) = self.get(path);
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    /// The stable code of a refusal.
    pub(crate) fn refusal(&self, path: &str, headers: &[&str], body: &[u8]) -> (u16, String) {
        let (status, body) = self.post(path, headers, body);
        let json: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        (status, json["error"]["code"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned())
    }
}

/// Whether something becomes true.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
