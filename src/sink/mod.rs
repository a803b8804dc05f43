//! The sink: produces the outputs, completes epochs, commits. Thread `sink`.
//!
//! In:  `ToSink` from the source and every worker.
//! Out: records to Kafka, one redo record per epoch to the store, offset commits, `ToSource`.
//! Holds: epochs complete in order, each at most once; a commit only after everything of the epoch
//! was delivered and the store was flushed; nothing of epoch N+1 is sent before N is committed,
//! except enriched events in at-least-once, and those not before librdkafka has all of N; nothing
//! is done per event.

mod commit;
mod connection;
mod epoch_failure;
mod incoming;
mod outputs;
mod readback;
mod rebuild;
mod recover;
mod recreated;
mod rejects;
mod report;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub(crate) use self::outputs::{OutputSettings, OutputTopic};
pub(crate) use self::readback::ReadbackSettings;
pub(crate) use self::rejects::{KEY_CUT, VALUE_CUT};
use self::{
    commit::Completed,
    epoch_failure::EpochFailure,
    incoming::Output,
    outputs::{Awaited, Outputs},
    rebuild::RebuildPlan,
    report::{EpochCounts, Report},
};
use crate::{
    batch::{Emptied, Pool, Span},
    budget::Budget,
    client::{Client, Clock, RecordProducer},
    config::{Delivery, OnStateMismatch, OnTopicRecreated},
    control::Control,
    epoch::{Alignment, ToSink, ToSource},
    error::RunError,
    failpoint::{self, Point},
    ids::{Epoch, Incarnation},
    limits,
    state::BackgroundStore,
    status::Board,
    topics::Topic,
    window::{EpochChange, StateImage, WindowRules, Windows},
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
    /// What to do with a partition whose state does not fit its committed offset.
    pub on_state_mismatch: OnStateMismatch,
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

/// ```text
/// Undoing ──workers reset, transaction ended──► Waiting ──request, all windows there──► Open
///    ▲                                             └──some lost──► Rebuilding ──counted──►┘
///    │
///    │          Open ──epoch aligned, all accepted──► Draining ──delivered, committed──► Open
///    │            │                                      │ └─at-least-once─► Publishing ──►┘
///    └─Reset── Failed ◄───── delivery or commit failed ──┴───────────────────────┘
/// ```
/// A `Reset` leads from anywhere to Undoing.
enum Stage<C: Client> {
    /// Waiting for every worker to drop the previous incarnation and for the producer to be ready.
    Undoing { done: usize },
    /// Nothing of an older incarnation is left; the source asks the broker.
    Waiting,
    /// Windows that were lost are counted again.
    Rebuilding(Alignment, Box<RebuildPlan>),
    /// An epoch is open.
    Open(Alignment),
    /// The open epoch is complete, its redo record and its records are on their way.
    Draining(Alignment, Box<Completed<C>>),
    /// At-least-once: the epoch is committed, its window records are on their way.
    Publishing(Alignment, Box<Completed<C>>),
    /// The source was asked to roll back; nothing counts until it has.
    Failed,
}

/// The sink.
pub(crate) struct Sink<C: Client> {
    settings: SinkSettings<C>,
    clock: C::Clock,
    outputs: Outputs<C>,
    to_source: Sender<ToSource>,
    incarnation: Incarnation,
    stage: Stage<C>,
    windows: Windows,
    /// The last committed change, folded into the store's base with the next write.
    committed_change: Option<Arc<EpochChange>>,
    /// Output of the epoch after the open one that must not be sent yet.
    held: Vec<Output>,
    /// Whether the epoch that is collected has sent anything.
    sent: bool,
    /// Whether the next epoch is committed even if nothing moved: a partition's first offset, or
    /// one that another instance committed, is not written down as ours yet.
    must_commit: bool,
    /// The last epoch that may have been committed.
    last_written: Epoch,
    /// Whether another process may have registered the transactional id.
    may_be_replaced: bool,
    /// Counts of the complete epoch, reported once it is finished.
    counts: Option<EpochCounts>,
    /// Counts of an epoch that was left complete: whether its commit was done, the committed
    /// offsets tell.
    undecided: Option<EpochCounts>,
    report: Report,
    control: Arc<Control>,
}

impl<C: Client> Sink<C> {
    /// A sink that answers to `to_source`.
    pub(crate) fn new(
        settings: SinkSettings<C>,
        client: C,
        to_source: Sender<ToSource>,
        control: Arc<Control>,
    ) -> Result<Self, RunError> {
        let clock = client.clock().clone();
        let (wanted, pool) = (settings.outputs.clone(), settings.output_pool.clone());
        let outputs = Outputs::new(client, wanted, pool)
            .map_err(|error| RunError::Kafka(error.to_string()))?;
        let windows = Windows::new(settings.rules, &StateImage::default(), &[], true);
        let report =
            Report::new(settings.stats_interval, Arc::clone(&control), Arc::clone(&settings.board));
        Ok(Self {
            settings,
            clock,
            outputs,
            to_source,
            incarnation: Incarnation(0),
            stage: Stage::Failed,
            windows,
            committed_change: None,
            held: Vec::new(),
            sent: false,
            must_commit: false,
            last_written: Epoch::default(),
            may_be_replaced: false,
            counts: None,
            undecided: None,
            report,
            control,
        })
    }

    /// Works until the source and all workers are gone.
    pub(crate) fn run(mut self, input: &Receiver<ToSink>) -> Result<(), RunError> {
        loop {
            let wait = if self.busy() { limits::SINK_DRAIN_POLL } else { limits::SINK_IDLE_WAIT };
            let turned = match self.clock.receive(input, wait) {
                Ok(message) => self.turn(Some(message), input),
                Err(RecvTimeoutError::Timeout) => self.turn(None, input),
                // The ordinary end: the source has closed after its last commit.
                Err(RecvTimeoutError::Disconnected) => return self.fold_last(),
            };
            match turned {
                Ok(()) => {}
                Err(EpochFailure::Stop(error)) => return Err(error),
                Err(EpochFailure::RollBack(reason)) => self.fail(reason),
            }
        }
    }

    /// Puts the last committed epoch in the state for good: what is deleted meanwhile with a topic
    /// or a group cannot say later that it was committed.
    fn fold_last(&mut self) -> Result<(), RunError> {
        if self.committed_change.take().is_none() {
            return Ok(());
        }
        let folded = self.settings.store.wait().and_then(|store| store.settle(true));
        folded.map_err(|error| RunError::with_exit_code(error.exit_code(), error))
    }

    /// Whether something moves without a message: deliveries, or records that wait for room.
    fn busy(&self) -> bool {
        let committing = matches!(self.stage, Stage::Draining(..) | Stage::Publishing(..));
        committing || self.outputs.producer().in_flight() > 0
    }

    fn turn(
        &mut self,
        first: Option<ToSink>,
        input: &Receiver<ToSink>,
    ) -> Result<(), EpochFailure> {
        let mut next = first;
        // Takes what has come meanwhile, but lets librdkafka have its turn now and then.
        for _ in 0..limits::SINK_TURN_MESSAGES {
            let Some(message) = next else { break };
            self.handle(message)?;
            next = input.try_recv().ok();
        }
        if let Some(message) = next {
            self.handle(message)?;
        }
        self.outputs.producer().poll(Duration::ZERO);
        self.report.tick(&self.windows);
        let activity = self.control.activity();
        activity.sink_turns.fetch_add(1, Relaxed);
        activity.in_flight.store(self.outputs.producer().in_flight(), Relaxed);
        self.check_deliveries()?;
        self.advance()?;
        self.outputs.hurry();
        Ok(())
    }

    fn handle(&mut self, message: ToSink) -> Result<(), EpochFailure> {
        match message {
            ToSink::Output(batch) => self.take_output(Output::Enriched(batch)),
            ToSink::Rejects(batch) => self.take_output(Output::Rejected(batch)),
            ToSink::WorkerEpoch(answer) => match &mut self.stage {
                Stage::Open(alignment) | Stage::Rebuilding(alignment, _)
                    if answer.incarnation == self.incarnation =>
                {
                    alignment.offer_worker(*answer);
                }
                _ => self.settings.budget.delta_freed(answer.delta_bytes),
            },
            ToSink::ResetDone(incarnation) => {
                if let Stage::Undoing { done } = &mut self.stage
                    && incarnation == self.incarnation
                {
                    *done += 1;
                }
            }
            ToSink::OutputPartitions(partitions) => {
                self.settings.readback.partitions = partitions[Topic::Aggregated];
                self.outputs.adopt(partitions)?;
            }
            ToSink::Cut(cut) => {
                if let Stage::Open(alignment) | Stage::Rebuilding(alignment, _) = &mut self.stage
                    && cut.incarnation == self.incarnation
                {
                    alignment.offer_cut(*cut);
                }
            }
            ToSink::Reset(incarnation) => self.reset(incarnation)?,
            ToSink::Recover(request) => {
                if matches!(self.stage, Stage::Waiting) && request.incarnation == self.incarnation {
                    self.recover(&request)?;
                }
            }
        }
        Ok(())
    }

    fn check_deliveries(&mut self) -> Result<(), EpochFailure> {
        if let Some(error) = self.outputs.producer().fatal_error() {
            return Err(match self.settings.delivery {
                // A new producer is as good as new; the epoch begins again.
                Delivery::AtLeastOnce => {
                    EpochFailure::RollBack(format!("the producer failed: {error}"))
                }
                Delivery::ExactlyOnce => self.outputs.connection().failure(error),
            });
        }
        let has_sent = match &self.stage {
            Stage::Open(_) => self.sent,
            Stage::Draining(_, completed) => completed.sent,
            _ => false,
        };
        if has_sent && failpoint::is_set(Point::FailDelivery) {
            return Err(EpochFailure::RollBack("a test lets the deliveries fail".to_owned()));
        }
        // NOTE: before the failures are taken: records that were thrown away are among the hints.
        let transaction = self.outputs.connection().check_transaction();
        let failures = self.outputs.producer().take_delivery_failures();
        let Some(first) = failures.first else { return transaction };
        let text = format!("{} records were not delivered; the first, {first}", failures.count);
        // A right may be given back; what the topic does not take, it will not take next time.
        if first.remedy().is_some() && !first.error.is_authorization() {
            return Err(EpochFailure::Stop(RunError::Kafka(format!(
                "{text}, and start again; nothing is lost"
            ))));
        }
        Err(EpochFailure::RollBack(text))
    }

    fn advance(&mut self) -> Result<(), EpochFailure> {
        match &mut self.stage {
            Stage::Failed | Stage::Waiting => Ok(()),
            Stage::Undoing { done } => {
                if *done < self.settings.workers {
                    return Ok(());
                }
                self.control.activity().registering.store(true, Relaxed);
                if self.nobody_has_replaced()? && self.outputs.connection().make_ready()? {
                    self.control.activity().registering.store(false, Relaxed);
                    self.stage = Stage::Waiting;
                    failpoint::reached(Point::Undone);
                    // A source that is gone needs no answer.
                    drop(self.to_source.send(ToSource::Undone(self.incarnation)));
                }
                Ok(())
            }
            Stage::Rebuilding(..) => self.complete_rebuild(),
            Stage::Open(_) => {
                if self.outputs.pump()? {
                    self.complete()
                } else {
                    Ok(())
                }
            }
            Stage::Draining(_, completed) => {
                self.outputs.pump()?;
                let delivered =
                    self.outputs.have_delivered(Awaited::Everything, &mut completed.awaited);
                if self.have_stored()? && delivered { self.commit() } else { Ok(()) }
            }
            Stage::Publishing(_, completed) => {
                self.outputs.pump()?;
                if self.outputs.have_delivered(Awaited::Windows, &mut completed.awaited) {
                    return self.conclude();
                }
                Ok(())
            }
        }
    }

    /// Rolls back: whatever is open, queued or in flight belongs to an incarnation that is over.
    fn reset(&mut self, incarnation: Incarnation) -> Result<(), EpochFailure> {
        assert!(incarnation > self.incarnation, "incarnations only grow");
        self.incarnation = incarnation;
        report::left();
        self.free_alignment();
        self.held.clear();
        self.sent = false;
        if let Some(counts) = self.counts.take() {
            self.undecided = Some(counts);
        }
        let sure = self.outputs.discard()?;
        self.may_be_replaced |= !sure;
        self.control.activity().registering.store(false, Relaxed);
        self.stage = Stage::Undoing { done: 0 };
        Ok(())
    }

    fn free_alignment(&mut self) {
        if let Stage::Open(alignment) | Stage::Rebuilding(alignment, _) = &self.stage {
            self.settings.budget.delta_freed(alignment.waiting_delta_bytes());
        }
    }

    fn fail(&mut self, reason: String) {
        if matches!(self.stage, Stage::Failed | Stage::Undoing { .. }) {
            return;
        }
        self.report.rolled_back();
        self.free_alignment();
        self.stage = Stage::Failed;
        // A source that is gone needs no answer.
        drop(self.to_source.send(ToSource::RollBack { incarnation: self.incarnation, reason }));
    }
}
