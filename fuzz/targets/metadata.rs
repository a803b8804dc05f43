//! Commit metadata, which any program may have written beside an offset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logintide::{
    ids::{Epoch, Offset, PartitionId},
    journal::JournalCommit,
    state::{CommitMetadata, Committed, Loaded, decide},
};

/// Brokers accept 4 096 bytes by default; what is written here stays far below.
const LONGEST_BYTES: usize = 320;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = CommitMetadata::parse(text);
    if let Some(metadata) = &parsed {
        let again = metadata.encode();
        assert!(again.len() <= LONGEST_BYTES, "{} bytes", again.len());
        assert_eq!(CommitMetadata::parse(&again), parsed);
    }
    let commit = JournalCommit::parse(text);
    if let Some(commit) = &commit {
        assert!(parsed.is_none(), "a text is of one version");
        let again = commit.encode();
        assert!(again.len() <= LONGEST_BYTES, "{} bytes", again.len());
        assert_eq!(JournalCommit::parse(&again).as_ref(), Some(commit));
    }
    let known =
        Committed { partition: PartitionId(0), offset: Some(Offset(7)), metadata: text.to_owned() };
    let recovery = decide("us", None, &Loaded::default(), &[known]);
    let seen = parsed.map_or(Epoch(0), |metadata| metadata.epoch);
    assert!(recovery.next_epoch > seen, "an epoch number is used once");
});
