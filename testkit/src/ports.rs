//! Ports on 127.0.0.1 that nobody listens on.

use std::{
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU16, Ordering},
};

/// All ports lie below the range that outgoing connections take theirs from (from 32 768 on), or
/// one that was free is taken before its server starts, or while its broker is stopped. Brokers'
/// ports from here on, their controllers' after them, then everybody else's.
const FIRST_PORT: u16 = 11_000;
const PORTS: u16 = 9_000;
/// Ports that one broker or cluster may use.
const PORTS_STEP: u16 = 10;
/// Distance of a controller's port from its broker's.
pub const TO_CONTROLLER: u16 = 10_000;
/// Ports for other servers.
const OTHERS: std::ops::Range<u16> = 30_100..32_700;

/// Whether something accepts connections there.
pub fn is_taken(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Where this process begins to look among so many: another one that runs beside it begins
/// elsewhere.
fn beginning(places: u16) -> u16 {
    (u64::from(std::process::id()) * 71 % u64::from(places)) as u16
}

/// A port that was free a moment ago, each time another one.
pub fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let places = OTHERS.end - OTHERS.start;
    for _ in 0..places {
        let step = TRIED.fetch_add(1, Ordering::Relaxed) % places;
        let port = OTHERS.start + (beginning(places) + step) % places;
        if is_free(port) {
            return port;
        }
    }
    panic!("no free port in {OTHERS:?}");
}

/// The first of ten ports for brokers that nobody listens on, nor on their controllers'.
pub fn free_broker_ports() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let clusters = PORTS / PORTS_STEP;
    for _ in 0..clusters {
        let step = TRIED.fetch_add(1, Ordering::Relaxed) % clusters;
        let port = FIRST_PORT + (beginning(clusters) + step) % clusters * PORTS_STEP;
        if (port..port + PORTS_STEP).all(|port| is_free(port) && is_free(port + TO_CONTROLLER)) {
            return port;
        }
    }
    panic!("no free ports from {FIRST_PORT} on");
}
