//! Serves dashboard, API, metrics and health. Owns the thread `http`, and the only tokio runtime.
//!
//! In:  a listener that was bound before any thread started, what other threads publish.
//! Out: the page, `/metrics` (Prometheus text), everything else as JSON, errors too.
//! Holds: it never waits for another thread and no other thread waits for it; connections, streams,
//! the size of requests and the time of each are bounded; nothing is changed by a request.

mod about;
mod api;
mod assets;
mod connection;
mod guard;
mod places;
mod refusal;
mod routes;
mod stream;
#[cfg(test)]
mod tests;
mod turns;
mod windows;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use socket2::SockRef;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::sleep,
};

pub use self::about::About;
use self::{
    connection::{BoundedListener, Bounds},
    places::Peer,
    stream::Streams,
    turns::Turns,
};
use crate::{
    config::HttpToken,
    error::RunError,
    limits,
    metrics::{Health, MetricsHandle},
    status::Board,
};

/// What the routes read.
#[derive(Debug, Clone)]
pub struct HttpContext {
    /// The threads' own account.
    pub health: Arc<Health>,
    /// The recorded metrics.
    pub metrics: MetricsHandle,
    /// The newest snapshot.
    pub board: Arc<Board>,
    /// Which pipeline this is.
    pub about: About,
    /// What the API asks for; `None`: nothing.
    pub token: Option<HttpToken>,
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct App {
    context: HttpContext,
    streams: Streams,
    turns: Turns,
    /// The port is on a loopback address: only names that cannot be rebound are answered.
    is_loopback: bool,
}

/// Takes the port of `--http`, so that a taken one ends the start. `Refused` otherwise.
pub fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        // The standard library's queue of 128 fills while this thread is busy, and a connection
        // that finds it full is tried again only after a second.
        SockRef::from(&listener).listen(limits::HTTP_BACKLOG)?;
        // Accepted connections inherit it.
        SockRef::from(&listener).set_send_buffer_size(limits::HTTP_SEND_BUFFER_BYTES)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "another process has this port".to_owned(),
            io::ErrorKind::AddrNotAvailable => "no interface has this address".to_owned(),
            io::ErrorKind::PermissionDenied => "this user may not take this port".to_owned(),
            _ => error.to_string(),
        };
        RunError::Refused(format!("--http {address}: {reason}; choose another, or --http off"))
    })
}

/// Serves until `stop` gets a value or its sender is dropped, then at most `HTTP_STOP_DEADLINE`
/// longer for open requests.
///
/// Fails when the runtime cannot be made or the server panics. Must be called outside any tokio
/// runtime.
pub fn serve(
    listener: TcpListener,
    context: HttpContext,
    stop: oneshot::Receiver<()>,
) -> Result<(), RunError> {
    serve_within(Bounds::default(), listener, context, stop)
}

fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    context: HttpContext,
    stop: oneshot::Receiver<()>,
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| failed(&error))?;
    runtime.block_on(async move {
        let address = listener.local_addr().map_err(|e| failed(&e))?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|e| failed(&e))?;
        let listener = BoundedListener::new(listener, bounds);
        tokio::spawn(keep_metrics_small(context.metrics.clone()));
        let streams = Streams::new(limits::HTTP_STREAMS);
        tokio::spawn(stream::feed(streams.clone(), context.clone()));
        let is_loopback = address.ip().to_canonical().is_loopback();
        let turns = Turns::new();
        let app = App { context, streams: streams.clone(), turns, is_loopback };
        let stopped = Arc::new(Notify::new());
        let router = routes::router(app).into_make_service_with_connect_info::<Peer>();
        let server = axum::serve(listener, router)
            .with_graceful_shutdown(Arc::clone(&stopped).notified_owned());
        let server: JoinHandle<io::Result<()>> = tokio::spawn(server.into_future());
        let abort = server.abort_handle();
        tokio::spawn(async move {
            // An error says that the sender was dropped, which stops as well.
            let _ = stop.await;
            streams.end();
            stopped.notify_one();
            sleep(limits::HTTP_STOP_DEADLINE).await;
            abort.abort();
        });
        match server.await {
            Ok(result) => result.map_err(|error| failed(&error)),
            // Connections that are still open after the deadline end with the runtime.
            Err(aborted) if aborted.is_cancelled() => Ok(()),
            Err(panicked) => Err(failed(&io::Error::other(panicked))),
        }
    })
}

async fn keep_metrics_small(metrics: MetricsHandle) {
    let mut ticks = tokio::time::interval(limits::METRICS_UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

fn failed(error: &io::Error) -> RunError {
    RunError::Failed(format!("the HTTP server failed: {error}"))
}
