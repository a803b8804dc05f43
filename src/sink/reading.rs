//! A takeover: the replica reads what is committed, and reading goes on there. Owned by the sink
//! thread.
//!
//! In:  a `RecoverRequest`, after everything of the previous incarnation was undone; what the
//! replica has followed.
//! Out: the window state as of the last committed epoch, and the start offsets to the source; or
//! the wish to be told the commits and the journal's ends anew.
//! Holds: nothing is decided before the journal was read up to where it ended after the commits
//! were known.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{
    EpochFailure,
    collecting::Collecting,
    context::Context,
    founding::Founding,
    open::Open,
    read_back::ReadBack,
    stage::Stage,
    takeover::{Decision, Takeover, begin_at, decide, is_whole},
};
use crate::{
    client::{Client, Clock},
    epoch::{RecoverRequest, Recovered, ToSource},
    failpoint::{self, Fault, Point},
    ids::{InstanceId, Offset, PartitionId, TopicId},
    journal::{Chain, Stream, Writer},
    metrics::{self, Metric},
    replica::{FollowRequest, Followed},
    users::Inherited,
    window::Windows,
};

/// Nothing of an older incarnation is left; the source asks the brokers.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Whether the source knows that the bounded run is over.
    has_told: bool,
}

impl Waiting {
    /// An instance that stands by ends with the others.
    pub(super) fn step<C: Client>(mut self, cx: &mut Context<C>) -> Stage<C> {
        if let Some(newest) = cx.settings.replica.news.take_run() {
            cx.runs.learn(newest);
        }
        if cx.runs.is_over() && !self.has_told {
            self.has_told = true;
            let (incarnation, times) = (cx.incarnation, cx.times());
            cx.tell_source(ToSource::News { incarnation, times });
        }
        Stage::Waiting(self)
    }
}

/// The replica reads.
#[derive(Debug)]
pub(super) struct Reading {
    request: Box<RecoverRequest>,
    /// How far it was where it has not read enough, and since when.
    behind: BTreeMap<PartitionId, Offset>,
    since: Instant,
}

/// Has the journal read up to where it ended when the commits were known.
pub(super) fn recover<C: Client>(
    _: Waiting,
    cx: &Context<C>,
    request: Box<RecoverRequest>,
) -> Stage<C> {
    failpoint::reached(Point::Recover);
    let follow = FollowRequest {
        incarnation: cx.incarnation,
        journal: request.journal.topic,
        until: request.journal.ends.clone(),
        begin: begin_at(&request, cx.settings.identity.journal_partitions),
    };
    // A replica that is gone reports its own reason.
    drop(cx.settings.replica.requests.send(follow));
    let behind = behind(cx, &request);
    Stage::Reading(Reading { request, behind, since: cx.clock.now() })
}

/// Positions of the journal partitions that are not read up to their ends. Others go on: somebody
/// writes there all the time.
fn behind<C: Client>(cx: &Context<C>, request: &RecoverRequest) -> BTreeMap<PartitionId, Offset> {
    let mut positions = cx.settings.replica.positions.get();
    let ends = &request.journal.ends;
    positions.retain(|partition, position| ends.get(partition).is_some_and(|end| *position < *end));
    positions
}

impl Reading {
    pub(super) fn step<C: Client>(mut self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        while let Ok(followed) = cx.settings.replica.followed.try_recv() {
            if followed.incarnation == cx.incarnation {
                return self.followed(cx, &followed);
            }
        }
        let (behind, now) = (behind(cx, &self.request), cx.clock.now());
        if behind != self.behind {
            (self.behind, self.since) = (behind, now);
        } else if now - self.since >= cx.settings.timing.follow() {
            // No transaction hides it for so long: the ends may not be there any more.
            let why = "the journal does not reach its former end";
            return Ok(ask_again(cx, &self.request, BTreeSet::new(), why));
        }
        Ok(Stage::Reading(self))
    }

