//! What all threads share about the process: the stop request, its health, and their activity.
//!
//! Atomics only. Holds: a stop request is never withdrawn.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use crate::{
    batch::PoolUsage,
    metrics::{Health, Metric, reach_labeled, set_labeled},
    topics::TopicBoard,
};

/// The shared control block.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    health: Arc<Health>,
    activity: Activity,
    topics: TopicBoard,
}

impl Control {
    /// A control block of a process that has just begun.
    pub fn new(health: Arc<Health>, workers: usize) -> Arc<Self> {
        let activity = Activity::new(workers);
        let topics = TopicBoard::default();
        Arc::new(Self { stop: AtomicBool::new(false), health, activity, topics })
    }

    /// Requests an orderly stop.
    pub fn stop(&self) {
        self.stop.store(true, SeqCst);
    }

    /// Whether a stop was requested.
    pub fn stopping(&self) -> bool {
        self.stop.load(SeqCst)
    }

    /// The process's health.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// What the brokers report about the topics.
    pub fn topics(&self) -> &TopicBoard {
        &self.topics
    }

    /// What the threads are doing.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }
}

/// What each thread was last doing. Each thread stores its own part, once per turn or batch; the
/// main thread reads all of it, for the watchdog.
#[derive(Debug)]
pub struct Activity {
    /// Turns of the source's loop.
    pub source_turns: AtomicU64,
    /// Whether the source reads, or should: partitions are assigned and recovered.
    pub reading: AtomicBool,
    /// Whether all partitions are read to the end of their logs, or up to an open transaction.
    pub at_end: AtomicBool,
    /// Records that the source has read.
    pub taken: AtomicU64,
    /// Whether an epoch is cut and not committed.
    pub cut_open: AtomicBool,
    /// Messages in the sink's queue.
    pub sink_queue: AtomicUsize,
    /// Turns of the sink's loop.
    pub sink_turns: AtomicU64,
    /// Epochs finished: committed, or empty.
    pub finished: AtomicU64,
    /// Whether a takeover waits for the replica to read the journal.
    pub following: AtomicBool,
    /// Whether the sink registers its transactional id.
    pub registering: AtomicBool,
    /// How far the replica has read, all partitions of the journal together.
    pub followed: AtomicU64,
    /// Records that the producer has accepted and not delivered.
    pub in_flight: AtomicUsize,
    /// Turns of the replica's loop.
    pub replica_turns: AtomicU64,
    /// Batches that the source fills and the workers empty.
    pub input_pool: Arc<PoolUsage>,
    /// Batches that the workers fill and the sink empties.
    pub output_pool: Arc<PoolUsage>,
    /// Per worker.
    pub workers: Vec<WorkerActivity>,
}

/// What a worker is doing.
#[derive(Debug, Default)]
pub struct WorkerActivity {
    /// Messages in its queue and in the source's outbox for it.
    pub queue: AtomicUsize,
    /// Messages it has handled.
    pub handled: AtomicU64,
}

impl Activity {
    fn new(workers: usize) -> Self {
        Self {
            source_turns: AtomicU64::new(0),
            reading: AtomicBool::new(false),
            at_end: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            cut_open: AtomicBool::new(false),
            sink_queue: AtomicUsize::new(0),
            sink_turns: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            following: AtomicBool::new(false),
            registering: AtomicBool::new(false),
            followed: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            replica_turns: AtomicU64::new(0),
            input_pool: Arc::default(),
            output_pool: Arc::default(),
            workers: (0..workers).map(|_| WorkerActivity::default()).collect(),
        }
    }

    /// Sets the metrics of queues and pools.
    pub fn set_metrics(&self) {
        let queue = |name: &str, messages: &AtomicUsize| {
            set_labeled(Metric::QueueMessages, &[name], messages.load(Relaxed) as f64);
        };
        queue("sink", &self.sink_queue);
        for (number, worker) in self.workers.iter().enumerate() {
            queue(&format!("worker-{number}"), &worker.queue);
        }
        for (thread, pool) in [("source", &self.input_pool), ("workers", &self.output_pool)] {
            set_labeled(Metric::BatchPoolIdle, &[thread], pool.idle.load(Relaxed) as f64);
            let allocated = pool.allocated.load(Relaxed);
            reach_labeled(Metric::BatchPoolAllocations, &[thread], allocated);
        }
    }
}

impl fmt::Display for Activity {
    /// The state of every thread and queue, for a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |flag: &AtomicBool| if flag.load(Relaxed) { "yes" } else { "no" };
        write!(
            f,
            "source: {} turns, {} records taken, all partitions at their end: {}, epoch waits for \
             its commit: {}; sink: {} turns, {} epochs finished, {} messages queued, {} records in \
             flight; replica: {} turns, a takeover waits for the journal: {}",
            self.source_turns.load(Relaxed),
            self.taken.load(Relaxed),
            yes(&self.at_end),
            yes(&self.cut_open),
            self.sink_turns.load(Relaxed),
            self.finished.load(Relaxed),
            self.sink_queue.load(Relaxed),
            self.in_flight.load(Relaxed),
            self.replica_turns.load(Relaxed),
            yes(&self.following),
        )?;
        self.workers.iter().enumerate().try_for_each(|(number, worker)| {
            let (queue, handled) = (worker.queue.load(Relaxed), worker.handled.load(Relaxed));
            write!(f, "; worker-{number}: {handled} messages handled, {queue} queued")
        })
    }
}
