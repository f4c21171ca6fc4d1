//! The settings of a server.

use super::access::tokens::Tokens;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tune::studies::Location;

/// Where a server takes its models from.
#[derive(Debug, Clone)]
pub enum ModelSource {
    /// A folder as `fit --out` writes it.
    Folder(PathBuf),
    /// The deployed models of a store, by its URL or folder.
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

/// Limits on one client, one request, and all requests together.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body, bytes.
    pub body_bytes: usize,
    /// Most layers of all engines of a request.
    pub layers: usize,
    /// Most engines, or rows, of a request.
    pub engines: usize,
    /// Longest time from the headers of a request to the headers of its response.
    pub request_time: Duration,
    /// Longest time for a request's headers to arrive, and for which a connection may idle between requests.
    pub header_time: Duration,
    /// Longest time for which a client may leave its response unread.
    pub write_time: Duration,
    /// Most open connections. Further ones are closed.
    pub connections: usize,
    /// Most requests for predictions that wait for a worker. Further ones are refused with 429.
    pub waiting: usize,
    /// Most bytes of all request bodies and uploads in memory, but at least one of the largest.
    pub waiting_bytes: usize,
    /// Requests per second of one client. `None` for no limit.
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

/// The settings of a server.
///
/// ```
/// use serve::{Limits, ModelSource, Settings};
/// use std::time::Duration;
///
/// let settings = Settings {
///     listen: "127.0.0.1:0".parse()?,
///     hosts: Vec::new(),
///     models: ModelSource::Folder("trained_models".into()),
///     state: "/var/lib/host-trainer".into(),
///     studies: None,
///     data: None,
///     batches: "batches".into(),
///     poll: Duration::from_secs(1),
///     tokens: None,
///     tls: None,
///     workers: 2,
///     limits: Limits { requests_per_second: Some(200), ..Limits::default() },
/// };
/// assert_eq!(settings.limits.body_bytes, 16 << 20);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host names that requests may be addressed to, besides `localhost`.
    pub hosts: Vec<String>,
    /// Where the models come from.
    pub models: ModelSource,
    /// Folder for data that outlives the process: uploaded engines and the queue of studies.
    pub state: PathBuf,
    /// Database of studies. `None` for a file in the state folder.
    pub studies: Option<Location>,
    /// Folder of training data for studies. Without one, studies cannot be started.
    pub data: Option<PathBuf>,
    /// The folder of all batches, which need not be there.
    pub batches: PathBuf,
    /// Interval between checks for new models.
    pub poll: Duration,
    /// Tokens of the clients. `None` admits anybody.
    pub tokens: Option<Tokens>,
    /// Certificate and key for TLS. `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// Threads that predict.
    pub workers: usize,
    /// Limits on requests.
    pub limits: Limits,
}
