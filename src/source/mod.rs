//! The source: reads the input topic, routes records to workers, cuts epochs. Thread `source`.
//!
//! In:  librdkafka's group, error and rebalance events; fetched records; `ToSource` of the sink.
//! Out: `ToWorker` in order per worker, `ToSink`.
//! Holds: it never blocks on a worker or the sink; the next epoch is cut only after the last one
//! was committed; partitions are given away only after their epoch was committed or rolled back.

mod activity;
mod epochs;
mod extent;
mod group;
mod intake;
mod lanes;
mod open_transactions;
mod partitions;
mod phase;
mod probe;
mod read_faults;
mod rebuild;
mod recover;
mod router;
mod search;
mod topics;
mod unreadable;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub use self::router::{Router, find_user_id};
use self::{
    intake::{Intake, ReadFault},
    lanes::{Lanes, PeerGone},
    open_transactions::OpenTransactions,
    phase::{After, Ending, SourcePhase},
    unreadable::Unreadable,
};
use crate::{
    batch::{Emptied, InputRecord, Pool},
    budget::Budget,
    config::{OnUnreadableBatch, StartFrom},
    control::Control,
    epoch::{Times, ToSink, ToSource, ToWorker},
    error::RunError,
    event::FieldNames,
    ids::{Epoch, Incarnation, Offset, PartitionId, TopicId},
    kafka::{Admin, Consumer, ConsumerSettings, KafkaError},
    limits, metrics,
    state::Committed,
    topics::{PerOutput, PerTopic},
    window::WindowRules,
};

/// What a source is made of.
#[derive(Debug)]
pub struct SourceSettings {
    /// Input topic.
    pub topic: String,
    /// Who commits, as commit metadata names it.
    pub instance: String,
    /// How the consumer was made, to make another one.
    pub consumer: ConsumerSettings,
    /// Names of the input's fields, for routing.
    pub fields: FieldNames,
    /// Window rules, for alignment.
    pub rules: WindowRules,
    /// Time between two epochs.
    pub commit_interval: Duration,
    /// Silence after which a partition at its end is idle.
    pub idle_timeout: Duration,
    /// Where a group without committed offsets begins.
    pub start_from: StartFrom,
    /// What to do about a batch that cannot be read.
    pub on_unreadable_batch: OnUnreadableBatch,
    /// Stop at the end offsets seen at the start.
    pub exit_at_end: bool,
    /// Whether the cluster can be asked for topics' ids: a mock cluster cannot.
    pub has_topic_ids: bool,
    /// Names of the topics.
    pub topics: PerTopic<String>,
    /// The output topics' partitions at the start.
    pub outputs: PerOutput<i32>,
    /// The byte budget.
    pub budget: Arc<Budget>,
    /// Bytes of a record's key or value beyond which no output takes any.
    pub most_bytes: usize,
    /// Where emptied input arenas come from.
    pub input_pool: Pool<Emptied<InputRecord>>,
}

/// The source's channels.
#[derive(Debug)]
pub struct SourceChannels {
    /// One queue per worker.
    pub workers: Vec<Sender<ToWorker>>,
    /// To the sink.
    pub sink: Sender<ToSink>,
    /// From the sink.
    pub from_sink: Receiver<ToSource>,
}

/// The source.
#[derive(Debug)]
pub struct Source {
    settings: SourceSettings,
    consumer: Consumer,
    admin: Admin,
    intake: Intake,
    from_sink: Receiver<ToSource>,
    control: Arc<Control>,
    phase: SourcePhase,
    incarnation: Incarnation,
    /// The open epoch.
    epoch: Epoch,
    /// The epoch that was cut and is not committed yet.
    cut: Option<Epoch>,
    times: Times,
    epoch_began: Instant,
    /// Whether an epoch is to be cut at once, so that the start offsets are committed.
    commit_starts: bool,
    /// Where partitions without a commit begin, kept until there is one.
    fresh_starts: BTreeMap<PartitionId, Offset>,
    /// Positions at the last cut.
    cut_positions: BTreeMap<PartitionId, Offset>,
    /// Rollbacks since the last committed epoch.
    rollbacks: u32,
    last_complaint: Option<Instant>,
    next_probe: Instant,
    /// End offsets of a bounded run, kept over rollbacks.
    bounds: BTreeMap<PartitionId, Offset>,
    /// What was committed, by whomever, when the partitions were last taken over.
    taken_over: BTreeMap<PartitionId, Committed>,
    /// Whether partitions were lost and none were assigned since.
    lost: bool,
    /// The topic that is read, as of the last recovery; `None` where the brokers have no ids.
    topic: Option<TopicId>,
    /// Version of the newest look at the topics that was taken in.
    topics_version: u64,
    /// The output topics' partitions as last seen, and those that are in use.
    seen_outputs: PerOutput<i32>,
    outputs: PerOutput<i32>,
    open_transactions: OpenTransactions,
    unreadable: Unreadable,
}

