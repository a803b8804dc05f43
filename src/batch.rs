//! Batches carry events between threads: arenas of bytes with an index of their records.
//!
//! In:  the source fills `InputBatch`es, one arena copy per record.
//! Out: workers fill `OutputBatch`es (one output partition each) and `RejectBatch`es for the sink.
//! Holds: a batch owns its bytes and its share of the budget; dropping it frees both.

mod span;

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use self::span::Span;
use crate::{
    budget::Permit,
    event::Reject,
    ids::{Epoch, Incarnation, PartitionId, Position},
    limits,
    topics::Topic,
};

/// One input record in a batch.
#[derive(Debug, Clone, Copy)]
pub struct InputRecord {
    /// Where it came from.
    pub position: Position,
    /// Its raw key and value, and its headers.
    pub span: Span,
}

/// Records for one worker, in the order read.
#[derive(Debug)]
pub struct InputBatch {
    /// Raw bytes.
    pub arena: Vec<u8>,
    /// Index.
    pub records: Vec<InputRecord>,
    /// Share of the budget: payload and worst-case output.
    pub permit: Permit,
}

/// Records for one partition of an output topic.
#[derive(Debug)]
pub struct OutputBatch {
    /// Incarnation the records were read in.
    pub incarnation: Incarnation,
    /// Epoch the records belong to.
    pub epoch: Epoch,
    /// Output topic.
    pub topic: Topic,
    /// Output partition.
    pub partition: PartitionId,
    /// Keys, values and headers.
    pub arena: Vec<u8>,
    /// Index; every key is present.
    pub records: Vec<Span>,
    /// Share of the budget.
    pub permit: Permit,
}

/// Why a record also goes to a side topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectKind {
    /// A hard error: it goes to the dead-letter topic only.
    DeadLetter(Reject),
    /// It is older than the allowed lateness: processed, but not counted in its window.
    Late,
}

/// One record for a side topic.
#[derive(Debug, Clone, Copy)]
pub struct RejectedRecord {
    /// Which topic, and why.
    pub kind: RejectKind,
    /// Where it came from.
    pub position: Position,
    /// Its raw key and value, and its headers.
    pub span: Span,
}

/// Records for the side topics.
#[derive(Debug)]
pub struct RejectBatch {
    /// Incarnation the records were read in.
    pub incarnation: Incarnation,
    /// Epoch the records belong to.
    pub epoch: Epoch,
    /// Raw bytes.
    pub arena: Vec<u8>,
    /// Index.
    pub records: Vec<RejectedRecord>,
    /// Share of the budget.
    pub permit: Permit,
}

/// Empty arenas on their way back to the thread that fills them. All have the same capacity.
#[derive(Debug, Clone)]
pub struct Pool<T> {
    give: Sender<T>,
    take: Receiver<T>,
    arena_bytes: usize,
    usage: Arc<PoolUsage>,
}

/// How a pool is used, for the watchdog's log line.
#[derive(Debug, Default)]
pub struct PoolUsage {
    /// Empty arenas ready for use.
    pub idle: AtomicUsize,
    /// Arenas that were allocated because none was ready.
    pub allocated: AtomicU64,
}

/// An emptied arena with its emptied index.
pub type Emptied<R> = (Vec<u8>, Vec<R>);

impl<R: Copy> Pool<Emptied<R>> {
    /// An empty pool of arenas for batches that are sent at `batch_bytes`.
    pub fn new(batch_bytes: usize, usage: Arc<PoolUsage>) -> Self {
        let (give, take) = bounded(limits::POOL_ARENAS);
        Self { give, take, arena_bytes: batch_bytes + limits::ARENA_SLACK_BYTES, usage }
    }

    /// An empty arena and index: reused ones if the pool has any.
    pub fn take(&self) -> Emptied<R> {
        let taken = self.take.try_recv();
        self.usage.idle.store(self.take.len(), Relaxed);
        taken.unwrap_or_else(|_| {
            self.usage.allocated.fetch_add(1, Relaxed);
            (Vec::with_capacity(self.arena_bytes), Vec::new())
        })
    }

    /// Takes the batch out of the arena that is being filled. A batch of less than half an arena is
    /// copied to memory of its own size: many of them may wait, and memory must follow the bytes.
    pub fn split(&self, (arena, records): (&mut Vec<u8>, &mut Vec<R>)) -> Emptied<R> {
        if arena.len() < self.arena_bytes / 2 {
            let batch = (arena.as_slice().to_vec(), records.as_slice().to_vec());
            arena.clear();
            records.clear();
            return batch;
        }
        let (empty, index) = self.take();
        (std::mem::replace(arena, empty), std::mem::replace(records, index))
    }

    /// Empties an arena and its index and puts them back. Frees them when the pool is full or the
    /// arena does not have the pool's capacity: one 1 MiB record must not make every arena that
    /// large.
    pub fn give(&self, mut arena: Vec<u8>, mut records: Vec<R>) {
        if (self.arena_bytes..=2 * self.arena_bytes).contains(&arena.capacity()) {
            arena.clear();
            records.clear();
            // A full pool frees the arena: that is the bound on pooled memory.
            drop(self.give.try_send((arena, records)));
            self.usage.idle.store(self.take.len(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_keeps_its_own_arenas_and_frees_all_others() {
        let pool: Pool<Emptied<Span>> = Pool::new(4096, Arc::default());
        let (mut arena, records) = pool.take();
        let capacity = arena.capacity();
        assert!(capacity >= 4096 + limits::ARENA_SLACK_BYTES);
        let place = arena.as_ptr();
        arena.push(1);
        pool.give(Vec::with_capacity(4096), Vec::new());
        pool.give(arena, records);
        pool.give(Vec::with_capacity(3 * capacity), Vec::new());
        let (arena, _) = pool.take();
        assert!(arena.is_empty() && arena.as_ptr() == place);
        assert_eq!(pool.usage.idle.load(Relaxed), 0);
        assert_eq!(pool.take().0.capacity(), capacity);
        // The first one and the last one: in between the arena came back.
        assert_eq!(pool.usage.allocated.load(Relaxed), 2);
        pool.give(arena, Vec::new());
        assert_eq!(pool.usage.idle.load(Relaxed), 1);
    }

    #[test]
    fn a_small_batch_takes_no_more_memory_than_it_has_bytes() {
        let pool: Pool<Emptied<Span>> = Pool::new(4096, Arc::default());
        let (mut arena, mut records) = pool.take();
        let capacity = arena.capacity();
        for bytes in [1, 100, capacity / 2 - 1, capacity / 2, capacity] {
            records.push(Span::append(&mut arena, None, &vec![7; bytes]));
            let (batch, index) = pool.split((&mut arena, &mut records));
            assert_eq!((batch.len(), index.len()), (bytes, 1));
            assert!(batch.capacity() <= 2 * bytes, "{} for {bytes}", batch.capacity());
            assert!(arena.is_empty() && records.is_empty() && arena.capacity() == capacity);
        }
    }
}
