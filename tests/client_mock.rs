//! The Kafka client against librdkafka's mock cluster: what needs no real broker.

#[path = "client_mock/consuming.rs"]
mod consuming;
#[path = "client_mock/group.rs"]
mod group;
#[path = "client_mock/headers.rs"]
mod headers;
#[path = "client_mock/producing.rs"]
mod producing;
#[path = "client_mock/scans.rs"]
mod scans;
#[path = "client_mock/support.rs"]
mod support;
#[path = "client_mock/transactions.rs"]
mod transactions;
