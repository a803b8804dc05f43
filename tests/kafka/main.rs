//! Tests against a real Kafka broker, named by `KAFKA_BROKERS`. `scripts/test` starts one.
//!
//! Every test is `#[ignore]`d, and chosen by the path of its module:
//! - `faults::…`, one file per thing that breaks: tests of more than about 20 s. Only
//!   `scripts/test --faults` runs them; otherwise its summary names them as left out.
//! - `outage::…`: quick, but with brokers of their own (`scripts/kafka-local`).
//! - `dashboard::…`: in a browser; left out, by name, where there is no chromedriver.
//! - all others: the ordinary suite.

mod backfill;
mod batches;
mod bounded;
mod check;
mod client;
mod codecs;
mod committed;
mod conformance;
mod crash;
mod dashboard;
mod departed;
mod exactness;
mod faults;
mod group;
mod headers;
mod hostile;
mod instances;
mod journal_topic;
mod leaving;
mod many;
mod members;
mod mistakes;
mod open_transactions;
mod operation;
mod outage;
mod own_broker;
mod proxy;
mod quiet;
mod raw_member;
mod recovery;
mod redrive;
mod security;
mod settings;
mod since;
mod state;
mod statistics;
mod streams;
mod topic_admin;
mod topic_changes;
mod transactions;
mod users;
mod wire;
mod work;
