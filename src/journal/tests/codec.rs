//! Bytes and back, and bytes that nobody wrote.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::any::{content, identity, instance, instance_record};
use crate::{
    ids::{Epoch, Offset, PartitionId},
    journal::{
        Applied, Chain, Content, FORMAT_VERSION, Identity, IdentityPart, InstanceRecord,
        JournalError, Moment, Stream, Streams, Taken, Writer, Written, chunk_seq,
    },
};

const PARTITIONS: u32 = 3;

/// The first record of a stream, in chunks of so many bytes.
fn first_record(stream: Stream, content: &Content, chunk_bytes: usize) -> Written {
    let mut writer = Writer::new(instance("a"), None, PARTITIONS).cut_by(chunk_bytes, 128);
    writer.take_over(stream, &Chain::default(), Offset(0), 0);
    match (stream, super::any::partition(0)) {
        (Stream::Merger, first) => writer.take_over(first, &Chain::default(), Offset(0), 0),
        (stream, first) if stream == first => {
            writer.take_over(Stream::Merger, &Chain::default(), Offset(0), 0);
        }
        _ => {}
    }
    let moment = Moment { epoch: Epoch(7), now_ms: 0, positions: BTreeMap::new() };
    writer.begin(moment).write(stream, |_| content.clone())
}

fn take_all(streams: &mut Streams, written: &Written) -> Vec<Result<Taken, JournalError>> {
    let chunks = (0..).zip(&written.chunks);
    let take = |(offset, (key, value)): (i64, &(Vec<u8>, Vec<u8>))| {
        streams.take(written.partition, Offset(offset), Some(key), Some(value))
    };
    chunks.map(take).collect()
}

