//! logintide reads login events from Kafka, enriches each, counts them in event-time windows, and
//! never loses or double-counts one.
//!
//! Modules in the order of the data's flow: `source` reads and routes, `worker` parses, enriches
//! and counts, `sink` produces and commits; `pipeline` starts and joins their threads. They are
//! built from `kafka`, `state`, `window` and `event`, and send each other the messages of `epoch`
//! and `batch`.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod batch;
pub mod budget;
pub(crate) mod check;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod control;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub mod epoch;
pub mod error;
pub mod event;
pub mod failpoint;
pub mod headers;
pub(crate) mod http;
pub mod ids;
pub mod journal;
pub mod kafka;
pub mod latency;
pub mod limits;
pub mod metrics;
pub(crate) mod output;
pub(crate) mod pipeline;
pub mod plain;
pub(crate) mod redrive;
pub mod replica;
pub mod rows;
pub(crate) mod settings;
pub(crate) mod signals;
pub mod sink;
pub mod source;
pub mod state;
pub(crate) mod state_command;
pub mod status;
pub mod topics;
pub mod users;
pub mod window;
pub mod worker;
