//! The decision where the input topic was deleted and created again.

use super::{
    recovery::{US, committed, metadata, nothing, one, resumed},
    *,
};
use crate::state::{CommitMetadata, Committed, Recovery, Start, decide};

/// What the next topic of the name makes of base 4 and a commit.
fn in_the_next_topic(known: Committed) -> (Start, Recovery) {
    let loaded = Loaded { base: image(4), redo: None, highest_epoch: Epoch(4) };
    let recovery = decide(US, Some(NEXT_TOPIC), &loaded, &[known]);
    (recovery.partitions[0].start.clone(), recovery)
}

const NEXT_TOPIC: TopicId = TopicId(8 << 96);

fn metadata_of(topic: TopicId, epoch: u64) -> String {
    let metadata = CommitMetadata::parse(&metadata(US, epoch)).expect("as encoded");
    CommitMetadata { topic: Some(topic.mark()), ..metadata }.encode()
}

#[test]
fn neither_state_nor_commit_of_an_earlier_topic_is_a_place_in_the_next() {
    let of_the_first = metadata_of(TOPIC, 4);
    for known in [nothing(1), committed(1, 400, &of_the_first)] {
        let (start, recovery) = in_the_next_topic(known);
        let Start::Recreated { was, .. } = &start else { panic!("{start:?}") };
        assert_eq!(was, &TOPIC.to_string());
        assert_eq!((recovery.image, recovery.forget), (image(4), vec![]), "windows are kept");
        assert_eq!(recovery.next_epoch, Epoch(5));
    }
    // The state folder is lost as well: the commit alone tells.
    let known = [committed(1, 400, &of_the_first)];
    let recovery = decide(US, Some(NEXT_TOPIC), &Loaded::default(), &known);
    let Start::Recreated { was, metadata } = &recovery.partitions[0].start else {
        panic!("{recovery:?}")
    };
    assert_eq!(was, "00000007…");
    assert_eq!(metadata.as_ref().expect("ours").global_watermark, Some(EventTimeMs(70)));
}

/// Its commit is deleted with the topic, so nothing else tells that it was committed.
#[test]
fn the_last_epoch_of_a_topic_that_is_gone_counts() {
    let change_of = |topic: TopicId| {
        let mut change = change(5);
        change.partitions.values_mut().for_each(|state| state.topic = Some(topic));
        change
    };
    let decided = |topic: TopicId, known: Committed| {
        let redo = Some(change_of(topic));
        let loaded = Loaded { base: image(4), redo, highest_epoch: Epoch(5) };
        decide(US, Some(NEXT_TOPIC), &loaded, &[known])
    };
    let recovery = decided(TOPIC, nothing(1));
    assert!(recovery.apply_redo);
    assert!(matches!(recovery.partitions[0].start, Start::Recreated { .. }));
    let mut both = image(4);
    both.apply(&change_of(TOPIC));
    assert_eq!(recovery.image, both);
    assert!(decided(TOPIC, committed(1, 400, &metadata_of(TOPIC, 4))).apply_redo);
    // Where commits are of the topic they decide, and what can be read again is read again.
    assert!(!decided(TOPIC, committed(1, 400, &metadata_of(NEXT_TOPIC, 4))).apply_redo);
    assert!(!decided(NEXT_TOPIC, nothing(1)).apply_redo);
}

#[test]
fn what_is_of_the_next_topic_counts_in_it() {
    let (start, _) = in_the_next_topic(committed(1, 400, &metadata_of(NEXT_TOPIC, 5)));
    let Start::CommittedOnly { offset: Offset(400), why, .. } = &start else { panic!("{start:?}") };
    assert!(why.contains("earlier topic"), "{why}");
    // An operator has set the position.
    let (start, _) = in_the_next_topic(committed(1, 7, ""));
    assert!(matches!(start, Start::CommittedOnly { offset: Offset(7), .. }), "{start:?}");
    // The state is of the topic; a late commit is of the one before.
    let loaded = Loaded { base: image(4), redo: None, highest_epoch: Epoch(4) };
    let known = [committed(1, 900, &metadata_of(NEXT_TOPIC, 3))];
    let recovery = decide(US, Some(TOPIC), &loaded, &known);
    assert_eq!(recovery.partitions[0].start, Start::StateOnly { offset: Offset(400) });
}

#[test]
fn brokers_without_topic_ids_tell_no_topics_apart() {
    let (start, _) = one(false, committed(1, 400, &metadata_of(NEXT_TOPIC, 4)));
    assert_eq!(start, resumed(400));
    let loaded = Loaded { base: image(4), redo: None, highest_epoch: Epoch(4) };
    let recovery = decide(US, Some(TOPIC), &loaded, &[committed(1, 400, &metadata(US, 4))]);
    assert_eq!(recovery.partitions[0].start, resumed(400));
}
