//! The decision after a restart.

use proptest::prelude::*;

use super::*;
use crate::state::{CommitMetadata, Committed, MemoryStore, Recovery, Start, decide};

pub(super) const US: &str = "instance-a";

pub(super) fn metadata(instance: &str, epoch: u64) -> String {
    CommitMetadata {
        instance: instance.to_owned(),
        epoch: Epoch(epoch),
        replay_from: Offset(0),
        watermark: Some(EventTimeMs(77)),
        completeness: Completeness::FromStart,
        global_watermark: Some(EventTimeMs(70)),
        horizon: None,
        topic: None,
    }
    .encode()
}

pub(super) fn committed(partition: i32, offset: i64, metadata: &str) -> Committed {
    Committed {
        partition: PartitionId(partition),
        offset: Some(Offset(offset)),
        metadata: metadata.to_owned(),
    }
}

pub(super) fn nothing(partition: i32) -> Committed {
    Committed { partition: PartitionId(partition), offset: None, metadata: String::new() }
}

/// One owned partition of a store that holds base 4 and, if asked, redo 5.
pub(super) fn one(redo: bool, known: Committed) -> (Start, Recovery) {
    let loaded = Loaded {
        base: image(4),
        redo: redo.then(|| change(5)),
        highest_epoch: Epoch(4 + u64::from(redo)),
    };
    let recovery = decide(US, None, &loaded, &[known]);
    (recovery.partitions[0].start.clone(), recovery)
}

pub(super) fn resumed(offset: i64) -> Start {
    Start::Resumed { offset: Offset(offset) }
}

#[test]
fn the_base_goes_on_where_it_is_committed() {
    for redo in [false, true] {
        let (start, recovery) = one(redo, committed(1, 400, &metadata(US, 4)));
        assert_eq!(start, resumed(400));
        assert_eq!((recovery.image, recovery.apply_redo), (image(4), false));
        assert_eq!(recovery.forget, []);
        assert_eq!(recovery.next_epoch, Epoch(5 + u64::from(redo)));
    }
}

#[test]
fn a_committed_redo_record_is_applied() {
    let (start, recovery) = one(true, committed(1, 500, &metadata(US, 5)));
    assert_eq!(start, resumed(500));
    assert_eq!((recovery.image, recovery.apply_redo), (image(5), true));
    assert_eq!((recovery.forget, recovery.next_epoch), (vec![], Epoch(6)));
}

#[test]
fn a_redo_record_committed_for_one_partition_counts_for_all() {
    let loaded = after(5);
    let known = [committed(0, 400, &metadata(US, 4)), committed(1, 500, &metadata(US, 5))];
    let recovery = decide(US, None, &loaded, &known);
    assert_eq!(recovery.image, image(5));
    // Partition 0's outputs of epoch 5 are delivered: it is not read again.
    let starts: Vec<_> = recovery.partitions.into_iter().map(|decided| decided.start).collect();
    assert_eq!(starts, [resumed(500), resumed(500)]);
}

/// Partition 0's part of the commit of epoch 4 failed, partition 1's did not; then a crash in
/// epoch 5, before anything else was committed.
#[test]
fn a_partition_whose_commit_is_behind_the_base_goes_on_with_the_base() {
    let (start, recovery) = one(true, committed(0, 300, &metadata(US, 3)));
    assert_eq!(start, resumed(400));
    assert_eq!((recovery.image, recovery.forget), (image(4), vec![]));
}

fn assert_state_lost(known: &Committed, part_of_why: &str) {
    for redo in [false, true] {
        let (start, recovery) = one(redo, known.clone());
        let Start::CommittedOnly { offset, why, .. } = &start else { panic!("{start:?}") };
        assert_eq!(Some(*offset), known.offset);
        assert!(why.contains(part_of_why), "{why}");
        assert!(!recovery.apply_redo);
        assert_eq!(recovery.forget, [known.partition]);
        let holders = recovery.image.partials.keys().map(|(partition, _)| *partition);
        assert!(holders.chain(recovery.image.partitions.into_keys()).all(|p| p != known.partition));
        let others = image(4).partials.keys().filter(|(p, _)| *p != known.partition).count();
        assert_eq!(recovery.image.partials.len(), others, "others are left alone");
    }
}

#[test]
fn state_that_does_not_fit_the_commit_is_forgotten() {
    assert_state_lost(&committed(1, 400, &metadata("someone-else", 4)), "someone-else");
    assert_state_lost(&committed(1, 401, &metadata(US, 3)), "epoch 3 is committed at offset 401");
    assert_state_lost(&committed(1, 399, &metadata(US, 4)), "offset 399");
    assert_state_lost(&committed(1, 900, &metadata(US, 9)), "epoch 9");
    for text in ["", "checkpoint 12", "a:b:c:d", "instance-a:4:0:1", "instance-a:4:0:1:start:2:3:4"]
    {
        assert_state_lost(&committed(1, 400, text), "no metadata of this program");
    }
}

