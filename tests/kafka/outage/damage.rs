//! Batches that the broker's disk has damaged: what librdkafka finds wrong with them, named and
//! passed.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use testkit::Scenario;

use crate::{batches::Input, own_broker::OwnBroker};

/// Bytes of a batch before its records, and where its parts lie (Kafka's message format 2).
const HEAD: usize = 61;
const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CODEC_AT: usize = 22;

/// The first log segment of a partition.
fn segment(folder: &Path, partition: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).find_map(|path| {
        let is_it = path.file_name().is_some_and(|name| name == partition);
        let found = path.join("00000000000000000000.log");
        if is_it { Some(found) } else { segment(&path, partition) }
    })
}

/// Replaces a byte of a partition's second batch.
fn damage(broker: &OwnBroker, input: &Input, partition: i32, at: usize, byte: u8) {
    let name = format!("{}-{partition}", input.scenario.topic("input"));
    let path = segment(broker.folder(), &name).expect("the partition is on the disk");
    let log = fs::read(&path).expect("a readable segment");
    let length: [u8; 4] = log[LENGTH_AT..LENGTH_AT + 4].try_into().expect("four bytes");
    let second = LENGTH_AT + 4 + u32::from_be_bytes(length) as usize;
    assert_ne!(log[second + at], byte);
    let file = OpenOptions::new().write(true).open(&path).expect("a writable segment");
    file.write_at(&[byte], (second + at) as u64).expect("written");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn whatever_is_wrong_with_a_batch_it_is_named_and_passed() {
    let broker = OwnBroker::new();
    broker.start();
    let input = Input::of(Scenario::on("damage", broker.address()), 4, &[]);
    for (partition, codec, count) in
        [(0, "none", 3), (1, "none", 3), (2, "gzip", 3), (3, "none", 1)]
    {
        input.batch(partition, "none", 3, 100);
        input.batch(partition, codec, count, 100);
        input.batch(partition, "none", 3, 100);
    }
    damage(&broker, &input, 0, CODEC_AT, 7);
    damage(&broker, &input, 1, MAGIC_AT, 9);
    damage(&broker, &input, 2, HEAD + 20, 0xff);
    // librdkafka says so once, and then reads on behind the one record.
    damage(&broker, &input, 3, MAGIC_AT, 9);
    input.goes_past(&[], 10, 24);
    let checked = Input::of(Scenario::on("checked", broker.address()), 1, &[]);
    for _ in 0..3 {
        checked.batch(0, "none", 10, 100);
    }
    damage(&broker, &checked, 0, HEAD + 100, b'?');
    let flags = ["-X", "check.crcs=true"];
    checked.ends_and_says(&flags, &["partition 0 cannot be read at offset 10,", "CRC32C"]);
    checked.goes_past(&flags, 10, 20);
}
