//! librdkafka's log lines and client-level errors, on their way to `tracing`.
//!
//! In: lines and errors, served with the other events of a client by the thread that owns it.
//! Out: `tracing` events with the target `librdkafka`; the last error, for timeout errors.
//! Holds: while brokers are away there is one line per `REPEATED_LOG_INTERVAL` and client, which
//! says how many it stands for.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rdkafka::ClientContext;
use tracing::{debug, error, info, warn};

use crate::limits::REPEATED_LOG_INTERVAL;

/// Role of a client that lives for a question about the brokers: who asks says what comes of it.
pub(in crate::kafka) const QUESTION: &str = "question";

/// What a client's events need to know about it. One per client.
#[derive(Debug)]
pub(in crate::kafka) struct Context {
    /// "consumer", "producer" or "admin": the first word of its lines.
    role: &'static str,
    last_errors: Mutex<LastErrors>,
    /// Whether librdkafka has logged that the open transaction failed.
    transaction_failed: AtomicBool,
}

/// rdkafka's own event loop is not used, so nothing is overridden here.
impl ClientContext for Context {}

#[derive(Debug, Default)]
struct LastErrors {
    last: Option<(Instant, String)>,
    /// The last one with each broker at the address that it advertises, by the broker's number.
    with: BTreeMap<i32, String>,
    throttle: Throttle,
}

/// Lets one line through per interval and counts the others.
#[derive(Debug, Default)]
struct Throttle {
    last_line: Option<Instant>,
    held_back: u64,
}

