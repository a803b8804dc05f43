//! Where every partition goes on: the one decision of a takeover. Pure.
//!
//! In:  the commits, then the journal's ends, then what was read up to those ends.
//! Out: the window state and the start offsets; or the wish to ask again.
//! Holds: the head is the truth, the commit is the fence; an offset counts only in the topic it was
//! a place in; no epoch number that was ever seen is used again; nothing that was published begins
//! again at revision 1.

mod begin;
mod image;
mod loss;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use self::{begin::begin_partition, image::image_of, loss::Loss};
use super::reading::owned_streams;
use crate::{
    config::OnTopicRecreated,
    epoch::{Committed, RecoverRequest},
    error::RunError,
    failpoint::{self, Fault},
    ids::{Epoch, EventTimeMs, InstanceId, Offset, PartitionId, TopicId},
    journal::{Chain, Condition, Identity, JournalCommit, Stream},
    replica::{BeginAt, Followed, PartitionView},
    window::{PartitionTotals, StateImage, WindowRules, Windows},
};

/// What a takeover goes by, beside what Kafka says.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) window: WindowRules,
    pub(super) on_topic_recreated: OnTopicRecreated,
    /// For how long a commit that is missing is asked for again.
    pub(super) session_timeout: Duration,
    /// Whose journal it must be.
    pub(super) identity: &'a Identity,
    /// The last epoch that this process may have written.
    pub(super) last_written: Epoch,
    /// What this process has committed last.
    pub(super) memory: Memory<'a>,
}

/// What a process knows by itself, as of an epoch that it has committed.
#[derive(Debug)]
pub(super) struct Memory<'a> {
    pub(super) instance: &'a InstanceId,
    pub(super) epoch: Option<Epoch>,
    pub(super) windows: &'a Windows,
    pub(super) totals: &'a BTreeMap<PartitionId, PartitionTotals>,
}

impl Memory<'_> {
    /// Whether the commit of every owned partition is that of the epoch.
    fn is_committed(&self, request: &RecoverRequest) -> bool {
        let states: BTreeMap<_, _> = self.windows.partitions().collect();
        let is_ours = |partition: PartitionId| {
            let Some((offset, Some(commit))) = commit_of(request, partition) else { return false };
            commit.instance == *self.instance
                && Some(commit.epoch) == self.epoch
                && states.get(&partition).is_some_and(|state| state.next_offset == offset)
        };
        states.len() == request.partitions.len()
            && request.partitions.iter().all(|facts| is_ours(facts.partition))
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Decision {
    /// The journal does not go with the commits, for this reason: both are asked for again.
    AskAgain(&'static str),
    Begin(Box<Takeover>),
}

/// Where reading goes on.
#[derive(Debug)]
pub(super) struct Takeover {
    pub(super) starts: Vec<(PartitionId, Offset)>,
    pub(super) image: StateImage,
    pub(super) totals: BTreeMap<PartitionId, PartitionTotals>,
    /// Windows that end at or before this take no more events.
    pub(super) sealed: Option<EventTimeMs>,
    /// The first epoch.
    pub(super) epoch: Epoch,
    /// Number of input partitions that the brokers name.
    pub(super) partitions: u32,
    /// Every owned stream, and where its newest snapshot is found at the earliest.
    pub(super) chains: Vec<(Stream, Chain, Offset)>,
    /// The owned partitions of which rows may be missing.
    pub(super) anew: Vec<PartitionId>,
}

/// What is known of an owned partition.
#[derive(Debug)]
struct Known<'a> {
    partition: PartitionId,
    /// The committed offset, and what stands beside it if it is this program's.
    commit: Option<(Offset, Option<JournalCommit>)>,
    /// Its newest record, if its stream is whole.
    view: Option<&'a PartitionView>,
}

/// How commit and head of a partition go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Neither is there.
    Fresh,
    /// They agree, or the head is newer: the commit's request came late.
    Resumed,
    /// There is a head, and no commit.
    Uncommitted,
    /// There is a head, and a commit of somebody else at another offset.
    Moved,
    /// There is a commit of somebody else, and no head.
    Foreign,
    /// There is a commit of this program, and no head, or an older one.
    Lost,
    /// The head is of a topic that had this one's name.
    Recreated,
}

