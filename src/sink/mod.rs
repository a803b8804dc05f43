//! The sink: produces the outputs, completes epochs, commits. Thread `sink`.
//!
//! In:  `ToSink` from the source and every worker.
//! Out: records to Kafka, one redo record per epoch to the store, offset commits, `ToSource`.
//! Holds: epochs complete in order, each at most once; a commit only after everything of the epoch
//! was delivered and the store was flushed; nothing of epoch N+1 is sent before N is committed,
//! except enriched events in at-least-once, and those not before librdkafka has all of N; nothing
//! is done per event.

mod collecting;
mod connection;
mod context;
mod draining;
mod epoch_failure;
mod open;
mod outputs;
mod publishing;
mod readback;
mod rebuilding;
mod recovering;
mod recreated;
mod rejects;
mod report;
mod stage;
mod undoing;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub(crate) use self::outputs::{OutputSettings, OutputTopic};
pub(crate) use self::readback::ReadbackSettings;
pub(crate) use self::rejects::{KEY_CUT, VALUE_CUT};
use self::{
    collecting::Output, context::Context, epoch_failure::EpochFailure, stage::Stage,
    undoing::Undoing,
};
use crate::{
    batch::{Emptied, Pool, Span},
    budget::Budget,
    client::{Client, Clock, RecordProducer},
    config::{Delivery, OnTopicRecreated},
    control::Control,
    epoch::{ToSink, ToSource},
    error::RunError,
    limits,
    state::BackgroundStore,
    status::Board,
    topics::Topic,
    window::WindowRules,
};

/// What a sink is made of.
pub(crate) struct SinkSettings<C: Client> {
    /// Number of workers that answer each barrier.
    pub workers: usize,
    /// How outputs are produced.
    pub outputs: OutputSettings,
    /// Window rules.
    pub rules: WindowRules,
    /// How epochs are committed.
    pub delivery: Delivery,
    /// How published windows are read back, for a rebuild.
    pub readback: ReadbackSettings,
    /// Who commits: goes into the commit's metadata.
    pub instance: String,
    /// What to do when the input topic was deleted and created again.
    pub on_topic_recreated: OnTopicRecreated,
    /// Time between two statistics lines.
    pub stats_interval: Option<Duration>,
    /// Where snapshots go.
    pub board: Arc<Board>,
    /// The window state's store.
    pub store: BackgroundStore,
    /// Commits through the source's consumer.
    pub committer: C::Committer,
    /// The byte budget.
    pub budget: Arc<Budget>,
    /// Where emptied output arenas go.
    pub output_pool: Pool<Emptied<Span>>,
}

/// The sink.
pub(crate) struct Sink<C: Client>(Context<C>);

impl<C: Client> Sink<C> {
    /// A sink that answers to `to_source`.
    pub(crate) fn new(
        settings: SinkSettings<C>,
        client: C,
        to_source: Sender<ToSource>,
        control: Arc<Control>,
    ) -> Result<Self, RunError> {
        Context::new(settings, client, to_source, control).map(Self)
    }

    /// Works until the source and all workers are gone.
    pub(crate) fn run(self, input: &Receiver<ToSink>) -> Result<(), RunError> {
        let Self(mut cx) = self;
        let mut stage = Stage::Failed;
        loop {
            // Something moves without a message: deliveries, or records that wait for room.
            let is_busy = stage.is_committing() || cx.outputs.producer().in_flight() > 0;
            let wait = if is_busy { limits::SINK_DRAIN_POLL } else { limits::SINK_IDLE_WAIT };
            stage = match cx.clock.receive(input, wait) {
                Ok(message) => turn(&mut cx, stage, Some(message), input)?,
                Err(RecvTimeoutError::Timeout) => turn(&mut cx, stage, None, input)?,
                // The ordinary end: the source has closed after its last commit.
                Err(RecvTimeoutError::Disconnected) => return cx.fold_last(),
            };
        }
    }
}

fn turn<C: Client>(
    cx: &mut Context<C>,
    mut stage: Stage<C>,
    first: Option<ToSink>,
    input: &Receiver<ToSink>,
) -> Result<Stage<C>, RunError> {
    let (mut next, mut handled) = (first, 0);
    while let Some(message) = next {
        stage = handle(cx, stage, message)?;
        handled += 1;
        // Takes what has come meanwhile, but lets librdkafka have its turn now and then.
        next = (handled <= limits::SINK_TURN_MESSAGES).then(|| input.try_recv().ok()).flatten();
    }
    cx.outputs.producer().poll(Duration::ZERO);
    cx.report.tick(&cx.windows);
    let activity = cx.control.activity();
    activity.sink_turns.fetch_add(1, Relaxed);
    activity.in_flight.store(cx.outputs.producer().in_flight(), Relaxed);
    if let Err(failure) = cx.check_deliveries(stage.has_sent()) {
        return stage.failed(cx, failure);
    }
    let advanced = stage.advance(cx);
    let stage = settled(cx, advanced)?;
    cx.outputs.hurry();
    Ok(stage)
}

fn handle<C: Client>(
    cx: &mut Context<C>,
    mut stage: Stage<C>,
    message: ToSink,
) -> Result<Stage<C>, RunError> {
    match message {
        ToSink::Output(batch) => stage.take_output(cx, Output::Enriched(batch)),
        ToSink::Rejects(batch) => stage.take_output(cx, Output::Rejected(batch)),
        ToSink::WorkerEpoch(answer) => stage.take_answer(cx, *answer),
        ToSink::ResetDone(incarnation) => stage.reset_done(cx, incarnation),
        ToSink::Cut(cut) => stage.take_cut(cx, *cut),
        ToSink::OutputPartitions(partitions) => {
            cx.settings.readback.partitions = partitions[Topic::Aggregated];
            if let Err(failure) = cx.outputs.adopt(partitions) {
                return stage.failed(cx, failure);
            }
        }
        ToSink::Reset(incarnation) => {
            let undoing = cx.reset(incarnation).map(|()| Stage::Undoing(Undoing::default()));
            return settled(cx, undoing);
        }
        ToSink::Recover(request) => {
            let recovered = stage.recover(cx, &request);
            return settled(cx, recovered);
        }
    }
    Ok(stage)
}

/// The stage that follows a step, also one that failed.
fn settled<C: Client>(
    cx: &mut Context<C>,
    step: Result<Stage<C>, EpochFailure>,
) -> Result<Stage<C>, RunError> {
    match step {
        Ok(stage) => Ok(stage),
        Err(EpochFailure::Stop(error)) => Err(error),
        Err(EpochFailure::RollBack(reason)) => {
            cx.ask_for_rollback(reason);
            Ok(Stage::Failed)
        }
    }
}
