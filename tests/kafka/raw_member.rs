//! A member of a consumer group that speaks Kafka's protocol by hand: with any protocol, and
//! without ever joining again.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

use testkit::SOON;

const JOIN_GROUP: i16 = 11;
const LEAVE_GROUP: i16 = 13;
const FIND_COORDINATOR: i16 = 10;
/// How long the group waits for it: longer than any test.
const SESSION_MS: i32 = 300_000;

/// The member, until it is dropped.
pub(crate) struct RawMember {
    stream: TcpStream,
    group: String,
    member: String,
}

impl RawMember {
    /// Joins, and says nothing any more. The broker must be the only one.
    pub(crate) fn join(broker: &str, group: &str, kind: &str, protocol: &str) -> Self {
        let mut stream = TcpStream::connect(broker).expect("the broker listens");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        let began = Instant::now();
        let mut key = Vec::new();
        text(&mut key, group);
        while code(&ask(&mut stream, FIND_COORDINATOR, 0, &key)) != 0 {
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
        let answer = ask(&mut stream, JOIN_GROUP, 2, &body);
        // Throttle time, then the code, the generation, protocol, leader, own id.
        assert_eq!(code(&answer[4..]), 0, "{answer:?}");
        let (_, rest) = read_text(&answer[10..]);
        let (_, rest) = read_text(rest);
        let (member, _) = read_text(rest);
        Self { stream, group: group.to_owned(), member }
    }
}

impl Drop for RawMember {
    fn drop(&mut self) {
        let mut body = Vec::new();
        text(&mut body, &self.group);
        text(&mut body, &self.member);
        ask(&mut self.stream, LEAVE_GROUP, 0, &body);
    }
}

/// Sends a request and returns its answer behind the correlation id.
fn ask(stream: &mut TcpStream, request: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend([request.to_be_bytes(), version.to_be_bytes()].concat());
    message.extend(7i32.to_be_bytes());
    text(&mut message, "raw-member");
    message.extend(body);
    let size = (message.len() as i32).to_be_bytes();
    stream.write_all(&[&size[..], &message].concat()).expect("the broker takes it");
    let mut size = [0; 4];
    stream.read_exact(&mut size).expect("the broker answers");
    let mut answer = vec![0; i32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).expect("the broker answers in full");
    answer.split_off(4)
}

fn text(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as i16).to_be_bytes());
    into.extend(text.as_bytes());
}

fn code(answer: &[u8]) -> i16 {
    i16::from_be_bytes([answer[0], answer[1]])
}

fn read_text(from: &[u8]) -> (String, &[u8]) {
    let length = code(from) as usize;
    (String::from_utf8_lossy(&from[2..2 + length]).into_owned(), &from[2 + length..])
}
