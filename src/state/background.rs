//! Writes epochs while the sink goes on: a disk that takes its time delays a commit and no record.
//!
//! In:  an epoch's change; with it the store goes to the thread `store`.
//! Out: the store back, and how the write went.
//! Holds: one write is under way at most, and nobody reaches the store meanwhile.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Store, StoredEpoch, error::StateError};
use crate::window::EpochChange;

const GONE: &str = "the thread of the store lives as long as the sink";

/// What goes to the thread.
struct Write {
    store: Box<dyn Store>,
    committed: Option<Arc<EpochChange>>,
    redo: Arc<EpochChange>,
}

/// What comes back.
struct Written {
    store: Box<dyn Store>,
    result: Result<StoredEpoch, StateError>,
}

/// A store whose epochs are written by another thread. Owned by the sink.
pub struct BackgroundStore {
    /// `None` while a write is under way.
    store: Option<Box<dyn Store>>,
    writes: Sender<Write>,
    written: Receiver<Written>,
    /// The other part, where there is no thread.
    #[cfg(feature = "test-support")]
    writer: Option<StoreWriter>,
}

/// The other thread's part.
pub struct StoreWriter {
    writes: Receiver<Write>,
    written: Sender<Written>,
}

/// Divides the work on a store among two threads.
pub fn in_background(store: Box<dyn Store>) -> (BackgroundStore, StoreWriter) {
    let (to_writer, writes) = bounded(1);
    let (from_writer, written) = bounded(1);
    let store = BackgroundStore {
        store: Some(store),
        writes: to_writer,
        written,
        #[cfg(feature = "test-support")]
        writer: None,
    };
    (store, StoreWriter { writes, written: from_writer })
}

/// A store that writes when it is asked whether it has: for one thread.
#[cfg(feature = "test-support")]
pub fn in_foreground(store: Box<dyn Store>) -> BackgroundStore {
    let (store, writer) = in_background(store);
    BackgroundStore { writer: Some(writer), ..store }
}

impl BackgroundStore {
    /// Begins what [`Store::write_epoch`] does. Panics when a write is under way.
    pub fn begin(&mut self, committed: Option<Arc<EpochChange>>, redo: Arc<EpochChange>) {
        let store = self.store.take().expect("one epoch is written at a time");
        self.writes.send(Write { store, committed, redo }).expect(GONE);
    }

    /// How the write went that was begun; `None` while it is under way.
    pub fn finished(&mut self) -> Option<Result<StoredEpoch, StateError>> {
        self.write_here();
        let written = match self.written.try_recv() {
            Ok(written) => written,
            Err(error) => {
                assert!(error.is_empty(), "{GONE}");
                return None;
            }
        };
        Some(self.take_back(written))
    }

    /// The store itself, once a write that is under way is done. Fails as that write did.
    pub fn wait(&mut self) -> Result<&mut dyn Store, StateError> {
        if self.store.is_none() {
            self.write_here();
            let written = self.written.recv().expect(GONE);
            self.take_back(written)?;
        }
        Ok(self.store.as_mut().expect("no write is under way").as_mut())
    }

    /// Does what a thread would do, where there is none.
    fn write_here(&self) {
        #[cfg(feature = "test-support")]
        if let Some(writer) = &self.writer
            && let Ok(write) = writer.writes.try_recv()
        {
            writer.write(write);
        }
    }

    fn take_back(&mut self, written: Written) -> Result<StoredEpoch, StateError> {
        self.store = Some(written.store);
        written.result
    }
}

impl StoreWriter {
    /// Writes until the other part is gone.
    pub fn run(self) {
        while let Ok(write) = self.writes.recv()
            && self.write(write)
        {}
    }

    /// Writes an epoch. False: the other part is gone.
    fn write(&self, Write { mut store, committed, redo }: Write) -> bool {
        let stats = store.write_epoch(committed.as_deref(), &redo);
        let result = stats.map(|write| StoredEpoch { write, size_bytes: store.size_bytes() });
        self.written.send(Written { store, result }).is_ok()
    }
}
