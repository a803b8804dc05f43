//! What the sink has in every stage. Owned by the sink thread.
//!
//! In:  settings, channels. Out: the calls that are the same in every stage.
//! Holds: a change becomes the state only when its commit is known; what is kept here over
//! incarnations is about what was committed, never about an open epoch.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crossbeam_channel::Sender;

use super::{
    EpochFailure, SinkSettings,
    bounded_run::Runs,
    outputs::Outputs,
    read_back::ReadBack,
    takeover::{Memory, Rules},
};
use crate::{
    client::{Client, Clock, RecordProducer},
    control::Control,
    epoch::{EpochCut, Times, ToSource, WorkerEpoch},
    error::RunError,
    failpoint::{self, Point},
    ids::{Epoch, EventTimeMs, Incarnation, PartitionId, TopicId},
    journal::Writer,
    limits,
    metrics::{self, Metric},
    replica::{Damage, Heard},
    status::{CommitTime, EpochReport, Reporter},
    window::{PartitionTotals, StateImage, Windows},
};

/// The sink without its stage.
pub(super) struct Context<C: Client> {
    pub(super) settings: SinkSettings<C>,
    pub(super) clock: C::Clock,
    pub(super) outputs: Outputs<C>,
    pub(super) incarnation: Incarnation,
    pub(super) windows: Windows,
    /// Writes the journal; `None` before the first takeover.
    pub(super) writer: Option<Writer>,
    /// What has become of each owned partition's records, as of the last committed epoch.
    pub(super) totals: BTreeMap<PartitionId, PartitionTotals>,
    /// Windows that end at or before this take no more events from the next epoch on: a takeover
    /// has lost what else belongs to them.
    pub(super) sealed: Option<EventTimeMs>,
    /// Number of input partitions that the brokers named at the last takeover.
    pub(super) partitions: u32,
    /// A merger has met a sum below what was published, and no epoch was committed since.
    pub(super) has_shrunk: bool,
    /// The journal's topic id, as of the last takeover.
    pub(super) journal: Option<TopicId>,
    /// Whether the next epoch is committed even if nothing moved: it is the first one after a
    /// takeover, or the journal has lost records.
    pub(super) must_commit: bool,
    /// The last epoch whose commit is known; `windows` and `totals` are as of it.
    pub(super) committed_epoch: Option<Epoch>,
    /// The last epoch that may have been committed.
    pub(super) last_written: Epoch,
    /// Whether what was committed can be read.
    pub(super) read_back: ReadBack,
    /// The group's bounded runs.
    pub(super) runs: Runs,
    /// Of an epoch that is complete: whether its commit was done is not known. When it is left like
    /// that, the committed offsets tell.
    pub(super) undecided: Option<EpochReport>,
    pub(super) reporter: Reporter,
    pub(super) control: Arc<Control>,
    to_source: Sender<ToSource>,
    /// When others have registered the transactional id.
    fences: Vec<Instant>,
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
        let windows = Windows::new(settings.rules, &StateImage::default(), &[]);
        let (health, board) = (Arc::clone(control.health()), Arc::clone(&settings.board));
        let reporter = Reporter::new(&settings.instance, settings.stats_interval, health, board);
        Ok(Self {
            settings,
            clock,
            outputs,
            incarnation: Incarnation(0),
            windows,
            writer: None,
            totals: BTreeMap::new(),
            sealed: None,
            partitions: 0,
            has_shrunk: false,
            journal: None,
            must_commit: false,
            committed_epoch: None,
            last_written: Epoch::default(),
            read_back: ReadBack::default(),
            runs: Runs::default(),
            undecided: None,
            reporter,
            control,
            to_source,
            fences: Vec::new(),
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
        metrics::set(Metric::AssignedPartitions, 0.0);
        self.free_waiting();
        self.outputs.discard()?;
        self.control.activity().registering.store(false, Relaxed);
        Ok(())
    }

    /// Asks the source to roll back.
    pub(super) fn ask_for_rollback(&mut self, reason: String) {
        self.reporter.rolled_back();
        self.free_waiting();
        self.tell_source(ToSource::RollBack { incarnation: self.incarnation, reason });
    }

    /// Looks for records that could not be delivered, and for a transaction that has failed.
    /// `has_sent`: the open epoch has sent anything besides windows.
    pub(super) fn check_deliveries(&mut self, has_sent: bool) -> Result<(), EpochFailure> {
        let fatal = self.outputs.producers().find_map(RecordProducer::fatal_error);
        if let Some(error) = fatal {
            return Err(match self.settings.outputs.producer.transactional {
                // A new producer is as good as new; the epoch begins again.
                None => EpochFailure::RollBack(format!("the producer failed: {error}")),
                Some(_) => self.outputs.connection().failure(error),
            });
        }
        if has_sent && failpoint::is_set(Point::FailDelivery) {
            return Err(EpochFailure::RollBack("a test lets the deliveries fail".to_owned()));
        }
        // NOTE: before the failures are taken: records that were thrown away are among the hints.
        let transaction = self.outputs.connection().check_transaction();
        let failures: Vec<_> =
            self.outputs.producers().map(RecordProducer::take_delivery_failures).collect();
        let count: u64 = failures.iter().map(|failures| failures.count).sum();
        let Some(first) = failures.into_iter().find_map(|failures| failures.first) else {
            return transaction;
        };
        let text = format!("{count} records were not delivered; the first, {first}");
        // A right may be given back; what the topic does not take, it will not take next time.
        if first.remedy().is_some() && !first.error.is_authorization() {
            return Err(EpochFailure::Stop(RunError::Kafka(format!(
                "{text}, and start again; nothing is lost"
            ))));
        }
        Err(EpochFailure::RollBack(text))
    }

    /// Counts how often somebody has registered this transactional id. Once is a peer that took
    /// this process for dead; again and again is a second process with this name.
    pub(super) fn count_fence(&mut self, how: &str) -> Result<(), RunError> {
        let now = self.clock.now();
        self.fences.retain(|at| now - *at < limits::FENCE_MEMORY);
        self.fences.push(now);
        if self.fences.len() < limits::FENCES_MOST {
            return Ok(());
        }
        Err(RunError::Kafka(format!(
            "fenced {} times within {} s: {how}; another logintide runs with the same --group-id \
             and --instance-id. This process stops; nothing of its open epoch was committed",
            self.fences.len(),
            limits::FENCE_MEMORY.as_secs()
        )))
    }

    /// An epoch that was left without an answer to its commit is committed after all: its events
    /// are not read again, so they are counted now.
    pub(super) fn count_undecided(&mut self, committed: Epoch) {
        if let Some(mut report) = self.undecided.take_if(|report| report.epoch == committed) {
            tracing::info!(epoch = committed.0, "the epoch that was left is committed after all");
            let took = self.clock.since(report.aligned_at);
            report.commit.get_or_insert(CommitTime { at_ms: self.clock.now_ms(), took });
            self.reporter.epoch(report);
        }
    }

    /// What a takeover goes by.
    pub(super) fn takeover_rules(&self) -> Rules<'_> {
        Rules {
            window: self.settings.rules,
            on_topic_recreated: self.settings.on_topic_recreated,
            session_timeout: self.settings.timing.session(),
            identity: &self.settings.identity,
            last_written: self.last_written,
            memory: Memory {
                instance: &self.settings.instance,
                epoch: self.committed_epoch,
                windows: &self.windows,
                totals: &self.totals,
            },
        }
    }

