//! Commit metadata, which any program may have written beside an offset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logintide::journal::JournalCommit;

/// Brokers accept 4 096 bytes by default; what is written here stays far below.
const LONGEST_BYTES: usize = 320;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(commit) = JournalCommit::parse(text) {
        let again = commit.encode();
        assert!(again.len() <= LONGEST_BYTES, "{} bytes", again.len());
        assert_eq!(JournalCommit::parse(&again), Some(commit));
    }
});
