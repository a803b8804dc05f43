use super::*;
use crate::{
    epoch::{JournalFacts, RecoverPartition},
    ids::{Incarnation, WindowStart},
    journal::{Content, MergerRecord, Moment, PartitionRecord, RecordKind, Streams, Taken, Writer},
    replica::View,
    window::{Completeness, MergerHead, Partial, PartitionHead, PartitionState, PublishedTotal},
};

const WINDOW: WindowRules = WindowRules { size_ms: 10, grace_ms: 0, allowed_lateness_ms: 0 };
const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);
const JOURNAL: TopicId = TopicId(7 << 96);
const INPUT: TopicId = TopicId(9 << 96);

fn instance() -> InstanceId {
    InstanceId::parse("one").expect("valid")
}

fn identity() -> Identity {
    Identity {
        cluster_id: "c".into(),
        group_id: "g".into(),
        topic: "in".into(),
        topic_id: None,
        window_size_ms: 10,
        journal_partitions: 1,
        first_partitions: 2,
        began_ms: 0,
    }
}

fn head(next: i64, watermark: i64) -> PartitionHead {
    PartitionHead {
        state: PartitionState {
            watermark: Some(EventTimeMs(watermark)),
            topic: Some(INPUT),
            ..PartitionState::new(Offset(next), Completeness::FromStart)
        },
        at_end: false,
        totals: PartitionTotals { records_in: next as u64, ..PartitionTotals::default() },
    }
}

fn partial(total: u64) -> std::sync::Arc<Partial> {
    let mut partial = Partial::new();
    for number in 0..total {
        partial.count(["DE", "iOS", "1"].into(), &number.to_string());
    }
    std::sync::Arc::new(partial)
}

/// A group that has committed epochs 1 to 3, of which each has counted five records per partition.
struct Group {
    followed: Followed,
    commits: BTreeMap<PartitionId, (Offset, JournalCommit)>,
    windows: Windows,
    totals: BTreeMap<PartitionId, PartitionTotals>,
}

impl Group {
    /// `read`: whether the record of a stream in an epoch is in the journal.
    fn new(read: impl Fn(Stream, u64) -> bool) -> Self {
        let mut writer = Writer::new(instance(), Some(JOURNAL.mark()), 1);
        for stream in [Stream::Partition(P0), Stream::Partition(P1), Stream::Merger] {
            writer.take_over(stream, &Chain::default(), Offset(0), 0);
        }
        let (mut streams, mut view) = (Streams::new(1), View::new(WINDOW));
        let (mut commits, mut offset) = (BTreeMap::new(), 0);
        for epoch in 1..=3_u64 {
            let moment = Moment { epoch: Epoch(epoch), now_ms: 0, positions: BTreeMap::new() };
            let mut records = writer.begin(moment);
            let mut written = Vec::new();
            for p in [P0, P1] {
                let head = head(epoch as i64 * 5, epoch as i64 * 10 + i64::from(p.0));
                let windows = [(WindowStart(epoch as i64 * 10), partial(5))].into();
                let content = Content::Partition(PartitionRecord { head, windows });
                let stream = Stream::Partition(p);
                written.push((stream, records.write(stream, |_: RecordKind| content)));
            }
            let published = PublishedTotal { revision: 1, total: 10, late_events: 0 };
            let windows = (epoch > 1).then(|| (WindowStart(epoch as i64 * 10 - 10), published));
            let watermark = Some(EventTimeMs(epoch as i64 * 10));
            let head = MergerHead {
                watermark,
                horizon: watermark,
                forgotten: None,
                partitions: 2,
                run: None,
                rules: WINDOW,
            };
            let windows = windows.into_iter().collect();
            let content = Content::Merger(MergerRecord { head, past_usage: None, windows });
            written.push((Stream::Merger, records.write(Stream::Merger, |_| content)));
            let committed = records.finish();
            commits.extend(committed.into_iter().map(|(p, c)| (p, (c.offset, c.metadata))));
            for (stream, record) in written.iter().filter(|(stream, _)| read(*stream, epoch)) {
                for (key, value) in &record.chunks {
                    let taken =
                        streams.take(PartitionId(0), Offset(offset), Some(key), Some(value));
                    offset += 1;
                    match taken.expect("valid") {
                        Taken::Applied(applied) => view.apply(applied, 0),
                        other => assert!(!read(*stream, epoch - 1) && epoch > 1, "{other:?}"),
                    }
                }
            }
        }
        let followed = Followed {
            incarnation: Incarnation(1),
            identity: Some(identity()),
            chains: streams.chains().map(|(stream, chain)| (stream, chain.clone())).collect(),
            partitions: view.partitions().map(|(p, view)| (p, view.clone())).collect(),
            merger: view.merger().cloned(),
        };
        let windows = Windows::new(WINDOW, &StateImage::default(), &[]);
        Self { followed, commits, windows, totals: BTreeMap::new() }
    }

