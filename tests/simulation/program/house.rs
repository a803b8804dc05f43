//! What outlives an instance, and how one is made: as the pipeline does it.
//!
//! In:  a plan, a cluster. Out: instances with the state that an earlier one left.
//! Holds: everything that depends on how window state is kept, and on what the protocol promises
//! and bears, is here.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{bounded, unbounded};
use logintide::{
    batch::{Emptied, InputRecord, Pool},
    budget::Budget,
    client::{Client, RecordConsumer},
    config::{Delivery, OnTopicRecreated, OnUnreadableBatch, StartFrom},
    control::Control,
    error::RunError,
    event::EventConfig,
    ids::{Epoch, InstanceId, WorkerId},
    journal::{CopyOf, Identity, InstanceRecord},
    kafka::{ClientSettings, ConsumerSettings, ProducerSettings, Transactional},
    limits::Timing,
    metrics::Health,
    replica::{Replica, ReplicaSettings},
    rows::{MemoryRowDisk, RowDisk, RowFiles, RowFilesSettings},
    sink::{OutputSettings, OutputTopic, Sink, SinkSettings},
    source::{Route, Source, SourceChannels, SourceSettings},
    state::{MemoryDisk, RecordCopy},
    status::Board,
    topics::Topic,
    users::open_until_s,
    worker::{CountingSettings, TaskSettings, Worker, WorkerSettings},
};

use super::{
    instance::Instance,
    plan::{COMMIT_INTERVAL, GROUP, IDLE_TIMEOUT, Plan, SESSION, TRANSACTION_TIMEOUT, Work},
    users,
};
use crate::kafka::{Faults, Random, SimClient};

/// Messages of a worker's queue: few, so that the source's outbox is used.
const WORKER_QUEUE: usize = 2;
/// Bytes of an arena.
const ARENA_BYTES: usize = 1_024;
/// More memory than a history needs.
pub(crate) const POOL_BYTES: usize = 64 << 20;
const RECORD_BYTES: usize = 256 * 1024;
/// Of the files of rows: few rows fill them.
const SEGMENT_BYTES: u64 = 4 * 1024;
const ROWS_WAITING: usize = 2 * 1024;

/// What may be in an output more than once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeats {
    pub(crate) enriched: bool,
    /// Dead letters, late records and window records.
    pub(crate) others: bool,
}

impl Repeats {
    pub(crate) fn of(delivery: Delivery) -> Self {
        let is_possible = delivery == Delivery::AtLeastOnce;
        Self { enriched: is_possible, others: false }
    }
}

/// Faults that the protocol bears: all.
pub(crate) fn bearable(faults: Faults) -> Faults {
    faults
}

/// An instance's place: its name and its state.
pub(crate) struct House {
    number: usize,
    /// How often it has moved.
    machine: usize,
    plan: Plan,
    disk: Disk,
    /// The disk as it was some time ago.
    image: Disk,
}

/// What is in a state folder.
#[derive(Default)]
struct Disk {
    journal: MemoryDisk,
    rows: MemoryRowDisk,
}

impl Disk {
    fn image(&self) -> Self {
        Self { journal: self.journal.image(), rows: self.rows.image() }
    }

    fn crash(&self, random: &mut Random) {
        self.journal.crash(|| random.one_in(2));
        self.rows.crash(|unsynced| match random.below(3) {
            0 => 0,
            1 => unsynced,
            _ => random.below(unsynced + 1),
        });
    }
}

impl House {
    pub(crate) fn new(number: usize, plan: &Plan) -> Self {
        let (disk, image) = (Disk::default(), Disk::default());
        Self { number, machine: 0, plan: plan.clone(), disk, image }
    }

    /// Whether there was another machine before.
    pub(crate) fn is_another_machine(&self) -> bool {
        self.machine > 0
    }

    /// The instance's name.
    fn name(&self) -> String {
        format!("i{}-{}", self.number, self.machine)
    }

    /// A topic has a partition more.
    pub(crate) fn adds_partition(&mut self, topic: Topic) {
        self.plan.partitions[topic] += 1;
    }

    /// The disk takes so many rows more, until the next start.
    pub(crate) fn break_disk(&self, rows: usize) {
        self.disk.journal.fill_after(Some(rows));
        self.disk.rows.fill_after(Some(rows));
    }

    /// The disk works again.
    pub(crate) fn mend_disk(&self) {
        self.disk.journal.fill_after(None);
        self.disk.rows.fill_after(None);
    }