    /// Takes what the replica has read since, which is not done while an epoch is prepared. Whether
    /// there was any.
    pub(super) fn take_news(&mut self) -> bool {
        let misses = self.read_back.misses(self.clock.now(), self.settings.timing.follow());
        if misses {
            self.repair(&Damage { lost_end: true, gaps: BTreeSet::new() });
        }
        let Some(heard) = self.settings.replica.news.take() else { return misses };
        let Heard { news, applied, damage } = heard;
        self.windows.take(news);
        let owned = self.writer.iter().flat_map(Writer::streams);
        self.read_back.applied(applied, owned, self.clock.now());
        self.repair(&damage);
        true
    }

    /// Takes what the replica has read of bounded runs, where another instance merges. Whether that
    /// is new.
    pub(super) fn learn_runs(&mut self) -> bool {
        let newest = self.settings.replica.news.take_run();
        let newest = newest.filter(|_| self.windows.merger().is_none());
        newest.is_some_and(|newest| self.runs.learn(newest))
    }

    /// Whether the bounded run is at its end with an epoch, or with what is committed if none is
    /// cut.
    pub(super) fn reaches_run_end(&self, cut: Option<&EpochCut>) -> bool {
        let Some(merger) = self.windows.merger() else { return false };
        let all = cut.map_or(0, |cut| cut.input_partitions).max(self.partitions);
        let cut = cut.map_or(&[][..], |cut| &cut.partitions);
        let topic = merger.partition(PartitionId(0)).and_then(|state| state.topic);
        self.runs.is_reached(all, |p| {
            let own = cut.iter().find(|own| own.progress.partition == p);
            // One of a topic that had this one's name is at no place in this one.
            let committed = merger
                .partition(p)
                .filter(|state| state.topic.zip(topic).is_none_or(|(of, is)| of == is));
            own.map(|own| own.progress.next_offset).or(committed.map(|state| state.next_offset))
        })
    }

    /// Has owned streams written whole of which readers miss records.
    fn repair(&mut self, damage: &Damage) {
        let Some(writer) = self.writer.as_mut().filter(|_| !damage.is_none()) else { return };
        if damage.lost_end {
            writer.repair_all();
        }
        let owned = damage.gaps.iter().filter(|stream| writer.repair(**stream)).count();
        if damage.lost_end || owned > 0 {
            self.must_commit = true;
            tracing::warn!(
                lost_end = damage.lost_end,
                streams = owned,
                "the journal has lost records: what this instance owns is written whole again"
            );
        }
    }

    /// Event-time facts as of the last committed epoch, and of what others have committed.
    pub(super) fn times(&self) -> Times {
        let facts = self.windows.facts();
        Times {
            horizon: self.windows.horizon().max(self.sealed),
            watermarks: self.windows.partition_watermarks(),
            lowest_elsewhere: self.lowest_elsewhere(),
            lowest_open: facts.lowest_open,
            open_windows: facts.open_windows,
            announced: facts.announced,
            has_news: self.must_commit || self.windows.has_news() || self.reaches_run_end(None),
            run_ends: self.runs.ends().cloned(),
            run_is_over: self.runs.is_over(),
        }
    }

    /// The lowest watermark of partitions of others that are not read to their ends. One that has
    /// given no event yet stands where the oldest open window stands.
    fn lowest_elsewhere(&self) -> Option<EventTimeMs> {
        let begin = self.windows.facts().lowest_open.map(|start| EventTimeMs(start.0));
        let reading = self.windows.others().values().filter(|head| !head.at_end);
        reading.filter_map(|head| head.state.watermark.or(begin)).min()
    }
}
