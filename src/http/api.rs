//! The API's answers about the whole pipeline.
//!
//! On the http thread. Times are milliseconds since the Unix epoch. All counts cover committed
//! epochs only; the snapshot says which are the group's, and which this process's.

use std::collections::BTreeMap;

use axum::{Json, extract::State, response::IntoResponse};
use serde::Serialize;

use super::{About, App, HttpContext};
use crate::{
    metrics::HealthReport,
    status::{HistoryPoint, Snapshot, Totals},
};

/// The answer of `/api/v1/status`: program, health and counts.
#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    about: &'a About,
    health: HealthReport,
    snapshot: &'a Snapshot,
}

impl<'a> Status<'a> {
    pub(super) fn new(context: &'a HttpContext, snapshot: &'a Snapshot) -> Self {
        Self { about: &context.about, health: context.health.report(), snapshot }
    }
}

pub(super) async fn status(State(app): State<App>) -> impl IntoResponse {
    let snapshot = app.context.board.newest();
    Json(Status::new(&app.context, &snapshot)).into_response()
}

/// The answer of `/api/v1/cluster`; one without instances before the journal was read.
pub(super) async fn cluster(State(app): State<App>) -> impl IntoResponse {
    let (group, snapshot) = (app.context.board.group(), app.context.board.newest());
    let mut cluster = group.cluster.clone().unwrap_or_default();
    let partitions = snapshot.partitions.iter();
    let lags: BTreeMap<_, _> = partitions.map(|of| (of.partition, of.lag_records)).collect();
    for partition in cluster.instances.iter_mut().flat_map(|instance| &mut instance.partitions) {
        partition.lag_records = lags.get(&partition.partition).copied().flatten();
    }
    Json(cluster)
}

/// Records in, and their outcomes.
#[derive(Debug, Serialize)]
struct Account {
    #[serde(rename = "in")]
    events_in: u64,
    processed: u64,
    dead_lettered: u64,
    tombstones: u64,
    /// `in` minus the others; anything but 0 means lost or doubled records.
    difference: i64,
}

impl From<Totals> for Account {
    fn from(totals: Totals) -> Self {
        let Totals { events_in, processed, dead_lettered, tombstones, .. } = totals;
        let difference = totals.difference();
        Self { events_in, processed, dead_lettered, tombstones, difference }
    }
}

#[derive(Debug, Serialize)]
struct PartitionAccount {
    partition: i32,
    #[serde(flatten)]
    account: Account,
}

/// The answer of `/api/v1/audit`.
#[derive(Debug, Serialize)]
struct AuditAnswer {
    at_ms: i64,
    /// When the group's journal began: everything is counted from there.
    since_ms: Option<i64>,
    /// Whether every difference is 0.
    balanced: bool,
    /// All partitions together.
    total: Account,
    /// Every input partition of the group.
    partitions: Vec<PartitionAccount>,
}

pub(super) async fn audit(State(app): State<App>) -> impl IntoResponse {
    let snapshot = app.context.board.newest();
    let total = Account::from(snapshot.totals);
    let accounts = snapshot.partitions.iter().map(|partition| PartitionAccount {
        partition: partition.partition,
        account: Account::from(partition.totals),
    });
    let partitions: Vec<_> = accounts.collect();
    let balanced = total.difference == 0 && partitions.iter().all(|p| p.account.difference == 0);
    let (at_ms, since_ms) = (snapshot.at_ms, snapshot.since_ms);
    Json(AuditAnswer { at_ms, since_ms, balanced, total, partitions })
}

#[derive(Debug, Serialize)]
struct HistoryAnswer<'a> {
    at_ms: i64,
    started_at_ms: i64,
    /// One point a second, oldest first.
    points: &'a [HistoryPoint],
}

pub(super) async fn history(State(app): State<App>) -> impl IntoResponse {
    let snapshot = app.context.board.newest();
    let (at_ms, started_at_ms) = (snapshot.at_ms, snapshot.started_at_ms);
    Json(HistoryAnswer { at_ms, started_at_ms, points: &snapshot.history }).into_response()
}