proptest! {
    #[test]
    fn a_record_comes_back(
        (stream, content) in content(),
        chunk_bytes in prop_oneof![Just(usize::MAX), 500..3000_usize],
    ) {
        let written = first_record(stream, &content, chunk_bytes);
        let mut taken = take_all(&mut Streams::new(PARTITIONS), &written);
        let last = taken.pop().expect("a record has a chunk").expect("as written");
        prop_assert!(taken.iter().all(|taken| *taken == Ok(Taken::Waiting)));
        let Taken::Applied(Applied::Snapshot(record)) = last else { panic!("{last:?}") };
        prop_assert_eq!(&record.content, &content);
        prop_assert_eq!((record.stream, record.seq, record.epoch), (stream, 1, Epoch(7)));
        prop_assert_eq!(record.writer, instance("a"));
        // Equal content has equal bytes, whatever the order in which it was counted.
        prop_assert_eq!(first_record(stream, &record.content, chunk_bytes), written);
    }

    #[test]
    fn an_identity_comes_back(identity in identity()) {
        let mut streams = Streams::new(PARTITIONS);
        let (key, value) = (Identity::key(), identity.encode());
        let taken = streams.take(PartitionId(0), Offset(0), Some(&key), Some(&value));
        prop_assert_eq!(taken, Ok(Taken::Identity(identity)));
    }

    #[test]
    fn what_an_instance_says_comes_back_or_is_refused(
        said in instance_record(),
        change in proptest::option::of((any::<Index>(), any::<u8>())),
    ) {
        let (key, mut value) = (InstanceRecord::key(&instance("a")), said.encode());
        if let Some((at, byte)) = change {
            let at = at.index(value.len());
            value[at] = byte;
        }
        let mut streams = Streams::new(PARTITIONS);
        let taken = streams.take(PartitionId(2), Offset(0), Some(&key), Some(&value));
        match taken {
            Ok(Taken::Instance(name, read)) => {
                prop_assert!(name == instance("a") && (change.is_some() || read == said));
                prop_assert_eq!(read.encode(), value, "one form");
            }
            other => prop_assert!(change.is_some() && other.is_err(), "{:?}", other),
        }
        prop_assert_eq!(streams.chains().count(), 0, "it is of no stream");
    }

    /// Changed bytes are refused, or they are a record that can be written again.
    #[test]
    fn changed_bytes_are_refused_or_decoded(
        (stream, content) in content(),
        chunk_bytes in prop_oneof![Just(usize::MAX), 200..1000_usize],
        changes in vec((any::<Index>(), any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut written = first_record(stream, &content, chunk_bytes);
        for (chunk, at, byte, change) in changes {
            let chunk = chunk.index(written.chunks.len());
            let (key, value) = &mut written.chunks[chunk];
            let at = at.index(value.len().max(1));
            match change {
                0 if at < value.len() => value[at] = byte,
                1 => value.truncate(at),
                2 => value.insert(at.min(value.len()), byte),
                _ => {
                    let at = at % key.len();
                    key[at] = byte;
                }
            }
        }
        for taken in take_all(&mut Streams::new(PARTITIONS), &written) {
            if let Ok(Taken::Applied(Applied::Snapshot(record))) = taken {
                prop_assert_eq!(record.content, content.clone());
            }
        }
    }

    /// Bodies with a checksum that is right: what lies behind it is decoded too.
    #[test]
    fn changed_bodies_are_refused_or_decoded(
        (stream, content) in content(),
        changes in vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..4),
    ) {
        let mut body = content.encode();
        for (at, byte, change) in changes {
            let at = at.index(body.len().max(1));
            match change {
                0 if at < body.len() => body[at] = byte,
                1 => body.truncate(at),
                _ => body.insert(at.min(body.len()), byte),
            }
        }
        if let Ok(read) = Content::decode(stream, &body) {
            prop_assert_eq!(Content::decode(stream, &read.encode()), Ok(read));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_decoded(
        key in "(m|[0-9])/([0-9]{1,3}|snapshot-[ab])/[0-9]|identity|instance/[a-z]|\\PC{0,9}",
        mut value in vec(any::<u8>(), 0..80),
        kind in 0..6_u8,
    ) {
        for (at, byte) in [FORMAT_VERSION, kind].into_iter().enumerate().take(value.len()) {
            value[at] = byte;
        }
        let mut streams = Streams::new(PARTITIONS);
        for p in 0..PARTITIONS as i32 {
            let _ = streams.take(PartitionId(p), Offset(0), Some(key.as_bytes()), Some(&value));
        }
        let _ = Content::decode(Stream::Merger, &value);
        let _ = Content::decode(super::any::partition(1), &value);
        let _ = Identity::parse(&value);
        let _ = chunk_seq(&value);
    }
}

#[test]
fn a_later_format_is_refused_with_the_remedy() {
    let mut streams = Streams::new(PARTITIONS);
    let mut take = |key: &[u8], value: &[u8]| {
        let taken = streams.take(PartitionId(2), Offset(17), Some(key), Some(value));
        streams.begin_at(PartitionId(2), Offset(0));
        taken.expect_err("refused").to_string()
    };
    for key in [&b"2/0/0"[..], b"2/snapshot-b/1", b"identity"] {
        assert_eq!(
            take(key, &[FORMAT_VERSION + 1, 1, 3]),
            "the record at offset 17 of journal partition 2 has format 2, this program reads \
             format 1: run the version of logintide that wrote it, or a later one, in every \
             instance of the group"
        );
    }
    assert_eq!(
        take(b"2/0/0", &[0, 1]),
        "the record at offset 17 of journal partition 2, with key '2/0/0', has the unknown format \
         0: find out what else writes to the journal topic, and let this group have a journal of \
         its own"
    );
    // What somebody else wrote is not of a later format.
    let foreign = take(b"\xffkey of somebody else, which is long, and longer", b"{}");
    let named = "key '\\xffkey of somebody else, which is long, an', has a key of another form";
    assert!(foreign.contains(named), "{foreign}");
}

#[test]
fn another_identity_is_refused_by_name() {
    let journal = Identity {
        cluster_id: "c1".to_owned(),
        group_id: "g1".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: Some(crate::ids::TopicId(1)),
        window_size_ms: 10_000,
        journal_partitions: 8,
        first_partitions: 8,
        began_ms: 0,
    };
    let part = |change: fn(&mut Identity)| {
        let mut ours = journal.clone();
        change(&mut ours);
        match journal.check(&ours) {
            Err(JournalError::OtherIdentity { part, .. }) => Some(part),
            other => other.map(|()| None).expect("no other error"),
        }
    };
    assert_eq!(part(|ours| ours.cluster_id = "c2".to_owned()), Some(IdentityPart::Cluster));
    assert_eq!(part(|ours| ours.group_id = "g2".to_owned()), Some(IdentityPart::Group));
    assert_eq!(part(|ours| ours.topic = "other".to_owned()), Some(IdentityPart::Topic));
    assert_eq!(part(|ours| ours.topic_id = Some(crate::ids::TopicId(2))), None);
    assert_eq!(part(|ours| ours.window_size_ms = 5), Some(IdentityPart::Window));
    // The journal's partitions come from it, and input partitions are added.
    assert_eq!(part(|ours| ours.journal_partitions = 4), None);
    assert_eq!(part(|ours| ours.first_partitions = 9), None);
    assert_eq!(part(|ours| ours.topic_id = None), None);

    let mut ours = journal.clone();
    ours.window_size_ms = 5000;
    assert_eq!(
        journal.check(&ours).expect_err("another window").to_string(),
        "the journal (--journal-topic) belongs to another window size (--window): it has '10000 \
         ms', this run has '5000 ms'; name another --group-id or another --journal-topic, or clear \
         this one with `logintide state reset --journal`"
    );
}