    fn whole() -> Self {
        Self::new(|_, _| true)
    }

    fn request(&self, attempt: u32) -> RecoverRequest {
        let committed = |p: PartitionId| Committed {
            partition: p,
            offset: self.commits.get(&p).map(|(offset, _)| *offset),
            metadata: self.commits.get(&p).map(|(_, c)| c.encode()).unwrap_or_default(),
        };
        let facts = |partition| RecoverPartition {
            partition,
            fresh_start: Offset(0),
            log_start: Offset(0),
            log_end: Offset(100),
            unreadable: None,
        };
        RecoverRequest {
            incarnation: Incarnation(1),
            attempt,
            since: Instant::now(),
            committed: [P0, P1].map(committed).into(),
            journal: JournalFacts { topic: Some(JOURNAL), ends: [(P0, Offset(9))].into() },
            partitions: [P0, P1].map(facts).into(),
            topic: Some(INPUT),
            run_ends: None,
        }
    }

    fn decide(&self, request: &RecoverRequest, later: Duration) -> Result<Decision, RunError> {
        self.decide_with(request, later, OnTopicRecreated::Fail)
    }

    fn decide_with(
        &self,
        request: &RecoverRequest,
        later: Duration,
        on_topic_recreated: OnTopicRecreated,
    ) -> Result<Decision, RunError> {
        let (identity, instance) = (identity(), instance());
        let memory = Memory {
            instance: &instance,
            epoch: None,
            windows: &self.windows,
            totals: &self.totals,
        };
        let rules = Rules {
            window: WINDOW,
            on_topic_recreated,
            session_timeout: Duration::from_secs(10),
            identity: &identity,
            last_written: Epoch(0),
            memory,
        };
        decide(&rules, request, &self.followed, request.since + later)
    }

    /// Decides after all attempts.
    fn begins(&self, request: &RecoverRequest) -> Box<Takeover> {
        match self.decide(request, Duration::from_mins(1)).expect("no refusal") {
            Decision::Begin(takeover) => takeover,
            Decision::AskAgain(why) => panic!("asks again: {why}"),
        }
    }
}

fn asks_again(decision: Result<Decision, RunError>) -> bool {
    matches!(decision.expect("no refusal"), Decision::AskAgain(_))
}

fn offsets(takeover: &Takeover) -> Vec<i64> {
    takeover.starts.iter().map(|(_, offset)| offset.0).collect()
}

#[test]
fn a_whole_journal_goes_on_at_its_heads() {
    let group = Group::whole();
    let takeover = group.begins(&group.request(0));
    assert_eq!(offsets(&takeover), [15, 15]);
    assert_eq!((takeover.epoch, takeover.sealed), (Epoch(4), None));
    assert_eq!(takeover.totals[&P1].records_in, 15);
    assert_eq!(takeover.image.partials.len(), 6);
    assert_eq!(takeover.image.windows.len(), 2);
    assert_eq!(takeover.image.horizon, Some(EventTimeMs(30)));
    assert!(takeover.chains.iter().all(|(_, chain, _)| chain.condition() == Condition::Whole));
}

#[test]
fn a_head_that_is_newer_than_its_commit_is_the_truth() {
    let mut group = Group::whole();
    group.commits.get_mut(&P1).expect("committed").0 = Offset(10);
    assert_eq!(offsets(&group.begins(&group.request(0))), [15, 15]);
}

