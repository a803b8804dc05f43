//! Bounds the connections: their number, and the time each may take for a request.
//!
//! On the http thread. A connection holds a permit until it ends. Its deadline starts with it and
//! starts again with every byte of an answer that the peer takes, so a peer that sends nothing, or
//! sends slowly, is closed in bounded time, and a stream lasts as long as somebody reads it. A peer
//! that takes nothing of a waiting answer has less time, and one that sends too much has none.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

use crate::limits;

/// A listener that accepts only while fewer than its number of connections are open.
pub(super) struct BoundedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl BoundedListener {
    /// Bounds `listener` to `connections` at once.
    pub(super) fn new(listener: TcpListener, connections: usize) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(connections)) }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedConnection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = Arc::clone(&self.places);
        let place = place.acquire_owned().await.expect("the semaphore is never closed");
        // axum's own listener waits and tries again when accepting fails.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let deadline = Box::pin(sleep(limits::HTTP_REQUEST_DEADLINE));
        let connection =
            BoundedConnection { stream, deadline, unanswered: 0, is_full: false, _place: place };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection with a deadline for its next progress.
pub(super) struct BoundedConnection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    /// Bytes read since the peer has last taken some.
    unanswered: usize,
    /// The peer takes nothing at the moment.
    is_full: bool,
    _place: OwnedSemaphorePermit,
}

impl BoundedConnection {
    /// Turns waiting past the deadline into an error.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl AsyncRead for BoundedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.unanswered += buffer.filled().len() - before;
        if self.unanswered > limits::HTTP_REQUEST_BYTES {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.in_time(cx, polled)
    }
}

impl AsyncWrite for BoundedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if polled.is_ready() {
            (self.unanswered, self.is_full) = (0, false);
            self.deadline.as_mut().reset(Instant::now() + limits::HTTP_REQUEST_DEADLINE);
        } else if !self.is_full {
            self.is_full = true;
            self.deadline.as_mut().reset(Instant::now() + limits::HTTP_WRITE_DEADLINE);
        }
        self.in_time(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, polled)
    }
}
