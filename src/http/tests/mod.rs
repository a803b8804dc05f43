//! Every route of a real server on a free port, spoken to over plain sockets.

mod api;
mod bounds;
mod guard;
mod peers;

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::*;
use crate::{
    config::parse_http_token,
    metrics::{self, Metric, PipelinePhase, ThreadAlive},
};

/// Longest wait of a test for an answer; only reached when the test fails.
const PATIENCE: Duration = Duration::from_mins(2);

struct Server {
    address: SocketAddr,
    health: Arc<Health>,
    board: Arc<Board>,
    alive: Option<ThreadAlive>,
    stopper: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), RunError>>,
}

/// What a request got.
struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The error's text, once it is sure that it has all that an error has.
    fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        let body = self.json();
        assert!(body["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{body}");
        body["error"].as_str().expect("an error").to_owned()
    }
}

impl Server {
    fn start() -> Self {
        Self::start_with(None, (Ipv4Addr::LOCALHOST, 0).into())
    }

    fn start_with(token: Option<&str>, address: SocketAddr) -> Self {
        Self::start_within(Bounds::default(), token, address)
    }

    fn start_within(bounds: Bounds, token: Option<&str>, address: SocketAddr) -> Self {
        let health = Health::new(1);
        let alive = Some(health.thread_started());
        let listener = bind(address).expect("a free port");
        let port = listener.local_addr().expect("is bound").port();
        let board = Board::new();
        let context = HttpContext {
            health: Arc::clone(&health),
            metrics: metrics::install(),
            board: Arc::clone(&board),
            about: About { input_topic: "logins".to_owned(), ..About::default() },
            token: token.map(|token| parse_http_token(token).expect("a token")),
        };
        let (stopper, stop) = oneshot::channel();
        let thread = thread::spawn(move || serve_within(bounds, listener, context, stop));
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Self { address, health, board, alive, stopper, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream
    }

    /// The answer to one request.
    fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, "host: localhost\r\n")
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    /// With these header lines, and whatever follows them.
    fn ask_with(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = self.connect();
        let request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
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
    let Answer { status, head, body } = server.get("/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\nlogintide_bytes_in_total "), "{body}");
    assert!(body.contains("# TYPE logintide_healthy gauge"), "{body}");
    server.stop();
}

#[test]
fn health_is_200_until_a_thread_dies_then_503() {
    let mut server = Server::start();
    server.health.set_phase(PipelinePhase::Running);
    server.health.set_assigned(2);
    let answer = server.get("/healthz");
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["ready"], true);
    assert_eq!(body["reason"], "running with 2 partitions");

    drop(server.alive.take());
    let answer = server.get("/healthz");
    let body = answer.json();
    assert_eq!((answer.status, &body["healthy"]), (503, &serde_json::Value::Bool(false)));
    assert_eq!(body["reason"], "a thread died; the process is stopping");
    server.stop();
}

#[test]
fn ready_is_200_only_while_assigned_and_recovered() {
    let server = Server::start();
    let ready = || (server.get("/readyz").status, server.get("/healthz").status);
    assert_eq!(ready(), (503, 200), "before the first assignment");
    server.health.set_assigned(2);
    server.health.set_phase(PipelinePhase::Running);
    assert_eq!(ready(), (200, 200));
    server.health.set_phase(PipelinePhase::RollingBack);
    assert_eq!(ready(), (503, 200));
    assert_eq!(server.get("/readyz").json()["ready"], false);
    server.stop();
}

#[test]
fn other_paths_and_methods_are_refused_in_json() {
    let server = Server::start();
    for (method, path, expected) in [
        ("GET", "/index.html", 404),
        ("GET", "/healthz/x", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/api", 404),
        ("GET", "/api/v1/", 404),
        ("GET", "/api/v2/status", 404),
        ("GET", "/api/v1/windows/1/x", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/api/v1/windows/1", 405),
        ("PUT", "/", 405),
    ] {
        let answer = server.ask(method, path);
        answer.error(expected);
        let paths = answer.json()["paths"].clone();
        assert!(paths.as_array().expect("a list").contains(&"/api/v1/status".into()), "{paths}");
        let allowed = answer.head.contains("\r\nallow: get,head\r\n");
        assert_eq!(allowed, expected == 405, "{method} {path}: {}", answer.head);
    }
    let answer = server.ask("HEAD", "/api/v1/status");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    server.stop();
}

#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let server = Server::start();
    let mut silent = server.connect();
    let mut half_sent = server.connect();
    half_sent.write_all(b"GET /metrics HT").expect("sent");
    // Answered, so both connections before it were accepted.
    assert_eq!(server.get("/healthz").status, 200);
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
