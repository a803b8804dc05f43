//! A journal that anybody may have written to, through the reader that follows it.
//!
//! The input is a list of Kafka records. Some are taken as they are; of others only the body is,
//! and the checksums are put right, or nothing behind them would ever be reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logintide::{
    ids::{Offset, PartitionId},
    journal::{
        Applied, Condition, FORMAT_VERSION, Identity, InstanceRecord, RecordKind, Skipped, Stream,
        Streams, Taken, chunk_seq,
        fuzzing::{self, Claims, RawRecord},
    },
};
use logintide_fuzz::{Input, bounded};

/// Journal partitions.
const PARTITIONS: u32 = 2;

/// What the fuzzer does next.
enum Step {
    /// Records of one journal partition.
    Read(PartitionId, Vec<RawRecord>),
    /// A record without a value.
    Empty(PartitionId, Vec<u8>),
    /// Reads again from an earlier offset.
    Again(PartitionId, Offset),
}

/// Steps out of the fuzzer's bytes.
struct Steps<'a>(Input<'a>);

impl Steps<'_> {
    fn stream(&mut self) -> Option<Stream> {
        Some(match self.0.byte()? % 4 {
            0 => Stream::Merger,
            p => Stream::Partition(PartitionId(i32::from(p))),
        })
    }

    /// A record of which some chunks are there, in this order.
    fn sealed(&mut self) -> Option<Step> {
        let stream = self.stream()?;
        let flags = self.0.byte()?;
        let is = |bit: u8| flags & 1 << bit != 0;
        let claims = Claims {
            kind: if is(0) { RecordKind::Snapshot } else { RecordKind::Epoch },
            stream,
            seq: u64::from(self.0.byte()?) + 1,
            epoch: u64::from(self.0.byte()?),
            writer: if is(1) { 'a' } else { 'b' },
            second_place: is(2),
        };
        let chunks = u32::from(flags >> 3 & 3) + 1;
        let mut records = fuzzing::record(claims, chunks, self.0.bytes()?);
        if is(5) {
            records.pop();
        }
        if is(6) {
            records.reverse();
        }
        if is(7) {
            records.extend_from_within(..1.min(records.len()));
        }
        Some(Step::Read(stream.journal_partition(PARTITIONS), records))
    }

    fn next(&mut self) -> Option<Step> {
        let kind = self.0.byte()?;
        let partition = PartitionId(i32::from(kind >> 7));
        Some(match kind & 7 {
            0 => {
                let (key, value) = (self.0.bytes()?, self.0.bytes()?);
                Step::Read(partition, vec![(key.to_vec(), value.to_vec())])
            }
            1 => {
                let value = [&[FORMAT_VERSION, 3], self.0.bytes()?].concat();
                Step::Read(PartitionId(0), vec![(Identity::key(), value)])
            }
            2 => Step::Empty(partition, self.0.bytes()?.to_vec()),
            7 => {
                let value = [&[FORMAT_VERSION, 4], self.0.bytes()?].concat();
                Step::Read(partition, vec![(b"instance/a".to_vec(), value)])
            }
            3 => Step::Again(partition, Offset(i64::from(self.0.byte()?))),
            _ => self.sealed()?,
        })
    }
}

/// What was decoded comes back from its bytes, and a chain goes on by one or by a snapshot.
fn check(before: Option<u64>, taken: &Taken) {
    match taken {
        Taken::Applied(applied) => {
            let (Applied::Next(record) | Applied::Snapshot(record)) = applied;
            let before = before.unwrap_or(0);
            match applied {
                Applied::Next(_) => assert!(before > 0 && record.seq == before + 1),
                Applied::Snapshot(_) => assert!(record.seq > before),
            }
            let claims = Claims {
                kind: RecordKind::Snapshot,
                stream: record.stream,
                seq: 1,
                epoch: 0,
                writer: 'a',
                second_place: false,
            };
            let again = fuzzing::record(claims, 1, &fuzzing::body(&record.content));
            let partition = record.stream.journal_partition(PARTITIONS);
            let (key, value) = &again[0];
            let read = Streams::new(PARTITIONS).take(partition, Offset(0), Some(key), Some(value));
            let Ok(Taken::Applied(Applied::Snapshot(again))) = read else { panic!("{read:?}") };
            assert_eq!(again.content, record.content);
        }
        Taken::Identity(identity) => {
            let value = identity.encode();
            let read = Streams::new(PARTITIONS).take(
                PartitionId(0),
                Offset(0),
                Some(&Identity::key()),
                Some(&value),
            );
            assert_eq!(read, Ok(Taken::Identity(identity.clone())));
        }
        Taken::Instance(name, said) => {
            let (key, value) = (InstanceRecord::key(name), said.encode());
            let read =
                Streams::new(PARTITIONS).take(PartitionId(0), Offset(0), Some(&key), Some(&value));
            assert_eq!(read, Ok(Taken::Instance(name.clone(), said.clone())));
        }
        Taken::Row(..) | Taken::Waiting | Taken::Skipped(_) => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let mut steps = Steps(Input(data));
    let mut streams = Streams::new(PARTITIONS);
    let mut bytes = 0;
    let mut next = [0_i64; PARTITIONS as usize];
    while let Some(step) = steps.next() {
        match step {
            Step::Read(partition, records) => {
                for (key, value) in records {
                    let at = &mut next[partition.0 as usize];
                    bytes += key.len() + value.len();
                    let before: Vec<_> =
                        streams.chains().map(|(s, chain)| (s, chain.applied_seq())).collect();
                    let taken = bounded(bytes, || {
                        streams.take(partition, Offset(*at), Some(&key), Some(&value))
                    });
                    *at += 1;
                    let Ok(taken) = taken else { continue };
                    let seq = match &taken {
                        Taken::Applied(Applied::Next(record) | Applied::Snapshot(record)) => {
                            before.iter().find(|(s, _)| *s == record.stream).map(|(_, seq)| *seq)
                        }
                        _ => None,
                    };
                    check(seq, &taken);
                }
            }
            Step::Empty(partition, key) => {
                let at = Offset(next[partition.0 as usize]);
                let taken = streams.take(partition, at, Some(&key), None);
                assert!(matches!(
                    taken,
                    Ok(Taken::Skipped(Skipped::NoValue | Skipped::BeforePosition))
                ));
                next[partition.0 as usize] += 1;
            }
            Step::Again(partition, offset) => {
                streams.read_again(partition, offset);
                next[partition.0 as usize] = streams.position(partition).0;
                assert!(streams.resume_from(partition) <= streams.position(partition));
            }
        }
    }
    for (stream, chain) in streams.chains() {
        let is_whole = streams.condition(stream) == Condition::Whole;
        assert!(!is_whole || chain.applied_seq() > 0);
    }
    let _ = Identity::parse(data);
    let _ = chunk_seq(data);
});
