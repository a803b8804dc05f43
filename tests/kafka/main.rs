//! Tests against a real Kafka broker, named by `KAFKA_BROKERS`. `scripts/test` starts one.

mod backfill;
mod client;
mod codecs;
mod crash;
mod exactness;
mod hostile;
mod operation;
mod outage;
mod quiet;
mod settings;
mod support;
mod transactions;