/// Where the replica begins to read, at this attempt.
pub(super) fn begin_at(request: &RecoverRequest, n: u32) -> BTreeMap<PartitionId, BeginAt> {
    let all = || request.journal.ends.keys().copied();
    match request.attempt {
        0 | 3.. => all().map(|p| (p, BeginAt::AtLeast(restore_from(request, n, p)))).collect(),
        1 => all().map(|p| (p, BeginAt::Again(restore_from(request, n, p)))).collect(),
        2 => all().map(|p| (p, BeginAt::Again(Offset(0)))).collect(),
    }
}

/// A lower bound of the newest snapshots in a journal partition; 0 when a stream has none.
fn restore_from(request: &RecoverRequest, n: u32, journal_partition: PartitionId) -> Offset {
    let here = streams(request).filter(|s| s.journal_partition(n) == journal_partition);
    here.map(|stream| restore_from_of(request, stream)).min().unwrap_or_default()
}

/// Every stream of the group: who merges needs all of them, and everybody shows them.
fn streams(request: &RecoverRequest) -> impl Iterator<Item = Stream> {
    let partitions = request.committed.iter().map(|known| Stream::Partition(known.partition));
    partitions.chain([Stream::Merger])
}

/// The same of one stream.
fn restore_from_of(request: &RecoverRequest, stream: Stream) -> Offset {
    let commit = ours(commit_beside(request, stream), request.journal.topic);
    commit.map(|commit| commit.restore_from).unwrap_or_default()
}

/// The commit that is written with a stream's record: input partition 0's covers the merger's.
fn commit_beside(
    request: &RecoverRequest,
    stream: Stream,
) -> Option<(Offset, Option<JournalCommit>)> {
    match stream {
        Stream::Merger => commit_of(request, PartitionId(0)),
        Stream::Partition(partition) => commit_of(request, partition),
    }
}

fn commit_of(
    request: &RecoverRequest,
    partition: PartitionId,
) -> Option<(Offset, Option<JournalCommit>)> {
    let known = request.committed.iter().find(|known| known.partition == partition)?;
    Some((known.offset?, JournalCommit::parse(&known.metadata)))
}

/// What a commit says of this journal.
fn ours(
    commit: Option<(Offset, Option<JournalCommit>)>,
    journal: Option<TopicId>,
) -> Option<JournalCommit> {
    commit?.1.filter(|commit| is_of(commit, journal))
}

fn is_of(commit: &JournalCommit, journal: Option<TopicId>) -> bool {
    commit.journal.zip(journal).is_none_or(|(mark, id)| mark == id.mark())
}

/// Decides. `now` is by the clock of `request.since`.
pub(super) fn decide(
    rules: &Rules<'_>,
    request: &RecoverRequest,
    followed: &Followed,
    now: Instant,
) -> Result<Decision, RunError> {
    let refuse = |error| RunError::Refused(format!("{error}"));
    let identity = followed.identity.as_ref();
    identity.map_or(Ok(()), |identity| identity.check(rules.identity)).map_err(refuse)?;
    let merges = owned_streams(request).any(|stream| stream == Stream::Merger);
    if identity.is_none() && !merges {
        return Ok(Decision::AskAgain("the journal is not begun yet"));
    }
    let known: Vec<_> =
        request.partitions.iter().map(|facts| known(request, followed, facts.partition)).collect();
    let standings: BTreeMap<_, _> =
        known.iter().map(|known| (known.partition, known.standing(request.topic))).collect();
    if let Some(why) = reason_to_ask(rules, request, followed, &standings, now) {
        return Ok(Decision::AskAgain(why));
    }
    let is_lost = standings.values().any(|standing| *standing == Standing::Lost);
    if (is_lost || lacks_merger(request, followed)) && rules.memory.is_committed(request) {
        tracing::error!(
            "the journal has lost what was committed: it was deleted, or has lost its end; this \
             process remembers all of it and writes it again"
        );
        return Ok(Decision::Begin(Box::new(from_memory(rules, request, followed))));
    }
    begin(rules, request, followed, &known, &standings).map(Box::new).map(Decision::Begin)
}

