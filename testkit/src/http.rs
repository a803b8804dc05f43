//! What a running logintide answers over HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::SOON;

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
