//! What tests and tools share: processes, brokers, ports and the judge of a run.
//!
//! Used by the tests against a real broker and by `cargo xtask`. Its functions panic with the
//! reason and the end of the log, as tests want it; a tool shows that as its error.

#![allow(missing_docs, reason = "the names say it; what they do not say is documented")]

pub mod broker;
pub mod browser;
pub mod http;
pub mod instance;
pub mod interrupt;
pub mod ports;
pub mod process;
pub mod programs;
pub mod scenario;
pub mod served;
pub mod usage;
pub mod wait;

use std::time::Duration;

pub use broker::KafkaLocal;
pub use browser::Browser;
pub use http::{get, metric};
pub use instance::Instance;
pub use ports::free_port;
pub use process::{Process, text};
pub use scenario::{Scenario, WITHOUT_TOPICS, brokers};
pub use served::Served;
pub use wait::until;

/// Longest wait for anything that should happen soon. It is generous, because the broker shares the
/// machine.
pub const SOON: Duration = Duration::from_mins(2);