#[test]
fn a_merger_that_has_lost_its_end_is_lost_although_every_position_is_there() {
    let group = Group::new(|stream, epoch| stream != Stream::Merger || epoch < 3);
    for attempt in 0..3 {
        assert!(asks_again(group.decide(&group.request(attempt), Duration::ZERO)), "{attempt}");
    }
    let takeover = group.begins(&group.request(3));
    assert_eq!(offsets(&takeover), [15, 15]);
    assert!(takeover.image.windows.is_empty(), "what was published last is not known");
    assert_eq!(takeover.image.horizon, Some(EventTimeMs(40)), "so nothing of it begins again");
    let merger = takeover.chains.iter().find(|(stream, ..)| *stream == Stream::Merger);
    let condition = merger.expect("it is owned").1.condition();
    assert_ne!(condition, Condition::Whole, "it begins with a snapshot");
}

#[test]
fn a_gap_and_an_old_head_are_asked_for_three_times_and_then_lost() {
    let p0 = Stream::Partition(P0);
    // A record is missing between two, or the last one is.
    for missing in [2, 3] {
        let group = Group::new(|stream, epoch| stream != p0 || epoch != missing);
        for attempt in 0..3 {
            let request = group.request(attempt);
            assert!(asks_again(group.decide(&request, Duration::ZERO)), "{missing} {attempt}");
        }
        let takeover = group.begins(&group.request(3));
        assert_eq!(offsets(&takeover), [15, 15], "{missing}");
        // The highest committed watermark is 31.
        assert_eq!(takeover.sealed, Some(EventTimeMs(40)), "{missing}");
        assert_eq!(takeover.totals[&P0], PartitionTotals::default());
        let kept: Vec<_> = takeover.image.partials.keys().map(|(p, _)| *p).collect();
        assert_eq!(kept, [P1; 3], "what the others have counted stays");
        let chain = takeover.chains.iter().find(|(stream, ..)| *stream == p0).expect("owned");
        assert_eq!(chain.1.condition(), Condition::Unseen, "it begins with a snapshot");
    }
}

#[test]
fn without_the_merger_nothing_that_was_published_begins_again() {
    let group = Group::new(|stream, _| stream != Stream::Merger);
    assert!(asks_again(group.decide(&group.request(2), Duration::ZERO)));
    let takeover = group.begins(&group.request(3));
    assert_eq!(offsets(&takeover), [15, 15]);
    assert_eq!(takeover.image.horizon, Some(EventTimeMs(40)));
    let windows = Windows::new(WINDOW, &takeover.image, &[P0, P1]);
    assert_eq!(windows.facts().open_windows, 0);
}

#[test]
fn a_commit_of_another_journal_is_not_asked_for() {
    let mut group = Group::new(|_, _| false);
    group.followed.identity = None;
    let request = RecoverRequest {
        journal: JournalFacts { topic: Some(TopicId(8 << 96)), ends: [(P0, Offset(0))].into() },
        ..group.request(0)
    };
    let takeover = group.begins(&request);
    assert_eq!((offsets(&takeover), takeover.epoch), (vec![15, 15], Epoch(4)));
    assert_eq!(takeover.image.horizon, Some(EventTimeMs(40)));
    assert_eq!(begin_at(&request, 1)[&P0], BeginAt::AtLeast(Offset(0)));
}

#[test]
fn a_position_without_a_commit_is_asked_for_as_long_as_a_session_lasts() {
    let mut group = Group::whole();
    group.commits.remove(&P1);
    for (attempt, seconds, asks) in [(0, 0, true), (3, 9, true), (2, 60, true), (3, 10, false)] {
        let decision = group.decide(&group.request(attempt), Duration::from_secs(seconds));
        assert_eq!(asks_again(decision), asks, "{attempt} {seconds}");
    }
    assert_eq!(offsets(&group.begins(&group.request(3))), [15, 15]);
}

#[test]
fn an_offset_that_somebody_moved_is_taken_and_what_was_counted_is_over() {
    let group = Group::whole();
    let mut request = group.request(0);
    request.committed[0] =
        Committed { partition: P0, offset: Some(Offset(3)), metadata: "tool".into() };
    let takeover = group.begins(&request);
    assert_eq!(offsets(&takeover), [3, 15]);
    assert_eq!(takeover.sealed, Some(EventTimeMs(40)));
    assert_eq!(takeover.image.partials.len(), 6, "it is published as it is");
    let at_least = Some(WindowStart(30));
    let state = takeover.image.partitions[&P0];
    assert_eq!(state.completeness, Completeness::UntilFirstEvent { at_least });
}

