//! Serves dashboard, API, metrics and health. Owns the thread `http`, and the only tokio runtime.
//!
//! In:  a listener that was bound before any thread started, and what other threads publish.
//! Out: the dashboard, `/metrics` (Prometheus text), everything else as JSON, errors too.
//! Holds: it never waits for another thread and no other thread waits for it; connections, streams,
//! the size of requests and the time of each are bounded; no request changes anything.

mod about;
mod api;
mod assets;
mod connection;
mod error_answer;
mod guard;
mod places;
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

pub(crate) use self::about::About;
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
pub(crate) struct HttpContext {
    pub health: Arc<Health>,
    pub metrics: MetricsHandle,
    /// Holds the newest snapshot.
    pub board: Arc<Board>,
    pub about: About,
    /// The token that the API requires, if any.
    pub token: Option<HttpToken>,
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct App {
    context: HttpContext,
    streams: Streams,
    turns: Turns,
    /// Whether the port is on a loopback address: then only local names are answered.
    is_loopback: bool,
}

/// Binds the port of `--http` before the threads start.
///
/// # Errors
/// `Refused` when it cannot be bound.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        // The standard library's queue of 128 fills while this thread is busy, and a client whose
        // connection finds it full retries only after a second.
        SockRef::from(&listener).listen(limits::HTTP_BACKLOG)?;
        // Accepted connections inherit it.
        SockRef::from(&listener).set_send_buffer_size(limits::HTTP_SEND_BUFFER_BYTES)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "another process has this port".to_owned(),
            io::ErrorKind::AddrNotAvailable => "no interface has this address".to_owned(),
            io::ErrorKind::PermissionDenied => "this user may not bind this port".to_owned(),
            _ => error.to_string(),
        };
        RunError::Refused(format!("--http {address}: {reason}; choose another, or --http off"))
    })
}

/// Serves until `stop` gets a value or its sender is dropped, and then finishes open requests for
/// at most `HTTP_STOP_DEADLINE`. Must be called outside any tokio runtime.
///
/// # Errors
/// When the runtime cannot be built or the server panics.
pub(crate) fn serve(
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
            // An error means that the sender was dropped, which is a stop as well.
            let _ = stop.await;
            streams.end();
            stopped.notify_one();
            sleep(limits::HTTP_STOP_DEADLINE).await;
            abort.abort();
        });
        match server.await {
            Ok(result) => result.map_err(|error| failed(&error)),
            // Connections that are still open after the deadline are closed with the runtime.
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
