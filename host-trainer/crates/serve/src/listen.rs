//! The socket: bound, served, and closed with care.

use super::app::App;
use super::patience::Patient;
use super::settings::{Limits, Settings};
use super::{models, router, studies, tls};
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
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

/// How long ending waits for the worker of studies to let go of its trials.
const RELEASE: Duration = Duration::from_secs(3);
/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1024;

/// A server whose socket is bound: requests are already queued by the system, and answered once it is served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    settings: Settings,
    tls: Option<RustlsConfig>,
    app: Arc<App>,
}

/// Loads the models and binds the socket.
///
/// # Errors
/// An address beyond loopback without tokens; a certificate or a key that cannot be used; models that cannot be loaded; an
/// address that cannot be bound.
pub async fn bind(settings: Settings) -> Result<Bound, Failure> {
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
    let app = App::new(&settings).await?;
    let listener = listen(settings.listen).map_err(|e| {
        Failure::new(Kind::Io, format!("cannot listen on {}: {e}", settings.listen)).help("choose another by --listen")
    })?;
    Ok(Bound { listener, settings, tls, app })
}

/// A socket that does not block. The standard library's has room for 128 connections that come at once; one more waits a
/// second for its second try.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else a server that has just ended keeps its successor out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

impl Bound {
    /// The URL at which it answers.
    ///
    /// # Errors
    /// What the system says.
    pub fn url(&self) -> Result<String, Failure> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.address()?))
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        self.listener.local_addr().map_err(|e| Failure::new(Kind::Io, format!("cannot use the socket: {e}")))
    }

    /// Serves until `stop` ends, then finishes what was accepted.
    ///
    /// # Errors
    /// A socket that fails.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        let Self { listener, settings, tls, app } = self;
        let failed = |e: io::Error| Failure::new(Kind::Io, format!("cannot serve: {e}"));
        let handle = Handle::new();
        let background = tokio::spawn(models::watch(Arc::clone(&app), settings.poll));
        let bench = tokio::spawn(studies::work(Arc::clone(&app)));
        tokio::spawn(forget_idle(Arc::clone(&app)));
        tokio::spawn({
            let (app, handle, patience) = (Arc::clone(&app), handle.clone(), settings.limits.shutdown_time);
            async move {
                stop.await;
                tracing::info!("asked to end; finishing what was accepted");
                app.close();
                handle.graceful_shutdown(Some(patience));
            }
        });
        let service = router::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
        let capped = Capped {
            slots: Arc::new(Semaphore::new(settings.limits.connections)),
            patience: settings.limits.write_time,
            app: Arc::clone(&app),
        };
        let server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle);
        let limits = &settings.limits;
        let served = match tls {
            None => configured(server.acceptor(capped), limits).serve(service).await,
            Some(config) => {
                let acceptor = RustlsAcceptor::new(config).handshake_timeout(limits.header_time).acceptor(capped);
                configured(server.acceptor(acceptor), limits).serve(service).await
            }
        };
        background.abort();
        // Trials in hand are released first; a judgement that takes longer is taken up when its lease runs out.
        let _ = tokio::time::timeout(RELEASE, bench).await;
        app.queue.finish();
        tracing::info!("ended");
        served.map_err(failed)
    }
}

/// HTTP/1.1 with a limit on the time for headers. Setting an acceptor forgets the version, and looking at a connection's
/// first bytes for its version has no limit on time: this must come after the acceptor.
fn configured<A>(server: Server<SocketAddr, A>, limits: &Limits) -> Server<SocketAddr, A> {
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

/// Accepts as many connections as there are slots; a further one is closed at once.
#[derive(Debug, Clone)]
struct Capped {
    slots: Arc<Semaphore>,
    patience: Duration,
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

impl<S> Accept<TcpStream, S> for Capped {
    type Stream = Patient<TcpStream>;
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
        ready(nodelay.map(|()| (Patient::new(stream, self.patience), service)))
    }
}