impl Throttle {
    /// The number of lines held back since the last one, if this one may be written.
    fn admit(&mut self, now: Instant, interval: Duration) -> Option<u64> {
        if self.last_line.is_some_and(|last| now.duration_since(last) < interval) {
            self.held_back += 1;
            return None;
        }
        self.last_line = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// Facilities of librdkafka's lines about what it tries again by itself. They come in crowds: the
/// first ones while a broker is away, the last while another producer's transaction is ended.
const RETRY_FACILITIES: [&str; 5] = [FAIL, "ERROR", "REQTMOUT", "BRKMAIN", "GETPID"];
/// Facility of a connection that has failed.
const FAIL: &str = "FAIL";
/// Facility of the line about a transaction that failed, in a call or behind the calls' back.
const TRANSACTION_FACILITY: &str = "TXNERR";
/// End of the line that follows the one with the reason.
const SUMMARY: &str = "brokers are down";
/// syslog level of an error; larger numbers are less severe.
const SYSLOG_ERROR: i32 = 3;
const SYSLOG_WARNING: i32 = 4;
const SYSLOG_INFO: i32 = 6;

impl Context {
    pub(in crate::kafka) fn new(role: &'static str) -> Self {
        Self {
            role,
            last_errors: Mutex::new(LastErrors::default()),
            transaction_failed: AtomicBool::new(false),
        }
    }

    /// One log line of librdkafka. `level` is syslog's.
    pub(in crate::kafka) fn line(&self, level: i32, facility: &str, text: &str) {
        let role = self.role;
        if facility == TRANSACTION_FACILITY {
            self.transaction_failed.store(true, Relaxed);
        }
        if facility == FAIL {
            self.remember(without_thread_name(text));
        }
        if level <= SYSLOG_WARNING && RETRY_FACILITIES.contains(&facility) {
            self.broker_away(text);
        } else if facility == "CONFWARN" {
            // One list of -X properties serves all clients; each warns of the others' properties.
            debug!(target: "librdkafka", "{role}: {text}");
        } else if level <= SYSLOG_ERROR {
            error!(target: "librdkafka", "{role}: {facility}: {text}");
        } else if level <= SYSLOG_WARNING {
            warn!(target: "librdkafka", "{role}: {facility}: {text}");
        } else if level <= SYSLOG_INFO {
            info!(target: "librdkafka", "{role}: {facility}: {text}");
        } else {
            debug!(target: "librdkafka", "{role}: {facility}: {text}");
        }
    }

    /// A connection has failed. A broker that only closes it makes a line of no severity.
    fn remember(&self, text: &str) {
        if let Some((broker, text)) = of_broker(text) {
            let mut errors = self.last_errors.lock().unwrap_or_else(PoisonError::into_inner);
            errors.with.insert(broker, text.to_owned());
        }
    }

    /// A broker cannot be reached, or refuses for now; librdkafka keeps trying by itself.
    pub(in crate::kafka) fn broker_away(&self, text: &str) {
        let now = Instant::now();
        let text = without_thread_name(text).trim_end_matches(": retrying");
        let admitted = {
            let mut errors = self.last_errors.lock().unwrap_or_else(PoisonError::into_inner);
            if !text.ends_with(SUMMARY) {
                errors.last = Some((now, text.to_owned()));
            }
            errors.throttle.admit(now, REPEATED_LOG_INTERVAL)
        };
        let role = self.role;
        match admitted {
            Some(_) if role == QUESTION => debug!(target: "librdkafka", "{role}: {text}"),
            Some(0) => warn!(target: "librdkafka", "{role}: {text}; trying again"),
            Some(n) => {
                warn!(target: "librdkafka", "{role}: {text}; trying again ({n} lines held back)");
            }
            None => {}
        }
    }

    /// Whether a line has said since the last call that the open transaction failed.
    pub(in crate::kafka) fn take_transaction_failed(&self) -> bool {
        self.transaction_failed.load(Relaxed) && self.transaction_failed.swap(false, Relaxed)
    }

    /// Text of the last error with a broker, if it was within `window`; empty otherwise.
    pub(in crate::kafka) fn last_error_within(&self, window: Duration) -> String {
        let errors = self.last_errors.lock().unwrap_or_else(PoisonError::into_inner);
        match &errors.last {
            Some((at, text)) if at.elapsed() <= window => text.clone(),
            _ => String::new(),
        }
    }

    /// Text of the last error with the broker of this number.
    pub(in crate::kafka) fn last_error_with(&self, broker: i32) -> Option<String> {
        let errors = self.last_errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.with.get(&broker).cloned()
    }
}

/// Which broker librdkafka's line is about, and what happened: lines begin with `host:port/7: `,
/// and with `host:port/bootstrap: ` where it is not known which broker that is.
fn of_broker(line: &str) -> Option<(i32, &str)> {
    let (name, text) = line.split_once(": ")?;
    let (_, broker) = name.rsplit_once('/')?;
    // The end says how long the connection was in which state.
    let text = text.rsplit_once(" (after ").map_or(text, |(text, _)| text);
    Some((broker.parse().ok()?, text))
}

/// librdkafka begins its lines with `[thrd:name]: `.
fn without_thread_name(text: &str) -> &str {
    match text.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")) {
        Some((_, rest)) => rest,
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_interval_that_says_how_many_it_stands_for() {
        let interval = Duration::from_secs(5);
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit(start, interval), Some(0));
        for ms in 1..=300 {
            assert_eq!(throttle.admit(start + Duration::from_millis(ms), interval), None);
        }
        assert_eq!(throttle.admit(start + interval, interval), Some(300));
        assert_eq!(throttle.admit(start + interval * 2, interval), Some(0));
    }

    #[test]
    fn an_error_is_remembered_without_librdkafkas_thread_name() {
        let context = Context::new("consumer");
        assert_eq!(context.last_error_within(Duration::MAX), "");
        context.line(SYSLOG_ERROR, "FAIL", "[thrd:h:1/bootstrap]: h:1: Connection refused");
        context.line(SYSLOG_ERROR, "ERROR", "[thrd:h:1/bootstrap]: 1/1 brokers are down");
        assert_eq!(context.last_error_within(Duration::MAX), "h:1: Connection refused");
        assert_eq!(context.last_error_within(Duration::ZERO), "");
    }

    #[test]
    fn the_last_error_with_each_broker_is_remembered() {
        let context = Context::new("admin");
        for line in [
            "[thrd:a:1/bootstrap]: a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: refused",
            "[thrd:ssl://b:2/3]: ssl://b:2/3: Failed to resolve 'b:2': unknown (after 2ms in state X)",
            "GroupCoordinator: c:3: Disconnected",
        ] {
            context.line(SYSLOG_ERROR, "FAIL", line);
        }
        context.line(SYSLOG_INFO, "FAIL", "[thrd:x]: d:4/4: Disconnected");
        assert_eq!(context.last_error_with(4).as_deref(), Some("Disconnected"));
        let text = context.last_error_with(3);
        assert_eq!(text.as_deref(), Some("Failed to resolve 'b:2': unknown"));
        assert_eq!(context.last_error_with(1), None);
    }
}