#[test]
fn a_commit_without_state_starts_there_with_its_watermark() {
    let known = committed(1, 900, &metadata(US, 9));
    let recovery = decide(US, None, &Loaded::default(), &[known]);
    let Start::CommittedOnly { offset, why, metadata } = &recovery.partitions[0].start else {
        panic!("{recovery:?}")
    };
    assert_eq!(*offset, Offset(900));
    assert_eq!(metadata.as_ref().and_then(|m| m.watermark), Some(EventTimeMs(77)));
    assert!(why.contains("no windows"), "{why}");
    assert_eq!((recovery.forget, recovery.next_epoch), (vec![], Epoch(10)));
}

#[test]
fn state_without_a_commit_goes_on_at_its_own_offset() {
    let (start, recovery) = one(true, nothing(1));
    assert_eq!(start, Start::StateOnly { offset: Offset(400) });
    assert_eq!((recovery.image, recovery.apply_redo), (image(4), false));
}

#[test]
fn a_crash_before_the_very_first_commit_starts_fresh() {
    let recovery = decide(US, None, &after(1), &[nothing(0), nothing(1)]);
    assert!(recovery.partitions.iter().all(|decided| decided.start == Start::Fresh));
    assert_eq!((recovery.image, recovery.apply_redo), (StateImage::default(), false));
    assert_eq!((recovery.forget, recovery.next_epoch), (vec![], Epoch(2)));
}

#[test]
fn a_partition_known_to_nobody_is_fresh_beside_others() {
    let known = [committed(0, 400, &metadata(US, 4)), nothing(7)];
    let recovery = decide(US, None, &after(5), &known);
    assert_eq!(recovery.partitions[1].start, Start::Fresh);
    assert_eq!(recovery.image, image(4));
}

#[test]
fn partitions_that_are_not_owned_are_left_alone() {
    let recovery = decide(US, None, &after(5), &[]);
    assert_eq!(
        (recovery.image, recovery.forget, recovery.next_epoch),
        (image(4), vec![], Epoch(6))
    );
}

#[test]
fn no_epoch_number_seen_anywhere_is_used_again() {
    let loaded = Loaded { highest_epoch: Epoch(8), ..after(5) };
    assert_eq!(decide(US, None, &loaded, &[]).next_epoch, Epoch(9));
    let known = [committed(0, 1, &metadata("someone-else", 41))];
    assert_eq!(decide(US, None, &loaded, &known).next_epoch, Epoch(42));
}

fn any_completeness() -> impl Strategy<Value = Completeness> {
    prop_oneof![
        Just(Completeness::FromStart),
        any::<Option<i64>>()
            .prop_map(|at| Completeness::UntilFirstEvent { at_least: at.map(WindowStart) }),
        any::<i64>().prop_map(|start| Completeness::After(WindowStart(start))),
    ]
}

/// Metadata of another program named the last number there is, and the next one was 0.
#[test]
fn an_epoch_that_no_other_can_follow_is_no_epoch_of_this_program() {
    let text = format!("someone-else:{}:0::start::", u64::MAX);
    assert_eq!(CommitMetadata::parse(&text), None);
    let (_, recovery) = one(true, committed(1, 400, &text));
    assert_eq!(recovery.next_epoch, Epoch(6));
}

/// Nearly metadata, or anything.
fn any_metadata_text() -> impl Strategy<Value = String> {
    let nearly = "a:[0-9]:[0-9]:[0-9]?:(start|first|after)[-0-9]{0,3}:[0-9]?:[0-9]?:[0-9a-f]{0,8}";
    prop_oneof!["[a-z0-9:-]{0,60}", nearly, ".{0,40}"]
}

proptest! {
    #[test]
    fn commit_metadata_comes_back(
        instance in "[A-Za-z0-9._-]{1,128}",
        epoch in 0..=i64::MAX as u64,
        replay_from: i64,
        watermark: Option<i64>,
        global_watermark: Option<i64>,
        horizon: Option<i64>,
        completeness in any_completeness(),
        topic: Option<u128>,
    ) {
        let metadata = CommitMetadata {
            instance,
            epoch: Epoch(epoch),
            replay_from: Offset(replay_from),
            watermark: watermark.map(EventTimeMs),
            completeness,
            global_watermark: global_watermark.map(EventTimeMs),
            horizon: horizon.map(EventTimeMs),
            topic: topic.map(|id| TopicId(id).mark()),
        };
        let text = metadata.encode();
        prop_assert!(text.len() <= 320, "{}", text.len());
        prop_assert_eq!(CommitMetadata::parse(&text), Some(metadata));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any_metadata_text()) {
        if let Some(metadata) = CommitMetadata::parse(&text) {
            prop_assert_eq!(CommitMetadata::parse(&metadata.encode()), Some(metadata));
        }
    }
}

