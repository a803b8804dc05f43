//! Ports on 127.0.0.1 that nobody listens on.

use std::{
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU16, Ordering},
};

/// Ports for brokers lie between these: below the range that outgoing connections take theirs from,
/// or a stopped broker might not get its port back.
const FIRST_PORT: u16 = 21_000;
const PORTS: u16 = 9_000;
/// Ports that one broker or cluster may use.
const PORTS_STEP: u16 = 10;
/// Distance of a controller's port from its broker's.
pub const TO_CONTROLLER: u16 = 10_000;

/// Whether something accepts connections there.
pub fn is_taken(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// The first of ten ports for brokers that nobody listens on, nor on their controllers'.
pub fn free_broker_ports() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different places.
    let begin = (std::process::id() * 70 % u32::from(PORTS)) as u16;
    for _ in 0..PORTS / PORTS_STEP {
        let step = TRIED.fetch_add(1, Ordering::Relaxed) * PORTS_STEP;
        let port = FIRST_PORT + (begin + step) % PORTS;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (port..port + PORTS_STEP).all(|port| free(port) && free(port + TO_CONTROLLER)) {
            return port;
        }
    }
    panic!("no free ports from {FIRST_PORT} on");
}
