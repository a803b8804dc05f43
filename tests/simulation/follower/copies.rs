//! Starts with a local copy.

use std::time::Duration;

use logintide::{
    ids::{Offset, PartitionId},
    state::MemoryDisk,
};

use super::{
    JOURNAL, PARTITIONS,
    author::{Author, End},
    running::{Running, Start, copy},
    state::assert_followed,
};
use crate::kafka::SimKafka;

const ALL: &[i32] = &[0, 1, 2, 3, 4];
/// Longer than the copy waits between two writes.
const WRITTEN: Duration = Duration::from_millis(1_500);

/// A journal, and a disk on which a replica has left a copy of all of it.
fn copied(seed: u64, epochs: i64) -> (SimKafka, Author, MemoryDisk) {
    let kafka = SimKafka::new(seed);
    let mut author = Author::new(&kafka);
    (0..epochs).for_each(|epoch| author.epoch(ALL, &[epoch / 3], End::Commit));
    let disk = MemoryDisk::default();
    let mut running = Start::with(&kafka, &disk).start();
    running.follow(author.request(1));
    running.stop();
    (kafka, author, disk)
}

fn ends(author: &Author) -> Vec<(PartitionId, Offset)> {
    (0..PARTITIONS as i32).map(|p| (PartitionId(p), Offset(author.ends(p).1))).collect()
}

#[track_caller]
fn follows(running: &mut Running, author: &Author, incarnation: u64) {
    let followed = running.follow(author.request(incarnation));
    assert_followed(&followed, &author.truth, "followed");
}

#[test]
fn a_start_with_a_copy_reads_the_rest_only() {
    let (kafka, mut author, disk) = copied(1, 20);
    let before = ends(&author);
    author.epoch(ALL, &[9], End::Commit);
    let mut running = Start::with(&kafka, &disk).start();
    running.step().expect("it goes on");
    let positions = running.positions();
    assert!(before.iter().all(|(p, end)| positions[p] >= *end), "{positions:?} of {before:?}");
    follows(&mut running, &author, 1);
    assert_eq!(disk.set_aside().len(), 0);
}

#[test]
fn a_copy_is_written_while_the_journal_is_followed() {
    let (kafka, mut author, disk) = copied(2, 2);
    let mut running = Start::with(&kafka, &disk).start();
    author.epoch(ALL, &[9], End::Commit);
    running.run_for(WRITTEN);
    running.run_for(WRITTEN);
    running.kill();
    disk.crash(|| false);
    let copied = copy(&disk).load().expect("sound").expect("there");
    for (p, end) in ends(&author) {
        assert_eq!(copied.partitions[&p].position, end);
    }
}

#[test]
fn a_copy_keeps_no_more_than_the_streams_stand_on() {
    let (kafka, author, disk) = copied(3, 1_000);
    let copied = copy(&disk).load().expect("sound").expect("there");
    let kept: usize = copied.partitions.values().map(|partition| partition.records.len()).sum();
    // At most a snapshot and 127 records after it for each of the six streams.
    assert!(kept <= 6 * 128, "{kept} records");
    let mut running = Start::with(&kafka, &disk).start();
    follows(&mut running, &author, 1);
}

#[test]
fn a_copy_of_an_earlier_topic_is_set_aside() {
    let (kafka, _author, disk) = copied(4, 5);
    kafka.delete_topic(JOURNAL);
    let mut author = Author::new(&kafka);
    (0..30).for_each(|_| author.epoch(&[1], &[40], End::Commit));
    let mut running = Start::with(&kafka, &disk).start();
    follows(&mut running, &author, 1);
    assert_eq!(disk.set_aside().len(), 1);
    running.stop();
    let mut running = Start::with(&kafka, &disk).start();
    follows(&mut running, &author, 2);
    assert_eq!(disk.set_aside().len(), 1, "the new one is of the new topic");
}

#[test]
fn a_copy_whose_position_is_not_in_the_log_is_set_aside() {
    for is_asked in [false, true] {
        let (kafka, _author, disk) = copied(5, 30);
        kafka.delete_topic(JOURNAL);
        let mut author = Author::new(&kafka);
        author.epoch(&[1], &[40], End::Commit);
        let mut running = Start::with(&kafka, &disk).start();
        if !is_asked {
            running.run_for(Duration::from_secs(1));
            assert_eq!(disk.set_aside().len(), 1);
        }
        let mut request = author.request(1);
        request.journal = None;
        assert_followed(&running.follow(request), &author.truth, "read from the start");
        assert_eq!(disk.set_aside().len(), 1);
    }
}

#[test]
fn damaged_bytes_set_a_copy_aside() {
    for number in 0..40 {
        let (kafka, author, disk) = copied(6, 10);
        disk.damage(number, |value| value[number % 7] ^= 1);
        let mut running = Start::with(&kafka, &disk).start();
        follows(&mut running, &author, 1);
        assert_eq!(disk.set_aside().len(), 1, "row {number}");
    }
}

#[test]
fn a_full_disk_costs_the_copy_and_nothing_else() {
    for room in (0..60).step_by(7) {
        let (kafka, mut author, disk) = copied(7, 10);
        disk.fill_after(Some(room));
        let mut running = Start::with(&kafka, &disk).start();
        for epoch in 0..20 {
            author.epoch(ALL, &[epoch], End::Commit);
            running.run_for(Duration::from_millis(300));
        }
        follows(&mut running, &author, 1);
        running.kill();
        disk.crash(|| true);
        disk.fill_after(None);
        let mut running = Start::with(&kafka, &disk).start();
        follows(&mut running, &author, 2);
        assert_eq!(disk.set_aside().len(), 0, "what is left is old, and sound");
    }
}