impl Source {
    /// A source over a consumer that has subscribed.
    pub fn new(
        settings: SourceSettings,
        consumer: Consumer,
        admin: Admin,
        channels: SourceChannels,
        control: Arc<Control>,
    ) -> Self {
        let router = Router::new(&settings.fields, channels.workers.len());
        let lanes = Lanes::new(
            channels.workers,
            channels.sink,
            Arc::clone(&settings.budget),
            settings.input_pool.clone(),
            settings.most_bytes,
        );
        let now = Instant::now();
        let outputs = settings.outputs;
        Self {
            settings,
            consumer,
            admin,
            intake: Intake::new(lanes, router),
            from_sink: channels.from_sink,
            control,
            phase: SourcePhase::Unassigned,
            incarnation: Incarnation(0),
            epoch: Epoch(0),
            cut: None,
            times: Times::default(),
            epoch_began: now,
            commit_starts: false,
            fresh_starts: BTreeMap::new(),
            cut_positions: BTreeMap::new(),
            rollbacks: 0,
            last_complaint: None,
            next_probe: now,
            bounds: BTreeMap::new(),
            taken_over: BTreeMap::new(),
            lost: false,
            topic: None,
            topics_version: 0,
            seen_outputs: outputs,
            outputs,
            open_transactions: OpenTransactions::default(),
            unreadable: Unreadable::default(),
        }
    }

    /// Runs until a stop is asked for or, with `exit_at_end`, the input is at its end.
    pub fn run(mut self) -> Result<(), RunError> {
        while !matches!(self.phase, SourcePhase::Closed) {
            match self.turn() {
                Ok(()) => {}
                // The thread that is gone reports its own reason.
                Err(Halt::PeerGone) => return Ok(()),
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        self.control.health().set_phase(metrics::PipelinePhase::Stopping);
        self.consumer.close();
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Halt> {
        self.intake.begin();
        self.hear_sink()?;
        self.check_stop();
        self.check_topics()?;
        self.serve_group()?;
        self.advance_unreadable()?;
        // NOTE: before a question that may wait for its answer.
        self.show_waiting();
        self.advance()?;
        self.intake.lanes.flush()?;
        self.intake.lanes.send_aged(self.intake.now())?;
        self.take_records();
        self.show_activity();
        self.handle_faults()
    }

    fn hear_sink(&mut self) -> Result<(), Halt> {
        while let Ok(message) = self.from_sink.try_recv() {
            self.heard(message)?;
        }
        Ok(())
    }

    fn heard(&mut self, message: ToSource) -> Result<(), Halt> {
        match message {
            ToSource::Undone(incarnation) if incarnation == self.incarnation => self.undone(),
            ToSource::Rebuild(order) if order.incarnation == self.incarnation => {
                self.rebuild(order)
            }
            ToSource::Recovered(recovered) if recovered.incarnation == self.incarnation => {
                self.recovered(recovered)
            }
            ToSource::Committed(done) if done.incarnation == self.incarnation => {
                self.committed(done)
            }
            ToSource::RollBack { incarnation, reason } if incarnation == self.incarnation => {
                self.roll_back(&reason)
            }
            // Of an incarnation that was left meanwhile.
            _ => Ok(()),
        }
    }

    fn check_stop(&mut self) {
        if !self.control.stopping() {
            return;
        }
        match self.phase {
            SourcePhase::Running => self.end(Ending::Stop, limits::STOP_DEADLINE),
            SourcePhase::Ending { ref mut why, .. } => *why = Ending::Stop,
            // Nothing is open that could be committed.
            SourcePhase::Unassigned
            | SourcePhase::StandingBy
            | SourcePhase::Leaving(_)
            | SourcePhase::Asking(_)
            | SourcePhase::Recovering(_)
            | SourcePhase::Rebuilding(_) => self.phase = SourcePhase::Closed,
            SourcePhase::Closed => {}
        }
    }

    fn end(&mut self, why: Ending, within: Duration) {
        let deadline = self.intake.now() + within;
        self.phase = SourcePhase::Ending { why, deadline, cut: false };
    }

    fn advance(&mut self) -> Result<(), Halt> {
        match self.phase {
            SourcePhase::Asking(_) => self.ask(),
            SourcePhase::Rebuilding(_) => self.advance_rebuild(),
            SourcePhase::Running => self.run_epochs(),
            SourcePhase::Ending { why, deadline, cut } => self.advance_ending(why, deadline, cut),
            SourcePhase::Unassigned
            | SourcePhase::StandingBy
            | SourcePhase::Leaving(_)
            | SourcePhase::Recovering(_)
            | SourcePhase::Closed => Ok(()),
        }
    }

    fn take_records(&mut self) {
        let running = match &self.phase {
            SourcePhase::Running => true,
            SourcePhase::Rebuilding(rebuilding) => rebuilding.reads(),
            _ => false,
        };
        if running && self.intake.lanes.may_admit() {
            let mut wait = limits::SOURCE_IDLE_WAIT.min(self.settings.commit_interval);
            if let Some(due) = self.intake.lanes.next_send_in(self.intake.now()) {
                wait = wait.min(due);
            }
            let intake = &mut self.intake;
            self.consumer.drain(wait, |event| intake.event(event));
            return;
        }
        let wait = if running { limits::SOURCE_BLOCKED_WAIT } else { limits::SOURCE_IDLE_WAIT };
        match self.from_sink.recv_timeout(wait) {
            Ok(message) => {
                if let Err(halt) = self.heard(message) {
                    self.intake.faults.push(ReadFault::Halt(halt));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.intake.faults.push(ReadFault::Halt(Halt::PeerGone));
            }
        }
    }
}

/// Why a turn of the loop is the last one.
#[derive(Debug)]
enum Halt {
    PeerGone,
    Failed(RunError),
}

impl From<PeerGone> for Halt {
    fn from(_: PeerGone) -> Self {
        Self::PeerGone
    }
}

fn fatal(error: &KafkaError) -> Halt {
    let remedy = error.group_remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Halt::Failed(RunError::Kafka(format!("{error}{remedy}")))
}