fn known<'a>(
    request: &RecoverRequest,
    followed: &'a Followed,
    partition: PartitionId,
) -> Known<'a> {
    let view = followed.partitions.get(&partition);
    let view = view.filter(|_| is_whole(request, followed, Stream::Partition(partition)));
    Known { partition, commit: commit_of(request, partition), view }
}

/// Whether all of a stream is there that is committed: every epoch writes all that it owns.
pub(super) fn is_whole(request: &RecoverRequest, followed: &Followed, stream: Stream) -> bool {
    let chain = followed.chains.get(&stream).filter(|it| it.condition() == Condition::Whole);
    let read = chain.and_then(Chain::applied_by).map(|(epoch, _)| epoch);
    let commit = commit_beside(request, stream).and_then(|(_, commit)| commit);
    read.is_some() && read >= commit.map(|commit| commit.epoch)
}

fn condition(followed: &Followed, stream: Stream) -> Condition {
    followed.chains.get(&stream).map_or(Condition::Unseen, Chain::condition)
}

impl Known<'_> {
    fn standing(&self, topic: Option<TopicId>) -> Standing {
        let Some(head) = self.view.map(|view| &view.head) else {
            return match &self.commit {
                None => Standing::Fresh,
                Some((_, None)) => Standing::Foreign,
                Some((_, Some(_))) => Standing::Lost,
            };
        };
        if head.state.topic.zip(topic).is_some_and(|(was, is)| was != is) {
            return Standing::Recreated;
        }
        match &self.commit {
            None => Standing::Uncommitted,
            Some((offset, _)) if *offset == head.state.next_offset => Standing::Resumed,
            Some((_, None)) => Standing::Moved,
            Some((offset, Some(_))) if *offset < head.state.next_offset => Standing::Resumed,
            Some((_, Some(_))) => Standing::Lost,
        }
    }
}

/// Why the commits and the journal should be asked for anew, if they should.
fn reason_to_ask(
    rules: &Rules<'_>,
    request: &RecoverRequest,
    followed: &Followed,
    standings: &BTreeMap<PartitionId, Standing>,
    now: Instant,
) -> Option<&'static str> {
    let hidden = [Fault::UpToStable, Fault::RestoreFromForgotten, Fault::PositionsFirst];
    if hidden.into_iter().any(failpoint::is_planted) {
        // This rule would hide that one of those is broken.
        return None;
    }
    let is_early = now.saturating_duration_since(request.since) < rules.session_timeout;
    let is_uncommitted = standings.values().any(|standing| *standing == Standing::Uncommitted);
    if is_uncommitted && (request.attempt < 3 || is_early) {
        return Some("the journal knows a position that is not committed");
    }
    if request.attempt >= 3 {
        return None;
    }
    let is_lost = |(partition, standing): (&PartitionId, &Standing)| {
        let commit = ours(commit_of(request, *partition), request.journal.topic);
        *standing == Standing::Lost && commit.is_some()
    };
    let has_gap = |stream: Stream| condition(followed, stream) == Condition::Gap;
    if standings.iter().any(is_lost)
        || streams(request).any(has_gap)
        || lacks_merger(request, followed)
    {
        return Some("the journal does not hold all that is committed");
    }
    None
}

