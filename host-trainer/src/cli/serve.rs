//! `host-trainer serve`: predictions and models over HTTP.

use super::batch::place::Place as Batches;
use super::model_source::shipped;
use super::runtime;
use clap::{Args, ValueEnum};
use serve::defaults::{default_rate_limit, default_state_folder, default_workers};
use serve::{Limits, ModelSource, Settings, Tls, Tokens, bind, log};
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tune::studies::Location;

/// Serve predictions and models over HTTP, for scripts and for people.
///
/// The first line on stdout is the server's URL. SIGINT or SIGTERM stops the server once pending requests are answered.
#[derive(Debug, Args)]
#[command(
    after_help = "Tokens also come from the environment variable HOST_TRAINER_TOKENS, one `NAME SCOPE[,SCOPE…] SECRET` per \
    line; scopes are read, predict and promote."
)]
pub(super) struct Serve {
    /// Folder of models.
    #[arg(long, value_name = "DIR", default_value = "trained_models", env = "HOST_TRAINER_MODELS")]
    models: PathBuf,
    /// Model store (URL or folder) whose deployed models are served; promotions take effect within seconds.
    #[arg(long, value_name = "URL", env = "HOST_TRAINER_STORE", conflicts_with = "models")]
    store: Option<String>,
    /// State folder: keeps uploaded engines, so that links to their results survive a restart [default:
    /// $XDG_STATE_HOME/host-trainer, or ~/.local/state/host-trainer].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Training data for studies started from the page, as `dataset` writes them.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Study database: a SQLite file or a `postgres://` URL. Give a URL with a password by the environment variable
    /// [default: a file in the state folder].
    #[arg(long = "shared-db", value_name = "FILE|URL", env = "HOST_TRAINER_STUDIES", hide_env_values = true)]
    studies: Option<String>,
    #[command(flatten)]
    batches: Batches,
    /// Address to listen on; port 0 picks a free port. Addresses beyond loopback require tokens.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File to write the port to once the server accepts requests.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Additional host name to accept in requests, such as that of a proxy. May be repeated.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Token file, one `NAME SCOPE[,SCOPE…] SECRET` per line.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificate chain (PEM); enables TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Prediction threads [default: one per CPU].
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Seconds between checks for new models.
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    poll: f64,
    /// Log filter for stderr: `error`, `warn`, `info`, `debug` (every request), or a filter such as `info,serve=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "HOST_TRAINER_LOG")]
    log: String,
    /// Log format.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    #[command(flatten)]
    caps: Caps,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// Caps on what one client, one request and all of them together may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct Caps {
    /// Maximum request body in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_body: u32,
    /// Maximum number of layers per request.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    max_layers: usize,
    /// Maximum number of open connections.
    #[arg(long, value_name = "N", default_value_t = 4_096)]
    max_connections: usize,
    /// Maximum number of requests waiting for a prediction; further requests get status 429.
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    max_waiting: usize,
    /// Maximum duration of a request in seconds.
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    timeout: f64,
    /// Maximum wait in seconds for a request's headers, and for the next request on an idle connection.
    #[arg(long, value_name = "S", default_value_t = 15.0, value_parser = seconds)]
    header_timeout: f64,
    /// Maximum time in seconds that a client may stall while it receives a response.
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    write_timeout: f64,
    /// Maximum requests per second from one client; 0 for no limit [default: 200 beyond loopback, 0 on loopback].
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
    /// Maximum wait in seconds for pending requests at shutdown.
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    shutdown_timeout: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.01..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("give seconds between 0.01 and 86400".into()),
    }
}

impl Serve {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let port_file = self.port_file.clone();
        log::start(&self.log, self.log_format == LogFormat::Json)?;
        let settings = self.settings()?;
        runtime::block_on(async {
            let stop = super::runtime::interrupted()?;
            let bound = bind(settings).await?;
            let (url, port) = (bound.url()?, bound.address()?.port());
            printer.data(&format!("{url}\n"))?;
            if let Some(path) = &port_file {
                write_atomic(path, format!("{port}\n").as_bytes())?;
            }
            bound.serve(stop).await
        })?
    }

    fn settings(self) -> Result<Settings, Failure> {
        let tokens = match (&self.token_file, std::env::var("HOST_TRAINER_TOKENS")) {
            (Some(path), _) => Some(Tokens::read(path)?),
            (None, Ok(text)) if !text.trim().is_empty() => {
                Some(Tokens::parse(&text).map_err(|failure| failure.at("HOST_TRAINER_TOKENS"))?)
            }
            _ => None,
        };
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
            _ => None,
        };
        let limits = Limits {
            body_bytes: (self.caps.max_body as usize) << 20,
            layers: self.caps.max_layers,
            request_time: Duration::from_secs_f64(self.caps.timeout),
            header_time: Duration::from_secs_f64(self.caps.header_timeout),
            write_time: Duration::from_secs_f64(self.caps.write_timeout),
            connections: self.caps.max_connections,
            waiting: self.caps.max_waiting,
            requests_per_second: Some(self.caps.rate_limit.unwrap_or_else(|| default_rate_limit(self.listen))),
            shutdown_time: Duration::from_secs_f64(self.caps.shutdown_timeout),
            ..Limits::default()
        };
        Ok(Settings {
            listen: self.listen,
            hosts: self.allow_host,
            models: match self.store {
                Some(url) => ModelSource::Store(url),
                None => ModelSource::Folder(shipped(&self.models)),
            },
            state: self.state.or_else(default_state_folder).ok_or_else(|| {
                Failure::usage("there is no home folder to keep state in").help("name a folder by --state")
            })?,
            studies: self.studies.as_deref().map(Location::parse).transpose().map_err(Failure::usage)?,
            data: self.data,
            batches: self.batches.batches,
            poll: Duration::from_secs_f64(self.poll),
            tokens,
            tls,
            workers: self.workers.unwrap_or_else(default_workers),
            limits,
        })
    }
}
