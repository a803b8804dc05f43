//! Transactions begin, take offsets and end: what coordinators do on requests and by themselves.

use std::time::Duration;

use super::{
    agenda::Event,
    cluster::Cluster,
    code::Code,
    group::{Claim, Group},
    log::TransactionNumber,
    offsets::Entries,
    transactions::{Decided, Identity, Part},
};

/// How often a marker is tried again whose partition nobody leads.
const MARKER_RETRY: Duration = Duration::from_millis(100);

/// Registers a transactional id; what an earlier producer left open is aborted first.
pub(super) fn register(
    cluster: &mut Cluster,
    id: &str,
    timeout: Duration,
) -> Result<Identity, Code> {
    cluster.transaction_coordinator()?;
    let now = cluster.now();
    let (answer, decided) = cluster.transactions.register(id, timeout, now);
    write_markers(cluster, decided);
    answer
}

/// Adds a part to a producer's transaction, which may begin by that.
pub(super) fn add(cluster: &mut Cluster, identity: &Identity, part: Part) -> Result<(), Code> {
    cluster.transaction_coordinator()?;
    let now = cluster.now();
    let (number, begins) = cluster.transactions.add(identity, part, now)?;
    if begins {
        let timeout = cluster.transactions.timeout_of(number).expect("it has just begun");
        let seen = cluster.random.between((Duration::ZERO, cluster.transaction_sweep));
        cluster.after(timeout + seen, Event::TimeOut { number });
    }
    Ok(())
}

/// Ends a producer's transaction.
pub(super) fn end(cluster: &mut Cluster, identity: &Identity, commit: bool) -> Result<(), Code> {
    cluster.transaction_coordinator()?;
    let decided = cluster.transactions.end(identity, commit)?;
    write_markers(cluster, decided);
    Ok(())
}

pub(super) fn time_out(cluster: &mut Cluster, number: TransactionNumber) {
    let decided = cluster.transactions.time_out(number);
    write_markers(cluster, decided);
}

fn write_markers(cluster: &mut Cluster, decided: Option<Decided>) {
    let Some(Decided { transactional_id, number, commit, parts }) = decided else { return };
    for part in parts {
        let delay = cluster.random.between(cluster.faults.marker_delay);
        let id = transactional_id.clone();
        cluster.after(delay, Event::Mark { id, number, commit, part });
    }
}

/// A marker arrives.
pub(super) fn mark(
    cluster: &mut Cluster,
    id: &str,
    number: TransactionNumber,
    commit: bool,
    part: Part,
) {
    let (now, now_ms) = (cluster.now(), cluster.now_ms());
    let is_late = match &part {
        // Nobody waits for a topic that is gone.
        Part::Partition(place) if cluster.topics.log(place).is_none() => false,
        Part::Partition(place) if !cluster.topics.is_led(place, now) => true,
        Part::Partition(place) => {
            let log = cluster.topics.log_mut(place).expect("it is there");
            log.end_transaction(number, commit, now_ms);
            false
        }
        Part::Group(_) if cluster.group_coordinator().is_err() => true,
        Part::Group(name) => {
            let group = cluster.groups.get_mut(name).expect("a group that has offsets");
            group.offsets.end_transaction(number, commit);
            false
        }
    };
    if is_late {
        let id = id.to_owned();
        cluster.after(MARKER_RETRY, Event::Mark { id, number, commit, part });
    } else {
        cluster.transactions.marked(id, number, &part);
    }
}

/// Makes offsets of a group part of a producer's transaction, which the group has joined.
pub(super) fn commit_offsets(
    cluster: &mut Cluster,
    identity: &Identity,
    group: &str,
    claim: &Claim,
    entries: Entries,
) -> Result<(), Code> {
    cluster.group_coordinator()?;
    let number = cluster.transactions.verify(identity, &Part::Group(group.to_owned()))?;
    let group = cluster.groups.entry(group.to_owned()).or_insert_with(Group::new);
    group.check_commit(claim, true)?;
    group.offsets.commit_in(number, entries);
    Ok(())
}
