//! A simulated Kafka: brokers, clients and a clock in one thread, a function of a seed.
//!
//! In:  what processes ask through the traits of `client`, what a scheduler breaks, time.
//! Out: what librdkafka and brokers of Kafka 4 would answer.
//! Holds: nothing blocks and nothing runs by itself: everything happens while time passes, and time
//! passes in `SimKafka::pass` and inside of calls that wait for an answer.
//!
//! Not here: sequence numbers (a batch is written once or not at all), replicas that lag behind
//! their leader, the cleaner's hold on tombstones, ACLs, the cooperative group protocols. A record
//! that a broker refuses leaves no gap behind, so the transaction after it works.
//!
//! `log`, `topics`, `transactions`, `group` and `offsets` are the brokers' state; `membership`,
//! `reading`, `outbox` and `producing` that of the clients; `agenda` is what happens later, which
//! `cluster` carries out by `delivering`, `ending` and `joining`.

mod admin;
mod agenda;
mod calls;
mod client;
mod clock;
mod cluster;
mod code;
mod committer;
mod consumer;
mod consuming;
mod delivering;
mod ending;
mod faults;
mod group;
mod joining;
mod log;
mod membership;
mod offsets;
mod outbox;
mod process;
mod producer;
mod producing;
mod random;
mod reading;
mod sim;
mod topics;
mod transactions;

pub(crate) use client::SimClient;
pub(crate) use cluster::Cluster;
pub(crate) use faults::Faults;
pub(crate) use process::Link;
pub(crate) use random::Random;
pub(crate) use sim::SimKafka;
