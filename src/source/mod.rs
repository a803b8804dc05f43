//! The source: reads the input topic, routes records to workers, cuts epochs. Thread `source`.
//!
//! In:  librdkafka's group, error and rebalance events; fetched records; `ToSource` of the sink.
//! Out: `ToWorker` in order per worker, `ToSink`.
//! Holds: it never blocks on a worker or the sink; the next epoch is cut only after the last one
//! was committed; partitions are given away only after their epoch was committed or rolled back.

mod activity;
mod answer;
mod asking;
mod context;
mod departed;
mod ending;
mod epochs;
mod extent;
mod intake;
mod lanes;
mod leaving;
mod open_transactions;
mod partitions;
mod phase;
mod probe;
mod recovering;
mod rejoining;
mod router;
mod run_watch;
mod running;
mod search;
mod standing_by;
mod topics;
mod unassigned;
mod unreadable;

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub use self::router::{Router, Routing, find_user_id};
use self::{
    context::Context,
    intake::Intake,
    lanes::{Lanes, PeerGone},
    phase::Phase,
};
use crate::{
    batch::{Emptied, InputRecord, Pool},
    budget::Budget,
    client::{Client, Clock, RecordConsumer},
    config::{OnUnreadableBatch, StartFrom},
    control::Control,
    epoch::{ToSink, ToSource, ToWorker},
    error::RunError,
    event::FieldNames,
    kafka::{ConsumerSettings, KafkaError, ProducerSettings, group_remedy},
    limits::{self, Timing},
    metrics,
    topics::{PerOutput, PerTopic},
    window::WindowRules,
};

/// What decides a record's worker.
#[derive(Debug)]
pub enum Route {
    /// Its user, whom the field with this name says.
    ByUser(FieldNames),
    /// Its partition.
    ByPartition,
}

/// What a source is made of.
#[derive(Debug)]
pub struct SourceSettings {
    /// Input topic.
    pub topic: String,
    /// Who commits, as commit metadata names it.
    pub instance: String,
    /// How the consumer was made, to make another one.
    pub consumer: ConsumerSettings,
    /// How the transactional ids of instances that have gone are registered; `None` where there are
    /// no transactions.
    pub registration: Option<ProducerSettings>,
    /// What decides a record's worker.
    pub route: Route,
    /// Window rules, for alignment.
    pub rules: WindowRules,
    /// Time between two epochs.
    pub commit_interval: Duration,
    /// How long the last commit before a revoke or a stop may take.
    pub timing: Timing,
    /// Silence after which a partition at its end is idle.
    pub idle_timeout: Duration,
    /// Where a group without committed offsets begins.
    pub start_from: StartFrom,
    /// What to do about a batch that cannot be read.
    pub on_unreadable_batch: OnUnreadableBatch,
    /// Stop at the end offsets seen at the start.
    pub exit_at_end: bool,
    /// Whether a stop gives up this instance's place in the group.
    pub leave_on_stop: bool,
    /// Whether the cluster can be asked for topics' ids: a mock cluster cannot.
    pub has_topic_ids: bool,
    /// Names of the topics.
    pub topics: PerTopic<String>,
    /// Number of the journal's partitions.
    pub journal_partitions: i32,
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
pub struct Source<C: Client> {
    // It is moved in every turn.
    cx: Box<Context<C>>,
    phase: Phase,
}

impl<C: Client> Source<C> {
    /// A source over a consumer that has subscribed.
    pub fn new(
        settings: SourceSettings,
        client: C,
        consumer: C::Consumer,
        admin: C::Admin,
        channels: SourceChannels,
        control: Arc<Control>,
    ) -> Self {
        let workers = channels.workers.len();
        let routing = match &settings.route {
            Route::ByUser(fields) => Routing::ByUser(Router::new(fields, workers)),
            Route::ByPartition => Routing::ByPartition { workers },
        };
        let lanes = Lanes::new(
            channels.workers,
            channels.sink,
            Arc::clone(&settings.budget),
            settings.input_pool.clone(),
            settings.most_bytes,
        );
        let intake = Intake::new(lanes, routing, client.clock().now());
        let clients = (client, consumer, admin);
        let cx = Context::new(settings, clients, intake, channels.from_sink, control);
        Self { cx: Box::new(cx), phase: Phase::Unassigned }
    }