    fn followed<C: Client>(
        self,
        cx: &mut Context<C>,
        followed: &Followed,
    ) -> Result<Stage<C>, EpochFailure> {
        failpoint::reached(Point::Followed);
        let Self { request, .. } = self;
        cx.journal = request.journal.topic;
        let decision = decide(&cx.takeover_rules(), &request, followed, cx.clock.now());
        let takeover = match decision.map_err(EpochFailure::Stop)? {
            Decision::AskAgain(why) => {
                let chains = followed.chains.values();
                let writers =
                    chains.filter_map(Chain::applied_by).map(|(_, writer)| writer.clone());
                return Ok(ask_again(cx, &request, writers.collect(), why));
            }
            Decision::Begin(takeover) => takeover,
        };
        if is_whole(&request, followed, Stream::Merger) {
            cx.runs.learn(followed.merger.as_ref().and_then(|merger| merger.head.run.clone()));
        }
        if let Some(wanted) = &request.run_ends {
            cx.runs.want(wanted);
        }
        let Some(identity) = &followed.identity else {
            return Founding::begin(cx, takeover);
        };
        cx.settings.identity.clone_from(identity);
        Ok(open(cx, *takeover))
    }
}

/// Has the source ask for commits and the journal's ends anew. `writers`: who has written what was
/// read.
fn ask_again<C: Client>(
    cx: &Context<C>,
    request: &RecoverRequest,
    writers: BTreeSet<InstanceId>,
    why: &str,
) -> Stage<C> {
    tracing::info!(attempt = request.attempt + 1, why, "taking over: asking again");
    cx.tell_source(ToSource::AskAgain { incarnation: cx.incarnation, writers });
    Stage::Waiting(Waiting::default())
}

/// Opens the first epoch where a takeover says.
pub(super) fn open<C: Client>(cx: &mut Context<C>, takeover: Takeover) -> Stage<C> {
    let Takeover { starts, image, totals, sealed, epoch, partitions, chains, anew } = takeover;
    failpoint::reached(Point::TakenOver);
    if let Some(committed) = chains.iter().filter_map(|(_, chain, _)| chain.applied_by()).max() {
        cx.count_undecided(committed.0);
    }
    cx.undecided = None;
    let owned: Vec<_> = starts.iter().map(|(partition, _)| *partition).collect();
    cx.windows = Windows::new(cx.settings.rules, &image, &owned);
    // What came before is in the image; what comes now is newer.
    cx.take_news();
    cx.read_back = ReadBack::default();
    cx.reporter.taken_over(&cx.windows);
    cx.settings.budget.set_ledger(cx.windows.memory_bytes());
    (cx.totals, cx.sealed, cx.must_commit) = (totals, sealed, true);
    cx.committed_epoch = None;
    cx.partitions = partitions;
    let journal = cx.journal.map(TopicId::mark);
    let partitions = cx.settings.identity.journal_partitions;
    let mut writer = Writer::new(cx.settings.instance.clone(), journal, partitions);
    if cx.settings.has_rows {
        writer = writer.with_rows();
    }
    let now_ms = cx.clock.now_ms();
    for (stream, mut chain, mut restore_from) in chains {
        if failpoint::is_planted(Fault::SeqRestarted) {
            chain = Chain::default();
        }
        if failpoint::is_planted(Fault::RestoreFromForgotten) {
            let positions = cx.settings.replica.positions.get();
            let read = positions.get(&stream.journal_partition(partitions)).copied();
            restore_from = read.unwrap_or(restore_from);
        }
        writer.take_over(stream, &chain, restore_from, now_ms);
    }
    cx.writer = Some(writer);
    let (incarnation, mut times) = (cx.incarnation, cx.times());
    if failpoint::is_planted(Fault::HorizonForgotten) {
        times.horizon = None;
    }
    let first_partitions = cx.settings.identity.first_partitions;
    let inherited = Inherited { owned, anew, first_partitions };
    let recovered = Recovered { incarnation, starts, epoch, times, inherited };
    metrics::set(Metric::AssignedPartitions, recovered.starts.len() as f64);
    tracing::info!(
        partitions = recovered.starts.len(),
        first_epoch = recovered.epoch.0,
        open_windows = recovered.times.open_windows,
        "reading"
    );
    cx.tell_source(ToSource::Recovered(recovered));
    Stage::Open(Open::first(Collecting::new(cx.settings.workers, epoch)))
}

/// The streams of owned partitions, the merger's among them.
pub(super) fn owned_streams(request: &RecoverRequest) -> impl Iterator<Item = Stream> {
    let partitions = request.partitions.iter().map(|facts| Stream::Partition(facts.partition));
    let merges = request.partitions.iter().any(|facts| facts.partition.0 == 0);
    partitions.chain(merges.then_some(Stream::Merger))
}
