//! The socket: binding, serving, shutting down.

use super::app::App;
use super::settings::{Limits, Settings};
use super::state_lock::StateLock;
use super::write_timeout::WriteTimeout;
use super::{router, studies, tls};
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use shared::failure::{Failure, Kind};
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer;

/// How long a shutdown waits until the worker of studies has released its trials.
const RELEASE: Duration = Duration::from_secs(3);
/// Connections that the system queues until they are accepted.
const BACKLOG: u32 = 1024;

/// A server whose socket is bound. The system queues requests until [`Server::serve`] answers them.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: Settings,
    tls: Option<RustlsConfig>,
    app: Arc<App>,
    lock: Option<StateLock>,
}

/// Loads the models and binds the socket.
///
/// ```
/// # use serve::{Limits, ModelSource, Settings, bind};
/// # use std::time::Duration;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../trained_models");
/// # let settings = Settings {
/// #     listen: "127.0.0.1:0".parse().expect("an address"), hosts: Vec::new(),
/// #     models: ModelSource::Folder(models.into()), state: folder.path().into(), studies: None, data: None, batches: folder.path().join("batches"),
/// #     poll: Duration::from_secs(1), tokens: None, tls: None, workers: 1, limits: Limits::default(),
/// # };
/// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
/// let server = bind(settings).await?;
/// assert!(server.url()?.starts_with("http://127.0.0.1:"));
/// server.serve(async { /* returns to shut down */ }).await
/// # }).expect("it serves");
/// ```
///
/// # Errors
/// An address beyond loopback without tokens; an unusable certificate or key; models that cannot be loaded; an address that
/// cannot be bound; a state folder that another server uses.
pub async fn bind(settings: Settings) -> Result<Server, Failure> {
    if !settings.listen.ip().is_loopback() && settings.tokens.is_none() {
        return Err(Failure::usage(format!(
            "{} can be reached from other machines, and no token is asked for",
            settings.listen.ip()
        ))
        .help(
            "give tokens by --token-file FILE or the environment variable HOST_TRAINER_TOKENS, or listen on 127.0.0.1",
        ));
    }
    let tls = settings.tls.as_ref().map(tls::config).transpose()?;
    // Before models are read and folders made: a port that is taken is told at once.
    let listener = listen(settings.listen).map_err(|e| Failure::listen(&settings.listen, &e))?;
    let url = url(&listener, tls.is_some())?;
    let lock = StateLock::take(&settings.state, &url)?;
    let app = App::new(&settings).await?;
    Ok(Server { listener, settings, tls, app, lock })
}

/// A non-blocking socket. The standard library's backlog is 128 connections; a further client retries after a second.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise a server that has just ended would keep its successor from binding.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|e| Failure::new(Kind::Io, format!("cannot use the socket: {e}")))
}

fn url(listener: &TcpListener, tls: bool) -> Result<String, Failure> {
    Ok(format!("{}://{}", if tls { "https" } else { "http" }, address(listener)?))
}

impl Server {
    /// The URL at which it answers.
    ///
    /// # Errors
    /// An error of the system.
    pub fn url(&self) -> Result<String, Failure> {
        url(&self.listener, self.tls.is_some())
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// An error of the system.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        address(&self.listener)
    }

    /// Serves until `stop` ends, then finishes the accepted requests.
    ///
    /// # Errors
    /// A socket that fails.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        // The folder is free for a successor once this has returned.
        let Self { listener, settings, tls, app, lock: _lock } = self;
        let failed = |e: io::Error| Failure::new(Kind::Io, format!("cannot serve: {e}"));
        let handle = Handle::new();
        let background = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.models.watch(settings.poll, app.closing()).await }
        });
        let worker = tokio::spawn(studies::work(Arc::clone(&app.studies), app.events.clone(), app.closing()));
        tokio::spawn(forget_idle(Arc::clone(&app)));
        tokio::spawn({
            let (app, handle, limit) = (Arc::clone(&app), handle.clone(), settings.limits.shutdown_time);
            async move {
                stop.await;
                tracing::info!("asked to end; finishing what was accepted");
                app.close();
                handle.graceful_shutdown(Some(limit));
            }
        });
        let service = router::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
        let acceptor = LimitedAcceptor {
            slots: Arc::new(Semaphore::new(settings.limits.connections)),
            write_time: settings.limits.write_time,
            app: Arc::clone(&app),
        };
        let server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle);
        let limits = &settings.limits;
        let served = match tls {
            None => configured(server.acceptor(acceptor), limits).serve(service).await,
            Some(config) => {
                let acceptor = RustlsAcceptor::new(config).handshake_timeout(limits.header_time).acceptor(acceptor);
                configured(server.acceptor(acceptor), limits).serve(service).await
            }
        };
        background.abort();
        // Claimed trials are released first. One whose evaluation takes longer is claimed again when its lease runs out.
        let _ = tokio::time::timeout(RELEASE, worker).await;
        app.predictor.finish();
        tracing::info!("ended");
        served.map_err(failed)
    }
}

/// HTTP/1.1 with a time limit for headers. This must follow the acceptor: setting one resets the version, and detecting the
/// version from the first bytes has no time limit.
fn configured<A>(server: axum_server::Server<SocketAddr, A>, limits: &Limits) -> axum_server::Server<SocketAddr, A> {
    let mut server = server.http1_only();
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_time).max_buf_size(64 << 10);
    server
}

async fn forget_idle(app: Arc<App>) {
    let mut closing = app.closing();
    let mut every = tokio::time::interval(Duration::from_secs(60));
    loop {
        tokio::select! {
            _ = every.tick() => app.access.forget_idle(),
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

/// Accepts as many connections as there are slots. A further one is closed at once.
#[derive(Debug, Clone)]
struct LimitedAcceptor {
    slots: Arc<Semaphore>,
    write_time: Duration,
    app: Arc<App>,
}

/// A connection's slot, held as long as its service lives.
#[derive(Debug)]
struct Slot {
    _permit: OwnedSemaphorePermit,
    app: Arc<App>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.app.metrics.connections.dec();
    }
}

impl<S> Accept<TcpStream, S> for LimitedAcceptor {
    type Stream = WriteTimeout<TcpStream>;
    type Service = axum::middleware::AddExtension<S, Arc<Slot>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() else {
            tracing::warn!("too many connections; one was closed");
            return ready(Err(io::Error::from(io::ErrorKind::ConnectionRefused)));
        };
        self.app.metrics.connections.inc();
        let slot = Arc::new(Slot { _permit: permit, app: Arc::clone(&self.app) });
        let service = axum::Extension(slot).layer(service);
        let nodelay = stream.set_nodelay(true);
        ready(nodelay.map(|()| (WriteTimeout::new(stream, self.write_time), service)))
    }
}
