//! The stream of snapshots: server-sent events, one a second, the same bytes for every reader.
//!
//! On the http thread. One task makes the event once a second while there are readers; each stream
//! waits for the newest one. A slow reader misses some events; the connection of one that reads
//! nothing is closed.
//! Holds: the number of streams is bounded; a stream that is read keeps its connection's place; no
//! stream outlives the server's stop.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{
        StatusCode,
        header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    App, HttpContext,
    api::Status,
    error_answer::ErrorAnswer,
    places::{Peer, Streaming},
    windows,
};
use crate::{
    limits,
    status::{HistoryPoint, Snapshot, WindowView},
};

/// The streams' places, and the event that they send next; `None` when the server stops.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    events: Arc<watch::Sender<Option<Bytes>>>,
}

impl Streams {
    /// Allows at most `places` streams at once.
    pub(super) fn new(places: usize) -> Self {
        let (events, _) = watch::channel(Some(Bytes::new()));
        Self { places: Arc::new(Semaphore::new(places)), events: Arc::new(events) }
    }

    /// Ends all streams.
    pub(super) fn end(&self) {
        self.events.send_replace(None);
    }
}

/// Makes an event a second while there are readers, until the streams end.
pub(super) async fn feed(streams: Streams, context: HttpContext) {
    let mut ticks = interval(limits::HTTP_STREAM_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        if streams.events.borrow().is_none() {
            return;
        }
        if streams.events.receiver_count() > 0 {
            streams.events.send_replace(Some(event(&context)));
        }
    }
}

pub(super) async fn open(State(app): State<App>, ConnectInfo(peer): ConnectInfo<Peer>) -> Response {
    let Ok(place) = Arc::clone(&app.streams.places).try_acquire_owned() else {
        let error = format!("{} streams are open, which is the limit", limits::HTTP_STREAMS);
        let remedy = "close one, or poll /api/v1/status";
        let answer = ErrorAnswer::new(StatusCode::SERVICE_UNAVAILABLE, error, remedy);
        return ([(RETRY_AFTER, "5"), (CONNECTION, "close")], answer).into_response();
    };
    let events = app.streams.events.subscribe();
    let first = Some(event(&app.context));
    let open = OpenStream { first, events, _streaming: peer.streams(), _place: place };
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        // Without this nginx would buffer the events.
        ("x-accel-buffering".parse().expect("a header's name"), "no"),
    ];
    (headers, Body::from_stream(stream::unfold(open, OpenStream::next))).into_response()
}

/// A stream that is being read.
struct OpenStream {
    /// The event that is sent at once, so that a page need not wait for the next second.
    first: Option<Bytes>,
    events: watch::Receiver<Option<Bytes>>,
    /// Keeps the place of its connection. It is dropped before the place among the streams.
    _streaming: Streaming,
    _place: OwnedSemaphorePermit,
}

impl OpenStream {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first), self));
        }
        self.events.changed().await.ok()?;
        let event = self.events.borrow_and_update().clone()?;
        Some((Ok(event), self))
    }
}

/// One event: the status, the newest windows without their values, the newest point of the history.
#[derive(Debug, Serialize)]
struct SnapshotEvent<'a> {
    #[serde(flatten)]
    status: Status<'a>,
    windows: Vec<Summary>,
    point: Option<HistoryPoint>,
}

#[derive(Debug, Serialize)]
struct Summary {
    state: &'static str,
    start_ms: i64,
    end_ms: i64,
    revision: u32,
    total_events: u64,
    late_events: u64,
    unique_users: u64,
    complete: bool,
}

impl From<&WindowView> for Summary {
    fn from(window: &WindowView) -> Self {
        Self {
            state: windows::state(window),
            start_ms: window.start_ms,
            end_ms: window.end_ms,
            revision: window.revision,
            total_events: window.total_events,
            late_events: window.late_events,
            unique_users: window.unique_users,
            complete: window.complete,
        }
    }
}

/// The newest snapshot as an event. JSON text has no line break, which would end it early.
fn event(context: &HttpContext) -> Bytes {
    let snapshot: Arc<Snapshot> = context.board.newest();
    let newest = windows::newest_first(&snapshot).into_iter().take(limits::HTTP_STREAM_WINDOWS);
    let event = SnapshotEvent {
        status: Status::new(context, &snapshot),
        windows: newest.map(Summary::from).collect(),
        point: snapshot.history.last().copied(),
    };
    let json = serde_json::to_string(&event).expect("numbers, texts and lists of them");
    Bytes::from(format!("event: snapshot\ndata: {json}\n\n"))
}