    /// Runs until a stop is asked for or, with `exit_at_end`, the input is at its end.
    pub fn run(self) -> Result<(), RunError> {
        let mut next = Some(self);
        while let Some(source) = next {
            next = source.step()?;
        }
        Ok(())
    }

    /// One turn, which waits a little when there is nothing to do. `None`: it was the last one.
    pub fn step(self) -> Result<Option<Self>, RunError> {
        let Self { mut cx, phase } = self;
        match turn(&mut cx, phase) {
            Ok(Phase::Closed) => {
                cx.control.health().set_phase(metrics::PipelinePhase::Stopping);
                // Whatever is committed of this incarnation is committed by now.
                if cx.settings.leave_on_stop {
                    cx.consumer.leave();
                } else {
                    cx.consumer.close();
                }
                Ok(None)
            }
            Ok(phase) => Ok(Some(Self { cx, phase })),
            // The thread that is gone reports its own reason.
            Err(Halt::PeerGone) => Ok(None),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    /// Where it stands, for people.
    #[cfg(feature = "test-support")]
    pub fn stands_at(&self) -> String {
        format!("{:?}", self.phase)
    }

    /// Whether the group has given it no partition.
    #[cfg(feature = "test-support")]
    pub fn stands_by(&self) -> bool {
        matches!(self.phase, Phase::StandingBy(_))
    }
}

fn turn<C: Client>(cx: &mut Context<C>, mut phase: Phase) -> Result<Phase, Halt> {
    cx.intake.begin(cx.client.clock());
    while let Ok(message) = cx.from_sink.try_recv() {
        phase = phase.heard(cx, message)?;
    }
    phase = phase.check_stop(cx);
    if matches!(phase, Phase::Closed) {
        // What the sink or the group says from here on is for nobody.
        return Ok(phase);
    }
    phase = phase.check_topics(cx)?;
    phase = serve_group(cx, phase)?.advance_unreadable(cx)?;
    // NOTE: before a question that may wait for its answer.
    cx.control.health().set_waiting(phase.waits_for(cx));
    phase = phase.advance(cx)?;
    cx.intake.lanes.flush()?;
    cx.intake.lanes.send_aged(cx.intake.now())?;
    phase = take_records(cx, phase)?;
    activity::show(cx, &phase);
    phase.handle_faults(cx)
}

fn serve_group<C: Client>(cx: &mut Context<C>, mut phase: Phase) -> Result<Phase, Halt> {
    cx.serve();
    while let Some(event) = cx.consumer.next_rebalance() {
        phase = phase.rebalanced(cx, event)?;
    }
    Ok(phase)
}

/// Takes what was fetched; waits a little when there is nothing to do.
fn take_records<C: Client>(cx: &mut Context<C>, phase: Phase) -> Result<Phase, Halt> {
    let takes = phase.takes_records();
    if takes && cx.intake.lanes.may_admit() {
        let mut wait = limits::SOURCE_IDLE_WAIT.min(cx.settings.commit_interval);
        if let Some(due) = cx.intake.lanes.next_send_in(cx.intake.now()) {
            wait = wait.min(due);
        }
        let intake = &mut cx.intake;
        cx.consumer.drain(wait, |event| intake.event(event));
        return Ok(phase);
    }
    let wait = if takes { limits::SOURCE_BLOCKED_WAIT } else { limits::SOURCE_IDLE_WAIT };
    match cx.client.clock().receive(&cx.from_sink, wait) {
        Ok(message) => phase.heard(cx, message),
        Err(RecvTimeoutError::Timeout) => Ok(phase),
        Err(RecvTimeoutError::Disconnected) => Err(Halt::PeerGone),
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
    let remedy = group_remedy(error).map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Halt::Failed(RunError::Kafka(format!("{error}{remedy}")))
}
