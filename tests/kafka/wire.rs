//! Kafka's protocol, byte by byte, for requests that no client sends when it is asked to.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use testkit::SOON;

/// A connection to a broker.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn connect(broker: &str) -> Self {
        let stream = TcpStream::connect(broker).expect("the broker listens");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        Self(stream)
    }

    /// Sends a request and returns its answer behind the correlation id.
    pub(crate) fn ask(&mut self, request: i16, version: i16, body: &[u8]) -> Vec<u8> {
        self.exchange(request, version, &[], body)
    }

    /// The same of a version whose headers end with tagged fields.
    pub(crate) fn ask_tagged(&mut self, request: i16, version: i16, body: &[u8]) -> Vec<u8> {
        let mut answer = self.exchange(request, version, &NO_TAGS, body);
        answer.split_off(NO_TAGS.len())
    }

    fn exchange(&mut self, request: i16, version: i16, tags: &[u8], body: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        message.extend([request.to_be_bytes(), version.to_be_bytes()].concat());
        message.extend(7i32.to_be_bytes());
        text(&mut message, "raw-member");
        message.extend([tags, body].concat());
        let size = (message.len() as i32).to_be_bytes();
        self.0.write_all(&[&size[..], &message].concat()).expect("the broker takes it");
        let mut size = [0; 4];
        self.0.read_exact(&mut size).expect("the broker answers");
        let mut answer = vec![0; i32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut answer).expect("the broker answers in full");
        answer.split_off(4)
    }
}

/// No tagged fields.
pub(crate) const NO_TAGS: [u8; 1] = [0];

/// Appends a text.
pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as i16).to_be_bytes());
    into.extend(text.as_bytes());
}

/// Appends a text in the form of versions with tagged fields.
pub(crate) fn compact_text(into: &mut Vec<u8>, text: &str) {
    into.push(u8::try_from(text.len() + 1).ok().filter(|it| *it < 128).expect("a short text"));
    into.extend(text.as_bytes());
}

/// The error code that something begins with.
pub(crate) fn code(answer: &[u8]) -> i16 {
    i16::from_be_bytes([answer[0], answer[1]])
}

/// A text, and what follows it.
pub(crate) fn read_text(from: &[u8]) -> (String, &[u8]) {
    let length = code(from) as usize;
    (String::from_utf8_lossy(&from[2..2 + length]).into_owned(), &from[2 + length..])
}

/// The same in the form of versions with tagged fields.
pub(crate) fn read_compact_text(from: &[u8]) -> (String, &[u8]) {
    let end = usize::from(from[0]);
    (String::from_utf8_lossy(&from[1..end]).into_owned(), &from[end..])
}
