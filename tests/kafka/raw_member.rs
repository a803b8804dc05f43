//! A member of a consumer group that speaks Kafka's protocol by hand: with any protocol, and
//! without ever joining again.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use testkit::SOON;

use crate::wire::{Wire, code, read_text, text};

const JOIN_GROUP: i16 = 11;
const LEAVE_GROUP: i16 = 13;
const FIND_COORDINATOR: i16 = 10;
/// How long the group waits for it: longer than any test.
const SESSION_MS: i32 = 300_000;

/// The member, until it is dropped.
pub(crate) struct RawMember {
    wire: Wire,
    group: String,
    member: String,
}

impl RawMember {
    /// Joins, and says nothing any more. The broker must be the only one.
    pub(crate) fn join(broker: &str, group: &str, kind: &str, protocol: &str) -> Self {
        let mut wire = Wire::connect(broker);
        let began = Instant::now();
        let mut key = Vec::new();
        text(&mut key, group);
        while code(&wire.ask(FIND_COORDINATOR, 0, &key)) != 0 {
            assert!(began.elapsed() < SOON, "the group has no coordinator");
            sleep(Duration::from_millis(100));
        }
        let mut body = Vec::new();
        text(&mut body, group);
        body.extend([SESSION_MS.to_be_bytes(), SESSION_MS.to_be_bytes()].concat());
        text(&mut body, "");
        text(&mut body, kind);
        body.extend(1i32.to_be_bytes());
        text(&mut body, protocol);
        // A consumer's metadata: version 0, no topics, no user data.
        let metadata = [&0i16.to_be_bytes()[..], &0i32.to_be_bytes(), &(-1i32).to_be_bytes()];
        let metadata = metadata.concat();
        body.extend((metadata.len() as i32).to_be_bytes());
        body.extend(metadata);
        let answer = wire.ask(JOIN_GROUP, 2, &body);
        // Throttle time, then the code, the generation, protocol, leader, own id.
        assert_eq!(code(&answer[4..]), 0, "{answer:?}");
        let (_, rest) = read_text(&answer[10..]);
        let (_, rest) = read_text(rest);
        let (member, _) = read_text(rest);
        Self { wire, group: group.to_owned(), member }
    }
}

impl Drop for RawMember {
    fn drop(&mut self) {
        let mut body = Vec::new();
        text(&mut body, &self.group);
        text(&mut body, &self.member);
        self.wire.ask(LEAVE_GROUP, 0, &body);
    }
}
