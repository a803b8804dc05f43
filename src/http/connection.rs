//! Bounds the connections: their number, and the time each may keep the server waiting.
//!
//! On the http thread. A connection has a place until it ends or a new connection takes the place.
//! The head of its first request has a deadline that starts with the connection. For a later
//! request the deadline starts with its first byte; before that byte the connection may be idle for
//! longer. A peer that does not read a waiting answer also has a deadline; the connection of one
//! that sends too much is closed at once.
//! Holds: accepting never waits for a place, so slow peers cannot keep a probe out; a stream lasts
//! as long as its peer reads it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{Instant, Sleep, sleep},
};

use super::places::{Place, Places};
use crate::limits;

/// The number of connections, and how long each may keep the server waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    /// Time from the connection's start, or from a later head's first byte, to the head's end.
    pub(super) head: Duration,
    /// Time from an answer to the first byte of the next request.
    pub(super) idle: Duration,
    /// Time in which the peer must read part of a waiting answer.
    pub(super) write: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: limits::HTTP_CONNECTIONS,
            head: limits::HTTP_HEAD_DEADLINE,
            idle: limits::HTTP_IDLE_DEADLINE,
            write: limits::HTTP_WRITE_DEADLINE,
        }
    }
}

/// A listener whose connections keep the bounds.
pub(super) struct BoundedListener {
    listener: TcpListener,
    bounds: Bounds,
    places: Places,
    /// Places that new connections took from others since the last time the others had a turn.
    evicted: usize,
}

impl BoundedListener {
    /// Bounds what `listener` accepts.
    pub(super) fn new(listener: TcpListener, bounds: Bounds) -> Self {
        Self { listener, bounds, places: Places::new(bounds.connections), evicted: 0 }
    }

    /// Gives all connections a turn before the newest of them can lose its place. So each that has
    /// sent its request gets its answer, however many arrive at once.
    async fn let_others_go_first(&mut self) {
        if self.places.are_taken() {
            self.evicted += 1;
            if self.evicted > self.bounds.connections / 4 {
                self.evicted = 0;
                yield_now().await;
            }
        }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedConnection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // axum's own listener waits and retries when accepting fails.
            let (stream, address) = Listener::accept(&mut self.listener).await;
            self.let_others_go_first().await;
            // A new connection that gets no place is closed.
            if let Some(place) = self.places.take(Instant::now()) {
                return (BoundedConnection::new(stream, self.bounds, place), address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection with a deadline for its peer's next action.
pub(super) struct BoundedConnection {
    stream: TcpStream,
    bounds: Bounds,
    place: Place,
    deadline: Pin<Box<Sleep>>,
    /// Bytes received since the peer last read some.
    unanswered: usize,
    /// The newest four bytes received, the last one lowest: they show whether a head is complete.
    newest: u32,
    /// Part of a head has arrived, or the first head is awaited.
    is_head_due: bool,
    /// The peer reads nothing at the moment.
    is_full: bool,
}

impl BoundedConnection {
    fn new(stream: TcpStream, bounds: Bounds, place: Place) -> Self {
        let deadline = Box::pin(sleep(bounds.head));
        let (unanswered, newest) = (0, 0);
        let (is_head_due, is_full) = (true, false);
        Self { stream, bounds, place, deadline, unanswered, newest, is_head_due, is_full }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The peer has sent these bytes.
    fn was_sent(&mut self, bytes: &[u8]) {
        self.unanswered += bytes.len();
        let newest = &bytes[bytes.len().saturating_sub(size_of::<u32>())..];
        self.newest = newest.iter().fold(self.newest, |all, &byte| all << 8 | u32::from(byte));
        if !bytes.is_empty() && !self.is_head_due && !self.is_full {
            self.is_head_due = true;
            self.deadline.as_mut().reset(Instant::now() + self.bounds.head);
        }
    }

    /// The peer has read part of an answer.
    fn was_taken(&mut self) {
        let now = Instant::now();
        // Bytes sent after an answered request belong to the next one's head.
        let ends_a_head = self.newest & 0xff_ffff == 0x0a_0d0a || self.newest & 0xffff == 0x0a0a;
        (self.unanswered, self.is_full, self.is_head_due) = (0, false, !ends_a_head);
        let time = if self.is_head_due { self.bounds.head } else { self.bounds.idle };
        self.deadline.as_mut().reset(now + time);
        self.place.peer_took(now);
    }

    /// The peer does not read what waits for it.
    fn is_not_taken(&mut self) {
        if !self.is_full {
            self.is_full = true;
            self.deadline.as_mut().reset(Instant::now() + self.bounds.write);
            self.place.peer_is_full();
        }
    }

    /// An error once another connection has the place.
    fn check_place(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.place.is_kept(cx) { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }

    /// An error once the deadline has passed.
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
        self.check_place(cx)?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.was_sent(&buffer.filled()[before..]);
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
        self.check_place(cx)?;
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if polled.is_ready() {
            self.was_taken();
        } else {
            self.is_not_taken();
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
