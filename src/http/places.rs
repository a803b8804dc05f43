//! Assigns places to connections; when all are taken, a new connection takes another's place.
//!
//! On the http thread, so the lock is always free.
//! In:  when each peer last read something, and which answers are streams.
//! Out: a place, and the end of the connection that had it.
//! Holds: there are never more connections than places; the connection that has kept the server
//! waiting longest, for a request or for room for an answer, loses its place; a stream that is read
//! never does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Waker},
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::time::Instant;

use super::connection::BoundedListener;

/// All places.
#[derive(Debug, Clone)]
pub(super) struct Places {
    most: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// By number, the oldest connection first.
    occupants: BTreeMap<u64, Occupant>,
    next: u64,
}

/// A connection that has a place.
#[derive(Debug)]
struct Occupant {
    /// When its peer last read something, or connected.
    since: Instant,
    /// Whether its peer does not read a waiting answer.
    is_full: bool,
    /// Whether its answer is a stream, so that no request is awaited.
    streams: bool,
    /// Wakes the connection's task.
    waker: Option<Waker>,
}

impl Occupant {
    /// Whether the server waits for the peer.
    fn is_awaited(&self) -> bool {
        self.is_full || !self.streams
    }
}

impl Places {
    /// `most` free places.
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// Whether a new connection would take another's place.
    pub(super) fn are_taken(&self) -> bool {
        self.lock().occupants.len() >= self.most
    }

    /// A place for a connection made `now`; `None` when streams that are read have all places.
    pub(super) fn take(&self, now: Instant) -> Option<Place> {
        let mut taken = self.lock();
        if taken.occupants.len() >= self.most {
            let awaited = taken.occupants.iter().filter(|(_, occupant)| occupant.is_awaited());
            let (&longest, _) = awaited.min_by_key(|(_, occupant)| occupant.since)?;
            let evicted = taken.occupants.remove(&longest);
            // The connection's task finds its place gone and closes the connection.
            if let Some(waker) = evicted.and_then(|occupant| occupant.waker) {
                waker.wake();
            }
        }
        let number = taken.next;
        taken.next += 1;
        let newcomer = Occupant { since: now, is_full: false, streams: false, waker: None };
        taken.occupants.insert(number, newcomer);
        drop(taken);
        Some(Place(Peer { places: self.clone(), number }))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().expect("no holder of the lock panics")
    }
}

/// A connection's place, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Peer);

impl Place {
    /// Whether the connection still has its place; the task of `cx` is woken when it loses it.
    pub(super) fn is_kept(&self, cx: &Context<'_>) -> bool {
        let keep = |occupant: &mut Occupant| match &mut occupant.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        };
        self.0.update(keep).is_some()
    }

    /// The peer has read something.
    pub(super) fn peer_took(&self, now: Instant) {
        self.0.update(|occupant| (occupant.since, occupant.is_full) = (now, false));
    }

    /// The peer does not read a waiting answer.
    pub(super) fn peer_is_full(&self) {
        self.0.update(|occupant| occupant.is_full = true);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.lock().occupants.remove(&self.0.number);
    }
}

/// A connection's peer, as the handlers of its requests know it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    places: Places,
    number: u64,
}

impl Peer {
    /// Marks the connection as a stream while the result lives: no request is awaited.
    pub(super) fn streams(self) -> Streaming {
        self.update(|occupant| occupant.streams = true);
        Streaming(self)
    }

    /// Whether the connection still has its place.
    pub(super) fn has_place(&self) -> bool {
        self.update(|_| ()).is_some()
    }

    /// Changes the occupant; `None` when another connection has the place.
    fn update<T>(&self, change: impl FnOnce(&mut Occupant) -> T) -> Option<T> {
        self.places.lock().occupants.get_mut(&self.number).map(change)
    }
}

impl Connected<IncomingStream<'_, BoundedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        stream.io().place().0.clone()
    }
}

/// A stream that lasts until its peer leaves.
#[derive(Debug)]
pub(super) struct Streaming(Peer);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.update(|occupant| occupant.streams = false);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Takes a place and adds it to `open`; returns the number of the connection that lost its own.
    fn evicted(places: &Places, open: &mut Vec<Place>, now: Instant) -> Option<u64> {
        let numbers = || places.lock().occupants.keys().copied().collect::<Vec<u64>>();
        let before = numbers();
        open.push(places.take(now).expect("the server waits for somebody"));
        let after = numbers();
        assert!(after.len() <= places.most, "{after:?}");
        before.into_iter().find(|number| !after.contains(number))
    }

    #[test]
    fn the_longest_awaited_goes_and_a_stream_only_when_it_is_not_read() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let places = Places::new(3);
        let mut open = Vec::new();
        for second in 0..3 {
            assert_eq!(evicted(&places, &mut open, at(second)), None);
        }
        open[0].peer_took(at(3));
        let streaming = open[1].0.clone().streams();
        assert_eq!(evicted(&places, &mut open, at(4)), Some(2), "silent since 2 s");
        assert_eq!(evicted(&places, &mut open, at(5)), Some(0), "idle since 3 s");
        assert_eq!(evicted(&places, &mut open, at(6)), Some(3), "silent since 4 s");
        open[1].peer_is_full();
        assert_eq!(evicted(&places, &mut open, at(7)), Some(1), "a stream, unread since 1 s");
        drop((streaming, open));
        assert!(places.lock().occupants.is_empty());
    }

    #[test]
    fn streams_that_are_read_leave_no_place_for_a_newcomer() {
        let places = Places::new(1);
        let place = places.take(Instant::now()).expect("free");
        let streaming = place.0.clone().streams();
        assert!(places.take(Instant::now()).is_none());
        drop(streaming);
        assert!(places.take(Instant::now()).is_some());
    }
}
