//! A simulated Kafka, on which the program's own parts run in one thread.

mod conformance;
mod follower;
mod histories;
mod kafka;
mod program;
#[path = "../conformance/mod.rs"]
mod script;
mod semantics;
mod stage;
