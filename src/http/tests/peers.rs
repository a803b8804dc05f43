//! Peers that keep the server waiting: however many they are, everyone else is answered.
//!
//! Each test sets the bounds that it is about, and no other bound is ever reached, so what ends a
//! connection is known however slow the machine is.

use super::{api::window, bounds::Stream, *};
use crate::status::Snapshot;

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(100_000);

/// Longer than a request needs on its way; a machine that needs more only makes a test repeat it.
const SHORT: Duration = Duration::from_millis(100);

const UNBOUNDED: Bounds =
    Bounds { connections: limits::HTTP_CONNECTIONS, head: NEVER, idle: NEVER, write: NEVER };

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
const HALF_A_REQUEST: &[u8] = b"GET / HT";

impl Server {
    fn within(bounds: Bounds) -> Self {
        Self::start_within(bounds, None, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// A connection that has sent `bytes`, unless it was ended before.
    fn connect_and_send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        // An error shows at the next read.
        let _ = stream.write_all(bytes);
        stream
    }

    /// A connection that was answered once, and had sent `more` behind its request.
    fn answered(&self, more: &[u8]) -> TcpStream {
        let request = [REQUEST, more].concat();
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The time for a head may have been over before it was sent.
            let mut stream = self.connect_and_send(&request);
            if is_answered(&mut stream) {
                return stream;
            }
            assert!(Instant::now() < deadline, "no request is answered");
        }
    }
}

/// Reads an answer to the end of its body, or finds the connection ended.
fn is_answered(stream: &mut TcpStream) -> bool {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"}") {
        match stream.read(&mut byte) {
            Ok(1) => read.extend(byte),
            _ => return false,
        }
    }
    read.starts_with(b"HTTP/1.1 200")
}

/// Waits for the end of a connection that has nothing more to say.
fn ends(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0, "an answer to no request"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
    }
}

/// Sends `bytes` one by one until the connection is ended.
fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    for &byte in bytes.iter().cycle() {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        assert!(Instant::now() < deadline, "it may go on for ever");
        thread::sleep(SHORT / 10);
    }
}

#[test]
fn two_thousand_half_sent_requests_keep_nobody_out() {
    let server = Server::within(UNBOUNDED);
    let mut open = VecDeque::new();
    for _ in 0..2_000 {
        open.push_back(server.connect_and_send(HALF_A_REQUEST));
        // The one that has waited longest goes, and no other.
        if open.len() > limits::HTTP_CONNECTIONS {
            ends(&mut open.pop_front().expect("one more than places"));
        }
    }
    for path in ["/healthz", "/metrics", "/api/v1/status", "/"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    // The rest of a request is answered as long as its connection has a place.
    let mut newest = open.pop_back().expect("open");
    newest.write_all(b"TP/1.0\r\n\r\n").expect("it has its place");
    let mut answer = String::new();
    newest.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    server.stop();
}

#[test]
fn no_kind_of_slow_peer_keeps_anyone_out() {
    let server = Server::within(Bounds { connections: 8, ..UNBOUNDED });
    let all_windows = b"GET /api/v1/windows?limit=380 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    publish_many_windows(&server);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(server.connect());
        open.push(server.connect_and_send(HALF_A_REQUEST));
        open.push(server.answered(b""));
        open.push(server.answered(HALF_A_REQUEST));
        open.push(server.connect_and_send(&all_windows.repeat(50)));
        assert_eq!(server.get("/healthz").status, 200);
    }
    server.stop();
}

#[test]
fn streams_keep_their_places_while_they_are_read() {
    let server = Server::within(Bounds { connections: 4, ..UNBOUNDED });
    let mut streams = [Stream::open(&server), Stream::open(&server)];
    for n in 1..=3 {
        let mut silent: VecDeque<_> = (0..2).map(|_| server.connect()).collect();
        for _ in 0..50 {
            silent.push_back(server.connect());
            ends(&mut silent.pop_front().expect("silent"));
        }
        server.board.publish(Snapshot { at_ms: n, ..Snapshot::default() });
        for stream in &mut streams {
            while stream.event()["snapshot"]["at_ms"] != n {}
        }
    }
    // One that has ended is a connection like any other.
    drop(streams);
    assert_eq!(server.get("/healthz").status, 200);
    server.stop();
}

#[test]
fn a_request_that_does_not_come_to_an_end_is_dropped() {
    let server = Server::within(Bounds { head: SHORT, ..UNBOUNDED });
    let mut idle = server.answered(b"");
    ends(&mut server.connect());
    ends(&mut server.connect_and_send(HALF_A_REQUEST));
    drip(&mut server.connect(), b"x");
    drip(&mut server.connect_and_send(b"GET / HTTP/1.1\r\nx: "), b"x");
    ends(&mut server.answered(HALF_A_REQUEST));
    drip(&mut server.answered(b""), b"GET");
    let mut slow = server.answered(b"");
    slow.write_all(HALF_A_REQUEST).expect("it may be idle");
    ends(&mut slow);
    // One that has sent nothing of a next request has all the time of `idle`.
    idle.write_all(REQUEST).expect("it may be idle");
    assert!(is_answered(&mut idle));
    server.stop();
}

#[test]
fn a_connection_that_is_not_used_again_is_dropped() {
    let server = Server::within(Bounds { idle: SHORT, ..UNBOUNDED });
    let mut first = server.connect();
    ends(&mut server.answered(b""));
    let mut in_two = server.connect_and_send(&REQUEST[..REQUEST.len() - 1]);
    ends(&mut server.answered(b""));
    in_two.write_all(b"\n").expect("a first request is not idle");
    assert!(is_answered(&mut in_two));
    ends(&mut in_two);
    first.write_all(REQUEST).expect("a first request is not idle");
    assert!(is_answered(&mut first));
    server.stop();
}

fn publish_many_windows(server: &Server) {
    let windows = (0..360).map(|n| Arc::new(window(n * 10_000, 1)));
    server.board.publish(Snapshot {
        recent_windows: Arc::new(windows.rev().collect()),
        ..Snapshot::default()
    });
}

#[test]
fn a_peer_that_takes_nothing_of_its_answer_is_dropped() {
    let server = Server::within(Bounds { write: SHORT, ..UNBOUNDED });
    publish_many_windows(&server);
    // Many times what the kernel holds on both sides, and more than the server reads at once.
    let request = b"GET /api/v1/windows?limit=380 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let stream = server.connect_and_send(&request.repeat(500));
    let deadline = Instant::now() + PATIENCE;
    // What the server has not read turns its end into a reset, which is seen without a read.
    while stream.take_error().expect("a socket option").is_none() {
        assert!(Instant::now() < deadline, "it may wait for ever");
        thread::sleep(SHORT / 10);
    }
    server.stop();
}
