//! What a server is told.

use super::access::Tokens;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tune::studies::Location;

/// Where the models come from.
#[derive(Debug, Clone)]
pub enum ModelSource {
    /// A folder as `fit --out` writes it.
    Folder(PathBuf),
    /// What is deployed in a store, by its URL or folder.
    Store(String),
}

/// A certificate with its key, PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Caps on what one client, one request and all of them together may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body, bytes.
    pub body_bytes: usize,
    /// Most layers of all engines of a request.
    pub layers: usize,
    /// Most engines, or rows, of a request.
    pub engines: usize,
    /// Longest time from a request's headers to its answer's.
    pub request_time: Duration,
    /// Longest time for a request's headers to arrive, and for which a connection may idle between requests.
    pub header_time: Duration,
    /// Longest time for which a client may take nothing of its answer.
    pub write_time: Duration,
    /// Most connections open at once; further ones are closed.
    pub connections: usize,
    /// Most requests for predictions that wait for a worker; further ones are told to come back.
    pub waiting: usize,
    /// Most bytes of all bodies that are read, wait, or are worked on.
    pub waiting_bytes: usize,
    /// Requests a second from one client; none for no limit.
    pub requests_per_second: Option<u32>,
    /// Longest time that a shutdown waits for requests in flight.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            layers: 20_000,
            engines: 256,
            request_time: Duration::from_secs(30),
            header_time: Duration::from_secs(15),
            write_time: Duration::from_secs(30),
            connections: 4_096,
            waiting: 1_024,
            waiting_bytes: 256 << 20,
            requests_per_second: None,
            shutdown_time: Duration::from_secs(30),
        }
    }
}

/// What a server is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host names that requests may be addressed to, beside this machine's own on loopback.
    pub hosts: Vec<String>,
    /// Where the models come from.
    pub models: ModelSource,
    /// Folder for what outlives the process: engines that the page was given, the queue of studies.
    pub state: PathBuf,
    /// Database of studies; none: a file in the state folder.
    pub studies: Option<Location>,
    /// Training data for studies that are started here.
    pub data: Option<PathBuf>,
    /// How often to look for new models.
    pub poll: Duration,
    /// Who may do what; none asks nobody.
    pub tokens: Option<Tokens>,
    /// Speaks TLS where it is given.
    pub tls: Option<Tls>,
    /// Threads that predict.
    pub workers: usize,
    /// Caps.
    pub limits: Limits,
}