    /// What becomes of the state while no instance runs; mostly nothing.
    pub(crate) fn disturb_state(&mut self, random: &mut Random) -> &'static str {
        self.mend_disk();
        self.disk.crash(random);
        match random.below(12) {
            0 => {
                self.disk = Disk::default();
                if random.one_in(2) {
                    return "lost";
                }
                // Another machine: what the last one left open is nobody's own.
                self.machine += 1;
                "lost with its name"
            }
            1 => {
                self.disk = self.image.image();
                "stale"
            }
            2 => {
                self.image = self.disk.image();
                "copied"
            }
            _ => "kept",
        }
    }

    /// Makes an instance that has just started.
    pub(crate) fn build(&self, client: &SimClient, workers: usize) -> Result<Instance, RunError> {
        let control = Control::new(Health::new(workers + 2), workers);
        let activity = control.activity();
        let budget = Budget::new(self.plan.memory_bytes);
        let input_pool = Pool::new(ARENA_BYTES, Arc::clone(&activity.input_pool));
        let output_pool = Pool::new(ARENA_BYTES, Arc::clone(&activity.output_pool));
        // Without a bound: who sends must not wait here for who receives.
        let (to_sink, sink_input) = unbounded();
        let (to_source, from_sink) = unbounded();
        let refused = |error| RunError::Kafka(format!("{error}"));
        let consumer = client.consumer(&self.consumer()).map_err(refused)?;
        consumer.subscribe().map_err(refused)?;
        let has_rows = self.plan.work == Work::Users;
        let rows = has_rows.then(|| self.rows()).transpose()?;
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for number in 0..workers {
            let (to_worker, input) = bounded(WORKER_QUEUE);
            queues.push(to_worker);
            let settings = WorkerSettings {
                id: WorkerId(number),
                task: self.task(rows.as_ref()),
                budget: Arc::clone(&budget),
                input_pool: input_pool.clone(),
                output_pool: output_pool.clone(),
            };
            let worker = Worker::new(settings, to_sink.clone(), Arc::clone(&control));
            threads.push((worker.with_clock(client.clock().clone()), input));
        }
        let (replica, link) =
            Replica::new(self.replica(rows), client.clone(), Arc::clone(&control))?;
        let sink_settings = SinkSettings {
            workers,
            outputs: self.outputs(),
            rules: self.plan.rules,
            has_rows,
            instance: InstanceId::parse(&self.name()).expect("valid"),
            introduction: self.introduction(),
            identity: self.identity(),
            timing: timing(),
            on_topic_recreated: OnTopicRecreated::Fail,
            stats_interval: None,
            board: Board::new(),
            replica: link,
            committer: consumer.committer(),
            budget: Arc::clone(&budget),
            output_pool,
        };
        let sink = Sink::new(sink_settings, client.clone(), to_source, Arc::clone(&control))?;
        let channels = SourceChannels { workers: queues, sink: to_sink, from_sink };
        let admin = client.admin();
        let settings = self.source(Arc::clone(&budget), input_pool);
        let (made, shared) = (client.clone(), Arc::clone(&control));
        let source = Source::new(settings, made, consumer, admin, channels, shared);
        Ok(Instance::new((control, budget), source, threads, (sink, sink_input), replica))
    }

    fn task(&self, rows: Option<&RowFiles>) -> TaskSettings {
        let event = EventConfig::default();
        match self.plan.work {
            Work::Windows => TaskSettings::Counting(CountingSettings {
                event,
                rules: self.plan.rules,
                output_partitions: self.plan.partitions[Topic::Processed] as i32,
            }),
            Work::Users => {
                let rows = rows.expect("users have rows").reader();
                TaskSettings::Profiling(Box::new(users::settings(self.plan.outputs(), rows)))
            }
        }
    }

    fn source(
        &self,
        budget: Arc<Budget>,
        input_pool: Pool<Emptied<InputRecord>>,
    ) -> SourceSettings {
        SourceSettings {
            topic: self.plan.work.names()[Topic::Input].clone(),
            instance: self.name(),
            consumer: self.consumer(),
            registration: Some(self.outputs().producer),
            route: match self.plan.work {
                Work::Windows => Route::ByUser(EventConfig::default().fields),
                Work::Users => Route::ByPartition,
            },
            rules: self.plan.rules,
            commit_interval: COMMIT_INTERVAL,
            timing: timing(),
            idle_timeout: IDLE_TIMEOUT,
            start_from: StartFrom::Earliest,
            on_unreadable_batch: OnUnreadableBatch::Fail,
            exit_at_end: self.plan.is_bounded,
            leave_on_stop: false,
            has_topic_ids: true,
            topics: self.plan.work.names(),
            outputs: self.plan.outputs(),
            journal_partitions: self.plan.outputs()[Topic::Journal],
            budget,
            most_bytes: RECORD_BYTES,
            input_pool,
        }
    }

    fn consumer(&self) -> ConsumerSettings {
        ConsumerSettings { instance_id: Some(self.name()), ..guest(self.plan.work) }
    }

    fn replica(&self, rows: Option<RowFiles>) -> ReplicaSettings {
        let journal = self.plan.work.names()[Topic::Journal].clone();
        let consumer = ConsumerSettings { topic: journal, ..guest(self.plan.work) };
        let of = self.copy_of();
        ReplicaSettings {
            consumer,
            partitions: self.plan.outputs()[Topic::Journal] as u32,
            rules: self.plan.rules,
            memory_limit: POOL_BYTES,
            copy: Some(Box::new(RecordCopy::new(self.disk.journal.table(), of))),
            rows,
            board: Board::new(),
        }
    }

    fn rows(&self) -> Result<RowFiles, RunError> {
        let settings = RowFilesSettings {
            of: self.copy_of(),
            mark_of: open_until_s,
            waiting_bytes: ROWS_WAITING,
            segment_bytes: SEGMENT_BYTES,
        };
        let disk: Arc<dyn RowDisk> = Arc::new(self.disk.rows.clone());
        let files = RowFiles::open(&disk, settings);
        files.map_err(|fault| RunError::Failed(fault.to_string()))
    }

    fn copy_of(&self) -> CopyOf {
        CopyOf {
            cluster_id: "simulated".to_owned(),
            group_id: GROUP.to_owned(),
            topic: self.plan.work.names()[Topic::Journal].clone(),
        }
    }

    fn introduction(&self) -> InstanceRecord {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        InstanceRecord {
            epoch: Epoch::default(),
            version: "simulated".to_owned(),
            started_ms: 0,
            http: None,
            rules: self.plan.rules,
            exactly_once: self.plan.delivery == Delivery::ExactlyOnce,
            commit_interval_ms: milliseconds(COMMIT_INTERVAL),
            idle_timeout_ms: milliseconds(IDLE_TIMEOUT),
            session_timeout_ms: milliseconds(SESSION),
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            cluster_id: "simulated".to_owned(),
            group_id: GROUP.to_owned(),
            topic: self.plan.work.names()[Topic::Input].clone(),
            topic_id: None,
            window_size_ms: self.plan.rules.size_ms,
            journal_partitions: self.plan.outputs()[Topic::Journal] as u32,
            first_partitions: self.plan.partitions[Topic::Input] as u32,
            began_ms: 0,
        }
    }

    fn outputs(&self) -> OutputSettings {
        let transactional = Transactional::of(GROUP, &self.name(), timing().transaction());
        let producer = |transactional| ProducerSettings {
            client: client(),
            queue_kbytes: 1_024,
            batch_bytes: 64 * 1024,
            linger: Duration::from_millis(2),
            delivery_timeout: timing().delivery(),
            transactional,
        };
        let runs_ahead = self.plan.delivery == Delivery::AtLeastOnce;
        OutputSettings {
            producer: producer(Some(transactional)),
            ahead: runs_ahead.then(|| producer(None)),
            topics: self.plan.work.names(),
            facts: self.plan.outputs().map(|_, partitions| OutputTopic {
                partitions: *partitions,
                record_bytes: RECORD_BYTES,
            }),
        }
    }
}

/// How long the parts wait for one another.
pub(super) fn timing() -> Timing {
    Timing::of(SESSION, COMMIT_INTERVAL).with_transaction(TRANSACTION_TIMEOUT)
}

fn client() -> ClientSettings {
    let refresh = ("topic.metadata.refresh.interval.ms".to_owned(), "3000".to_owned());
    ClientSettings { brokers: "simulated".to_owned(), properties: vec![refresh] }
}

/// Settings of a consumer that has no name in the group.
pub(crate) fn guest(work: Work) -> ConsumerSettings {
    ConsumerSettings {
        client: client(),
        group_id: GROUP.to_owned(),
        instance_id: None,
        topic: work.names()[Topic::Input].clone(),
        fetch_queue_kbytes: 1_024,
        session_timeout: SESSION,
        max_poll_interval: 3 * SESSION,
        reads_uncommitted: false,
    }
}
