//! What the sink has in every stage. Owned by the sink thread.
//!
//! In:  settings, channels. Out: the calls that are the same in every stage.
//! Holds: a change becomes the state only when its commit is known; what is kept here over
//! incarnations is about what was committed, never about an open epoch.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use crossbeam_channel::Sender;

use super::{
    EpochFailure, SinkSettings,
    outputs::Outputs,
    report::{self, EpochCounts, Report},
};
use crate::{
    client::{Client, Clock, OffsetCommitter, RecordProducer},
    config::Delivery,
    control::Control,
    epoch::{Times, ToSource, WorkerEpoch},
    error::RunError,
    failpoint::{self, Point},
    ids::{Epoch, Incarnation},
    limits,
    state::CommitMetadata,
    window::{EpochChange, StateImage, WindowRecord, Windows},
};

/// The sink without its stage.
pub(super) struct Context<C: Client> {
    pub(super) settings: SinkSettings<C>,
    pub(super) clock: C::Clock,
    pub(super) outputs: Outputs<C>,
    pub(super) incarnation: Incarnation,
    pub(super) windows: Windows,
    /// The last committed change, folded into the store's base with the next write.
    pub(super) committed_change: Option<Arc<EpochChange>>,
    /// Whether the next epoch is committed even if nothing moved: a partition's first offset, or
    /// one that another instance committed, is not written down as ours yet.
    pub(super) must_commit: bool,
    /// The last epoch that may have been committed.
    pub(super) last_written: Epoch,
    /// Counts of an epoch that is complete: whether its commit was done is not known. When it is
    /// left like that, the committed offsets tell.
    pub(super) undecided: Option<EpochCounts>,
    pub(super) report: Report,
    pub(super) control: Arc<Control>,
    to_source: Sender<ToSource>,
    /// Whether another process may have registered the transactional id.
    may_be_replaced: bool,
    /// Bytes of the workers' counts that are not added up yet.
    waiting_delta_bytes: usize,
}

impl<C: Client> Context<C> {
    pub(super) fn new(
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
            incarnation: Incarnation(0),
            windows,
            committed_change: None,
            must_commit: false,
            last_written: Epoch::default(),
            undecided: None,
            report,
            control,
            to_source,
            may_be_replaced: false,
            waiting_delta_bytes: 0,
        })
    }

    /// Answers the source. One that is gone needs no answer.
    pub(super) fn tell_source(&self, message: ToSource) {
        drop(self.to_source.send(message));
    }

    /// Notes that a worker's counts wait to be added up.
    pub(super) fn note_waiting(&mut self, answer: &WorkerEpoch) {
        self.waiting_delta_bytes += answer.delta_bytes;
    }

    /// Gives back the bytes of the counts that wait: they are added up, or thrown away.
    pub(super) fn free_waiting(&mut self) {
        self.settings.budget.delta_freed(std::mem::take(&mut self.waiting_delta_bytes));
    }

    /// Rolls back: whatever is open, queued or in flight belongs to an incarnation that is over.
    pub(super) fn reset(&mut self, incarnation: Incarnation) -> Result<(), EpochFailure> {
        assert!(incarnation > self.incarnation, "incarnations only grow");
        self.incarnation = incarnation;
        report::left();
        self.free_waiting();
        let sure = self.outputs.discard()?;
        self.may_be_replaced |= !sure;
        self.control.activity().registering.store(false, Relaxed);
        Ok(())
    }

    /// Asks the source to roll back.
    pub(super) fn ask_for_rollback(&mut self, reason: String) {
        self.report.rolled_back();
        self.free_waiting();
        self.tell_source(ToSource::RollBack { incarnation: self.incarnation, reason });
    }

    /// Looks for records that could not be delivered, and for a transaction that has failed.
    /// `has_sent`: the open epoch has sent anything besides windows.
    pub(super) fn check_deliveries(&mut self, has_sent: bool) -> Result<(), EpochFailure> {
        if let Some(error) = self.outputs.producer().fatal_error() {
            return Err(match self.settings.delivery {
                // A new producer is as good as new; the epoch begins again.
                Delivery::AtLeastOnce => {
                    EpochFailure::RollBack(format!("the producer failed: {error}"))
                }
                Delivery::ExactlyOnce => self.outputs.connection().failure(error),
            });
        }
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

    /// Publishes windows and waits for their delivery; nothing else is under way.
    pub(super) fn publish_now(&mut self, records: &[WindowRecord]) -> Result<(), EpochFailure> {
        self.outputs.windows(records);
        // Ends by itself: what is not delivered in time is reported as failed.
        while !self.outputs.pump()? || self.outputs.producer().in_flight() > 0 {
            self.outputs.producer().poll(limits::SINK_DRAIN_POLL);
        }
        self.check_deliveries(false)
    }

    /// Whether the transactional id may be registered again: not if another process with this
    /// instance id has committed behind our back. Registering would fence it, and it is the newer
    /// one. False: not known yet.
    pub(super) fn nobody_has_replaced(&mut self) -> Result<bool, EpochFailure> {
        if !self.may_be_replaced {
            return Ok(true);
        }
        if self.outputs.connection().pauses() {
            return Ok(false);
        }
        let partitions: Vec<_> = self.windows.partitions().map(|(p, _)| p).collect();
        let timeout = limits::RECOVERY_QUERY_TIMEOUT;
        let committed = match self.settings.committer.committed(&partitions, timeout) {
            Ok(committed) => committed,
            Err(error) if error.is_fatal() => return Err(self.outputs.connection().failure(error)),
            Err(error) => {
                self.outputs.connection().complain("reading committed offsets", &error);
                return Ok(false);
            }
        };
        let theirs = |metadata: &CommitMetadata| {
            metadata.instance == self.settings.instance && metadata.epoch > self.last_written
        };
        let mut known = committed.iter().filter_map(|c| CommitMetadata::parse(&c.metadata));
        if let Some(metadata) = known.find(theirs) {
            let how = format!("epoch {} was committed by another process", metadata.epoch);
            return Err(self.outputs.connection().fenced(&how));
        }
        self.may_be_replaced = false;
        Ok(true)
    }

    /// An epoch that was left without an answer to its commit is committed after all: its events
    /// are not read again, so they are counted now.
    pub(super) fn count_undecided(&mut self, committed: Epoch) {
        if let Some(counts) = self.undecided.take_if(|counts| counts.epoch == committed) {
            tracing::info!(epoch = committed.0, "the epoch that was left is committed after all");
            self.report.committed(committed, self.clock.since(counts.completed_at));
            self.report.epoch(counts);
        }
    }

    /// Puts the last committed epoch in the state for good: what is deleted meanwhile with a topic
    /// or a group cannot say later that it was committed.
    pub(super) fn fold_last(&mut self) -> Result<(), RunError> {
        if self.committed_change.take().is_none() {
            return Ok(());
        }
        let folded = self.settings.store.wait().and_then(|store| store.settle(true));
        folded.map_err(|error| RunError::with_exit_code(error.exit_code(), error))
    }

    /// Event-time facts as of the last committed epoch.
    pub(super) fn times(&self) -> Times {
        Times {
            horizon: self.windows.next_horizon(),
            watermarks: self.windows.partition_watermarks(),
            lowest_open: self.windows.lowest_open_window(),
            open_windows: self.windows.open_windows(),
        }
    }
}