#[test]
fn a_group_without_a_journal_begins_at_its_commits() {
    let mut group = Group::new(|_, _| false);
    group.followed.identity = None;
    group.commits.clear();
    let mut request = group.request(0);
    let fresh = group.begins(&request);
    assert_eq!((offsets(&fresh), fresh.epoch), (vec![0, 0], Epoch(1)));
    assert!(fresh.image.partitions.values().all(|p| p.completeness == Completeness::FromStart));
    // The metadata of a release without a journal.
    request.committed[1].offset = Some(Offset(4));
    request.committed[1].metadata = "a:17:100:5:start:5:5:9ea02647".into();
    let takeover = group.begins(&request);
    assert_eq!(offsets(&takeover), [0, 4]);
    let nothing = Completeness::UntilFirstEvent { at_least: None };
    assert_eq!(takeover.image.partitions[&P1].completeness, nothing);
    // The window of its watermark, 5, may have been published: it takes no more events.
    assert_eq!(takeover.image.horizon, Some(EventTimeMs(10)));
    request.committed[1].metadata = "another program's".into();
    assert_eq!(group.begins(&request).image.horizon, None);
}

#[test]
fn partitions_that_were_added_begin_at_their_log_s_start() {
    let mut group = Group::new(|_, _| false);
    group.commits.clear();
    group.followed.identity = Some(Identity { first_partitions: 1, ..identity() });
    let mut request = group.request(0);
    for facts in &mut request.partitions {
        (facts.fresh_start, facts.log_start) = (Offset(50), Offset(2));
    }
    assert_eq!(offsets(&group.begins(&request)), [50, 2]);
}

#[test]
fn a_topic_that_was_created_again_is_refused_or_read_from_its_start() {
    let group = Group::whole();
    let request = RecoverRequest { topic: Some(TopicId(10 << 96)), ..group.request(0) };
    let error = group.decide(&request, Duration::ZERO).expect_err("refused");
    assert!(error.to_string().contains("--on-topic-recreated begin"), "{error}");
    let decision = group.decide_with(&request, Duration::ZERO, OnTopicRecreated::Begin);
    let Decision::Begin(takeover) = decision.expect("no refusal") else { panic!("asks again") };
    assert_eq!(offsets(&takeover), [0, 0]);
    assert_eq!(takeover.image.partials.len(), 6, "open windows keep what was counted");
    assert_eq!(takeover.image.horizon, Some(EventTimeMs(30)));
    assert!(takeover.image.partitions.values().all(|state| state.topic == request.topic));
}

#[test]
fn another_group_s_journal_is_refused_by_name() {
    let mut group = Group::whole();
    group.followed.identity = Some(Identity { group_id: "h".into(), ..identity() });
    let error = group.decide(&group.request(0), Duration::ZERO).expect_err("refused");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--group-id"), "{error}");
}

#[test]
fn a_process_that_lives_remembers_what_a_deleted_journal_held() {
    let whole = Group::whole();
    let known = whole.begins(&whole.request(0));
    let mut group = Group::new(|_, _| false);
    group.windows = Windows::new(WINDOW, &known.image, &[P0, P1]);
    group.totals = known.totals.clone();
    let request = group.request(3);
    let (identity, instance) = (identity(), instance());
    let decide_at = |epoch| {
        let (windows, totals) = (&group.windows, &group.totals);
        let rules = Rules {
            window: WINDOW,
            on_topic_recreated: OnTopicRecreated::Fail,
            session_timeout: Duration::ZERO,
            identity: &identity,
            last_written: Epoch(0),
            memory: Memory { instance: &instance, epoch: Some(epoch), windows, totals },
        };
        match decide(&rules, &request, &group.followed, request.since).expect("no refusal") {
            Decision::Begin(takeover) => takeover,
            Decision::AskAgain(why) => panic!("asks again: {why}"),
        }
    };
    let takeover = decide_at(Epoch(3));
    assert_eq!((takeover.sealed, takeover.totals.clone()), (None, known.totals));
    assert_eq!(takeover.image.windows, known.image.windows);
    // What is remembered is older than what was committed.
    assert_eq!(decide_at(Epoch(2)).sealed, Some(EventTimeMs(40)));
}