/// Whether the merger's stream should be there and is not.
fn lacks_merger(request: &RecoverRequest, followed: &Followed) -> bool {
    let merges = owned_streams(request).any(|stream| stream == Stream::Merger);
    let committed = ours(commit_of(request, PartitionId(0)), request.journal.topic);
    merges && committed.is_some() && !is_whole(request, followed, Stream::Merger)
}

/// Goes on with what this process has committed.
fn from_memory(rules: &Rules<'_>, request: &RecoverRequest, followed: &Followed) -> Takeover {
    let Memory { windows, totals, .. } = rules.memory;
    let mut image = image_of(request, followed);
    windows.overwrite(&mut image);
    image.forget(&rules.window);
    let chain = |stream| {
        // Whatever the journal still has is older: each stream begins with a snapshot.
        let mut chain = followed.chains.get(&stream).cloned().unwrap_or_default();
        chain.restart();
        (stream, chain, Offset(0))
    };
    Takeover {
        starts: windows
            .partitions()
            .map(|(partition, state)| (partition, state.next_offset))
            .collect(),
        image,
        totals: totals.clone(),
        sealed: None,
        epoch: next_epoch(rules, request, followed),
        partitions: request.committed.len() as u32,
        chains: owned_streams(request).map(chain).collect(),
        anew: begin_anew(request, followed),
    }
}

/// The partitions that are taken over and whose streams are not whole: some of their rows may be
/// missing, and so none count.
fn begin_anew(request: &RecoverRequest, followed: &Followed) -> Vec<PartitionId> {
    let owned = request.partitions.iter().map(|facts| facts.partition);
    owned.filter(|p| !is_whole(request, followed, Stream::Partition(*p))).collect()
}

fn begin(
    rules: &Rules<'_>,
    request: &RecoverRequest,
    followed: &Followed,
    known: &[Known<'_>],
    standings: &BTreeMap<PartitionId, Standing>,
) -> Result<Takeover, RunError> {
    let mut image = image_of(request, followed);
    let loss = Loss::of(rules, request, followed, known, standings, &image)?;
    image.horizon = image.horizon.max(loss.forgotten);
    image.forgotten = image.forgotten.max(loss.forgotten);
    image.forget(&rules.window);
    let (mut starts, mut totals) = (Vec::new(), BTreeMap::new());
    for (known, facts) in known.iter().zip(&request.partitions) {
        let standing = standings[&known.partition];
        let first = followed.identity.as_ref().map(|identity| identity.first_partitions);
        let begin = begin_partition(&rules.window, known, standing, facts, &loss, first)?;
        if !begin.keeps_counts {
            image.partials.retain(|(partition, _), _| *partition != known.partition);
        }
        let mut state = begin.state;
        state.topic = request.topic.or(state.topic);
        image.partitions.insert(known.partition, state);
        totals.insert(known.partition, begin.totals);
        starts.push((known.partition, begin.offset));
    }
    let chain = |stream| {
        let mut chain = followed.chains.get(&stream).cloned().unwrap_or_default();
        if !is_whole(request, followed, stream) {
            chain.restart();
        }
        (stream, chain, restore_from_of(request, stream))
    };
    Ok(Takeover {
        starts,
        totals,
        sealed: loss.sealed,
        epoch: next_epoch(rules, request, followed),
        partitions: request.committed.len() as u32,
        chains: owned_streams(request).map(chain).collect(),
        anew: begin_anew(request, followed),
        image,
    })
}

fn next_epoch(rules: &Rules<'_>, request: &RecoverRequest, followed: &Followed) -> Epoch {
    let of_chains = followed.chains.values().filter_map(|chain| Some(chain.applied_by()?.0));
    let parsed = |known: &Committed| JournalCommit::parse(&known.metadata);
    let of_commits = request.committed.iter().filter_map(parsed).map(|commit| commit.epoch);
    let highest = of_chains.chain(of_commits).max().unwrap_or_default();
    highest.max(rules.last_written).next()
}
