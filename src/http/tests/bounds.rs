//! Connections, streams, sizes and times are bounded.

use std::time::Instant;

use super::*;
use crate::status::Snapshot;

/// A stream that is open, once its head and its first event were read.
pub(super) struct Stream(TcpStream);

impl Stream {
    pub(super) fn open(server: &Server) -> Self {
        let mut stream = Self::begin(server);
        stream.event();
        stream
    }

    /// With its first event to be read.
    pub(super) fn begin(server: &Server) -> Self {
        let mut stream = Self(server.connect());
        let request = b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.0.write_all(request).expect("sent");
        let head = stream.read_until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        stream
    }

    fn read_until(&mut self, end: &str) -> String {
        let (mut read, mut byte) = (Vec::new(), [0]);
        while !read.ends_with(end.as_bytes()) {
            self.0.read_exact(&mut byte).expect("the stream goes on");
            read.extend(byte);
        }
        String::from_utf8(read).expect("UTF-8")
    }

    /// What the server has sent at once, which is one event; later ones are not looked at.
    pub(super) fn chunk(&mut self) -> String {
        let size = self.read_until("\r\n");
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a size in hex");
        let mut chunk = vec![0; size];
        self.0.read_exact(&mut chunk).expect("the stream goes on");
        String::from_utf8(chunk).expect("UTF-8")
    }

    /// The next event's data.
    pub(super) fn event(&mut self) -> serde_json::Value {
        let event = self.read_until("}\n\n");
        let (_, data) = event.split_once("event: snapshot\ndata: ").expect("an event");
        serde_json::from_str(data.trim()).expect("JSON")
    }
}

#[test]
fn a_stream_has_a_snapshot_at_once_and_one_a_second_until_the_stop() {
    let server = Server::start();
    let mut stream = Stream::open(&server);
    let began = Instant::now();
    for at_ms in [1, 2, 3] {
        server.board.publish(Snapshot { at_ms, ..Snapshot::default() });
        let mut event = stream.event();
        // One that was made just before says the old number.
        if event["snapshot"]["at_ms"] != at_ms {
            event = stream.event();
        }
        assert_eq!(event["snapshot"]["at_ms"], at_ms);
        assert_eq!(event["about"]["input_topic"], "logins");
    }
    assert!(began.elapsed() >= limits::HTTP_STREAM_INTERVAL, "no faster than one a second");
    server.stop();
    let mut rest = Vec::new();
    stream.0.read_to_end(&mut rest).expect("a good end");
    assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "it ended by itself: the last chunk: {rest:?}");
}

#[test]
fn streams_beyond_the_bound_are_refused_and_health_stays_reachable() {
    let server = Server::start();
    let mut open: Vec<Stream> = (0..limits::HTTP_STREAMS).map(|_| Stream::open(&server)).collect();
    let refused = server.get("/api/v1/stream");
    assert!(refused.error(503).contains("streams are open"));
    assert!(refused.head.contains("\r\nretry-after: 5"), "{}", refused.head);
    assert!(refused.head.contains("\r\nconnection: close"), "{}", refused.head);
    assert_eq!((server.get("/healthz").status, server.get("/metrics").status), (200, 200));
    for stream in &mut open {
        stream.event();
    }
    drop(open.pop());
    let deadline = Instant::now() + PATIENCE;
    while server.get("/api/v1/status").status != 200 || {
        let mut stream = server.connect();
        stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("answered");
        &answer != b"HTTP/1.1 200"
    } {
        assert!(Instant::now() < deadline, "the place of a closed stream is not given on");
    }
    server.stop();
}

#[test]
fn a_request_that_is_too_large_is_refused_and_one_without_an_end_is_dropped() {
    let server = Server::start();
    let long = "x".repeat(limits::HTTP_PATH_BYTES);
    assert!(server.get(&format!("/{long}")).error(414).contains("1024 bytes"));
    let long = format!("host: localhost\r\nx: {}\r\n", "x".repeat(limits::HTTP_HEAD_BYTES));
    assert!(server.ask_with("GET", "/healthz", &long).error(431).contains("8192 bytes"));
    let body = "host: localhost\r\ncontent-length: 3\r\n\r\nabc";
    assert!(server.ask_with("GET", "/healthz", body).error(413).contains("body"));
    let chunked = "host: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    assert!(server.ask_with("GET", "/api/v1/status", chunked).error(413).contains("body"));

    let mut endless = server.connect();
    endless.write_all(b"GET /healthz HTTP/1.1\r\n").expect("sent");
    let header = format!("x: {}\r\n", "x".repeat(1000));
    for _ in 0..1000 {
        if endless.write_all(header.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let end = endless.read_to_end(&mut answer).map_err(|error| error.kind());
    // A reset, or an end; a time-out would say that the server still listens.
    assert_ne!(end.err(), Some(io::ErrorKind::WouldBlock));
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "), "{answer:?}");
    server.stop();
}
