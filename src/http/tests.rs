use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::*;
use crate::metrics::{self, Metric, Phase, ThreadAlive};

/// Longest wait of a test for an answer; only reached when the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    health: Arc<Health>,
    alive: Option<ThreadAlive>,
    stopper: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), RunError>>,
}

impl Server {
    fn start() -> Self {
        let health = Health::new(1);
        let alive = Some(health.thread_started());
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let context = HttpContext {
            health: Arc::clone(&health),
            metrics: metrics::install(),
            board: Board::new(),
        };
        let (stopper, stop) = oneshot::channel();
        let thread = thread::spawn(move || serve(listener, context, stop));
        Self { address, health, alive, stopper, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream
    }

    /// Status, headers and body of one request.
    fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut stream = self.connect();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status"), head.to_lowercase(), body.to_owned())
    }

    fn stop(self) {
        self.stopper.send(()).expect("serves");
        self.thread.join().expect("no panic").expect("served");
    }
}

#[test]
fn metrics_are_served_as_prometheus_text() {
    let server = Server::start();
    metrics::add(Metric::BytesIn, 3);
    let (status, head, body) = server.ask("GET", "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\nlogintide_bytes_in_total "), "{body}");
    assert!(body.contains("# TYPE logintide_healthy gauge"), "{body}");
    server.stop();
}

#[test]
fn health_is_200_until_a_thread_dies_then_503() {
    let mut server = Server::start();
    server.health.set_phase(Phase::Running);
    server.health.set_assigned(2);
    let (status, head, body) = server.ask("GET", "/healthz");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["ready"], true);
    assert_eq!(body["reason"], "running with 2 partitions");

    drop(server.alive.take());
    let (status, _, body) = server.ask("GET", "/healthz");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &body["healthy"]), (503, &serde_json::Value::Bool(false)));
    assert_eq!(body["reason"], "a thread died; the process is stopping");
    server.stop();
}

#[test]
fn other_paths_and_methods_are_refused_in_json() {
    let server = Server::start();
    for (method, path, expected) in
        [("GET", "/", 404), ("GET", "/healthz/x", 404), ("POST", "/metrics", 405)]
    {
        let (status, _, body) = server.ask(method, path);
        assert_eq!(status, expected, "{method} {path}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["paths"][1], "/healthz");
    }
    server.stop();
}

#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let server = Server::start();
    let mut silent = server.connect();
    let mut half_sent = server.connect();
    half_sent.write_all(b"GET /metrics HT").expect("sent");
    // Answered, so both connections before it were accepted.
    assert_eq!(server.ask("GET", "/healthz").0, 200);
    server.stop();
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).unwrap_or(0), 0);
}

#[test]
fn dropping_the_stopper_stops() {
    let Server { stopper, thread, .. } = Server::start();
    drop(stopper);
    thread.join().expect("no panic").expect("served");
}

#[test]
fn connections_beyond_the_bound_wait_for_a_place() {
    let server = Server::start();
    let mut open: Vec<TcpStream> =
        (0..limits::HTTP_CONNECTIONS).map(|_| server.connect()).collect();
    let mut waiting = server.connect();
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    // The last accepted one answers; the one beyond the bound has had its turn and got none.
    let last = open.last_mut().expect("the bound is not 0");
    last.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut answer = [0; 12];
    last.read_exact(&mut answer).expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 200");
    waiting.set_nonblocking(true).expect("a socket option");
    let early = waiting.read(&mut answer).expect_err("not accepted yet");
    assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
    waiting.set_nonblocking(false).expect("a socket option");
    open.truncate(limits::HTTP_CONNECTIONS - 1);
    waiting.read_exact(&mut answer).expect("answered once a place is free");
    assert_eq!(&answer, b"HTTP/1.1 200");
    server.stop();
}

#[test]
fn a_taken_port_is_refused_with_setting_and_remedy() {
    let first = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = first.local_addr().expect("is bound");
    let error = bind(address).expect_err("taken");
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        error.to_string(),
        format!("--http {address}: another process has this port; choose another, or --http off")
    );
}
