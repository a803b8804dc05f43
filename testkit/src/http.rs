//! What a running logintide answers over HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{Process, SOON};

/// Body of an HTTP answer; `None` while nobody listens.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// Value of an unlabelled metric.
pub fn metric(port: u16, name: &str) -> Option<f64> {
    let body = get(port, "/metrics")?;
    let line = body.lines().find(|line| line.split(' ').next() == Some(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Waits until a metric fulfils a condition; returns how long that took.
pub fn wait_for_metric(
    process: &Process,
    port: u16,
    name: &str,
    reached: impl Fn(f64) -> bool,
) -> Duration {
    let began = Instant::now();
    loop {
        let value = metric(port, name);
        if value.is_some_and(&reached) {
            return began.elapsed();
        }
        assert!(began.elapsed() < SOON, "{name} stays at {value:?}\n{}", process.tail());
        crate::interrupt::check();
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the process has lived so much longer, by the points of its own history: one a
/// second, however little of the machine it gets.
pub fn wait_its_own_seconds(process: &Process, port: u16, seconds: usize) {
    let newest = || {
        let history: serde_json::Value =
            serde_json::from_str(&get(port, "/api/v1/history")?).ok()?;
        history["points"].as_array()?.last()?["at_ms"].as_i64()
    };
    let (mut last, mut passed) = (newest(), 0);
    let deadline = Instant::now() + SOON;
    while passed < seconds {
        let now = newest();
        passed += usize::from(now > last);
        last = now;
        assert!(Instant::now() < deadline, "{passed} of {seconds} points\n{}", process.tail());
        crate::interrupt::check();
        std::thread::sleep(Duration::from_millis(100));
    }
}