/// Offsets of a partition that fall into one window of the model.
const EVENTS_PER_WINDOW: i64 = 5;

/// How far an epoch gets before the process dies.
#[derive(Debug, Clone)]
enum End {
    BeforeTheWrite,
    BeforeTheCommit,
    /// The broker took the commit for some partitions only.
    Committing([bool; PARTITIONS as usize]),
    Committed,
}

fn any_end() -> impl Strategy<Value = End> {
    prop_oneof![
        1 => Just(End::BeforeTheWrite),
        1 => Just(End::BeforeTheCommit),
        1 => any::<[bool; 3]>().prop_map(End::Committing),
        4 => Just(End::Committed),
    ]
}

/// Windows of a partition that has been read up to an offset: the oracle.
fn recount(partition: PartitionId, read: Offset) -> BTreeMap<(PartitionId, WindowStart), u64> {
    let mut totals = BTreeMap::new();
    for offset in 0..read.0 {
        *totals.entry((partition, WindowStart(offset / EVENTS_PER_WINDOW))).or_default() += 1;
    }
    totals
}

/// The change of an epoch that reads so many events of each partition.
fn reading(image: &StateImage, epoch: Epoch, events: &[i64]) -> EpochChange {
    let mut change = change(epoch.0);
    change.partials.clear();
    change.partitions.clear();
    for (index, events) in (0..).zip(events) {
        let partition = PartitionId(index);
        let from = image.partitions.get(&partition).map_or(0, |state| state.next_offset.0);
        let next_offset = Offset(from + events);
        for (key, total) in recount(partition, next_offset) {
            if key.1.0 >= from / EVENTS_PER_WINDOW {
                change.partials.insert(key, Some(partial(total)));
            }
        }
        let completeness = Completeness::FromStart;
        let state =
            PartitionState { epoch, next_offset, watermark: None, completeness, topic: None };
        change.partitions.insert(partition, state);
    }
    change
}

proptest! {
    #[test]
    fn after_every_crash_the_windows_are_what_the_start_offsets_say(
        epochs in prop::collection::vec((any::<[u8; 3]>(), any_end()), 1..24),
    ) {
        let mut store = MemoryStore::new();
        let mut kafka: BTreeMap<PartitionId, Committed> =
            (0..PARTITIONS).map(|p| (PartitionId(p), nothing(p))).collect();
        let mut image = StateImage::default();
        let (mut epoch, mut before) = (Epoch(1), None);
        for (events, end) in epochs {
            let events = events.map(|events| i64::from(events % 12));
            let change = reading(&image, epoch, &events);
            if !matches!(end, End::BeforeTheWrite) {
                store.write_epoch(before.as_ref(), &change).expect("in memory");
            }
            for (partition, state) in &change.partitions {
                let arrived = match end {
                    End::BeforeTheWrite | End::BeforeTheCommit => false,
                    End::Committing(which) => which[partition.0 as usize],
                    End::Committed => true,
                };
                if arrived {
                    let text = metadata(US, epoch.0);
                    kafka.insert(*partition, committed(partition.0, state.next_offset.0, &text));
                }
            }
            if matches!(end, End::Committed) {
                image.apply(&change);
                (epoch, before) = (epoch.next(), Some(change));
                continue;
            }
            store = store.reopen();
            let known: Vec<_> = kafka.values().cloned().collect();
            let recovery = decide(US, None, &store.load().expect("in memory"), &known);
            store.settle(recovery.apply_redo).expect("in memory");
            store.forget(&recovery.forget).expect("in memory");
            prop_assert!(recovery.next_epoch > epoch || matches!(end, End::BeforeTheWrite));
            let mut expected = BTreeMap::new();
            for decided in &recovery.partitions {
                let at = kafka[&decided.partition].offset.unwrap_or_default();
                let start = match decided.start {
                    Start::Resumed { offset } | Start::StateOnly { offset } => offset,
                    Start::Fresh => Offset(0),
                    Start::CommittedOnly { .. } | Start::Recreated { .. } => {
                        panic!("nothing was lost: {decided:?}")
                    }
                };
                prop_assert!(start >= at, "a commit is never undone");
                expected.extend(recount(decided.partition, start));
            }
            let totals = recovery.image.partials.iter().map(|(key, partial)| (*key, partial.total));
            prop_assert_eq!(totals.collect::<BTreeMap<_, _>>(), expected);
            prop_assert_eq!(&store.load().expect("in memory").base, &recovery.image);
            (image, epoch, before) = (recovery.image, recovery.next_epoch, None);
        }
    }
}
