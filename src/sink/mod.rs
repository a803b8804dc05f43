//! The sink: produces the outputs, completes epochs, commits. Thread `sink`.
//!
//! In:  `ToSink` from the source and every worker; at a takeover, what the replica has followed.
//! Out: one transaction per epoch: records, the journal's records, offsets; `ToSource`.
//! Holds: epochs complete in order, each at most once; a commit only after everything of the epoch
//! was delivered; nothing of epoch N+1 is sent before N is committed, except enriched events in
//! at-least-once, and those not before librdkafka has all of N; nothing is done per event, and
//! nothing is written to disk.

mod ahead;
mod bounded_run;
mod collecting;
mod connection;
mod context;
mod draining;
mod epoch_failure;
mod founding;
mod heads;
mod open;
mod outputs;
mod read_back;
mod reading;
mod rejects;
mod stage;
mod takeover;
mod undoing;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub use self::outputs::{OutputSettings, OutputTopic};
pub(crate) use self::rejects::{KEY_CUT, VALUE_CUT};
use self::{
    collecting::Output, context::Context, epoch_failure::EpochFailure, stage::Stage,
    undoing::Undoing,
};
use crate::{
    batch::{Emptied, Pool, Span},
    budget::Budget,
    client::{Client, Clock},
    config::OnTopicRecreated,
    control::Control,
    epoch::{ToSink, ToSource},
    error::RunError,
    ids::InstanceId,
    journal::{Identity, InstanceRecord},
    limits::{self, Timing},
    replica::ReplicaLink,
    status::Board,
    window::WindowRules,
};

/// What a sink is made of.
pub struct SinkSettings<C: Client> {
    /// Number of workers that answer each barrier.
    pub workers: usize,
    /// How outputs are produced.
    pub outputs: OutputSettings,
    /// Window rules.
    pub rules: WindowRules,
    /// Whether workers keep rows.
    pub has_rows: bool,
    /// Who commits: goes into the journal and the commit's metadata.
    pub instance: InstanceId,
    /// What this instance says of itself, in its first epoch and now and then.
    pub introduction: InstanceRecord,
    /// Whose journal it must be; what is written into one that is new.
    pub identity: Identity,
    /// How long commits are tried and asked for.
    pub timing: Timing,
    /// What to do when the input topic was deleted and created again.
    pub on_topic_recreated: OnTopicRecreated,
    /// Time between two statistics lines.
    pub stats_interval: Option<Duration>,
    /// Where snapshots go.
    pub board: Arc<Board>,
    /// The replica of the journal.
    pub replica: ReplicaLink,
    /// Commits through the source's consumer.
    pub committer: C::Committer,
    /// The byte budget.
    pub budget: Arc<Budget>,
    /// Where emptied output arenas go.
    pub output_pool: Pool<Emptied<Span>>,
}

/// The sink.
pub struct Sink<C: Client> {
    // It is moved in every turn.
    cx: Box<Context<C>>,
    stage: Stage<C>,
}

impl<C: Client> Sink<C> {
    /// A sink that answers to `to_source`.
    pub fn new(
        settings: SinkSettings<C>,
        client: C,
        to_source: Sender<ToSource>,
        control: Arc<Control>,
    ) -> Result<Self, RunError> {
        let cx = Box::new(Context::new(settings, client, to_source, control)?);
        Ok(Self { cx, stage: Stage::Failed })
    }

    /// Works until the source and all workers are gone.
    pub fn run(self, input: &Receiver<ToSink>) -> Result<(), RunError> {
        let mut next = Some(self);
        while let Some(sink) = next {
            next = sink.step(input)?;
        }
        Ok(())
    }

    /// One turn, which waits a little for a message. `None`: the source and all workers are gone.
    pub fn step(self, input: &Receiver<ToSink>) -> Result<Option<Self>, RunError> {
        let Self { mut cx, stage } = self;
        // Something moves without a message: deliveries, or records that wait for room.
        let is_busy = stage.is_waiting() || cx.outputs.in_flight() > 0;
        let wait = if is_busy { limits::SINK_DRAIN_POLL } else { limits::SINK_IDLE_WAIT };
        let stage = match cx.clock.receive(input, wait) {
            Ok(message) => turn(&mut cx, stage, Some(message), input)?,
            Err(RecvTimeoutError::Timeout) => turn(&mut cx, stage, None, input)?,
            // The ordinary end: the source has closed after its last commit.
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        };
        Ok(Some(Self { cx, stage }))
    }

    /// Where it stands, for people.
    #[cfg(feature = "test-support")]
    pub fn stands_at(&self) -> &'static str {
        self.stage.name()
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
    cx.outputs.poll();
    cx.reporter.tick(&cx.windows);
    let activity = cx.control.activity();
    activity.sink_turns.fetch_add(1, Relaxed);
    activity.in_flight.store(cx.outputs.in_flight(), Relaxed);
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
            if let Err(failure) = cx.outputs.adopt(partitions) {
                return stage.failed(cx, failure);
            }
        }
        ToSink::Reset(incarnation) => {
            let undoing = cx.reset(incarnation).map(|()| Stage::Undoing(Undoing::default()));
            return settled(cx, undoing);
        }
        ToSink::Recover(request) => return Ok(stage.recover(cx, request)),
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
        Err(EpochFailure::Fenced(how)) => {
            cx.count_fence(&how)?;
            cx.ask_for_rollback(format!("fenced: {how}"));
            Ok(Stage::Failed)
        }
    }
}
