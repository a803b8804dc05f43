//! Who of the group reads what, and which partitions nobody reads. Pure.
//!
//! In:  the view. Out: the instances, for people.
//! Holds: it is made of committed records alone, and of their times only in comparison with each
//! other: whoever has read the same sees the same, and a group that is silent as a whole, which
//! writes nothing, is not at fault.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{PartitionView, View};
use crate::{
    ids::{InstanceId, PartitionId},
    journal::{Identity, InstanceRecord},
    limits,
    status::{AboutInstance, Cluster, ClusterInstance, ClusterPartition, ClusterRun},
};

/// Puts together who has written what. `at_ms`: now.
pub(crate) fn cluster(view: &View, identity: &Identity, at_ms: i64) -> Cluster {
    let unowned = unowned(view, identity.began_ms);
    let merger = view.merger().map(|merger| (&merger.head, &merger.written));
    let has_merger = !unowned.contains(&PartitionId(0));
    let writer = merger.filter(|_| has_merger).map(|(_, written)| &written.writer);
    let mut owners = BTreeMap::<&InstanceId, Vec<(PartitionId, &PartitionView)>>::new();
    for (p, partition) in view.partitions() {
        owners.entry(&partition.written.writer).or_default().push((p, partition));
    }
    let instances = owners.into_iter().map(|(name, owned)| ClusterInstance {
        merges: writer == Some(name),
        silent: owned.iter().all(|(p, _)| unowned.contains(p)),
        ..instance(view, name, &owned)
    });
    let instances: Vec<_> = instances.collect();
    Cluster {
        at_ms,
        group_id: identity.group_id.clone(),
        announced_partitions: merger.map_or(0, |(head, _)| head.partitions),
        merger: writer.map(InstanceId::to_string),
        run: merger
            .and_then(|(head, _)| head.run.as_ref())
            .map(|run| ClusterRun { number: run.number, done: run.done }),
        unowned_partitions: unowned.into_iter().map(|p| p.0).collect(),
        differences: differences(&instances),
        instances,
    }
}

fn instance(
    view: &View,
    name: &InstanceId,
    owned: &[(PartitionId, &PartitionView)],
) -> ClusterInstance {
    let written = || owned.iter().map(|(_, partition)| &partition.written);
    let partition = |(p, partition): &(PartitionId, &PartitionView)| ClusterPartition {
        partition: p.0,
        next_offset: partition.head.state.next_offset.0,
        watermark_ms: partition.head.state.watermark.map(|time| time.0),
        lag_records: None,
        written_at_ms: partition.written.at_ms,
    };
    ClusterInstance {
        instance_id: name.to_string(),
        epoch: written().map(|written| written.epoch.0).max().unwrap_or_default(),
        written_at_ms: written().map(|written| written.at_ms).max().unwrap_or_default(),
        merges: false,
        silent: false,
        about: view.instance(name).map(about),
        partitions: owned.iter().map(partition).collect(),
    }
}

fn about(said: &InstanceRecord) -> AboutInstance {
    AboutInstance {
        version: said.version.clone(),
        started_at_ms: said.started_ms,
        http: said.http.clone(),
        delivery: if said.exactly_once { "exactly-once" } else { "at-least-once" }.to_owned(),
        window_ms: said.rules.size_ms,
        grace_ms: said.rules.grace_ms,
        allowed_lateness_ms: said.rules.allowed_lateness_ms,
        commit_interval_ms: said.commit_interval_ms,
        idle_timeout_ms: said.idle_timeout_ms,
        session_timeout_ms: said.session_timeout_ms,
    }
}

/// Since when an instance has written without a pause, and until when.
#[derive(Debug, Clone, Copy)]
struct Writing {
    since_ms: i64,
    until_ms: i64,
}

impl Writing {
    /// How long it has gone on to write after this moment.
    fn after_ms(self, moment_ms: i64) -> i64 {
        self.until_ms.saturating_sub(self.since_ms.max(moment_ms))
    }
}

/// Partitions that nobody who writes owns. An owner writes a record of each of its partitions in
/// every epoch, and while a window is open it commits an epoch in every commit interval. So a
/// partition has no such owner when, for longer than some epochs last,
/// * its last writer has gone on to write, but not of it: it was given up, and nobody took it; or
/// * a window is open, and another has gone on to write: the last writer is gone or stands still;
/// * or it was announced and nobody has ever written of it.
fn unowned(view: &View, began_ms: i64) -> BTreeSet<PartitionId> {
    let mut writing = BTreeMap::<&InstanceId, Writing>::new();
    for (_, PartitionView { written, .. }) in view.partitions() {
        let (since_ms, until_ms) = (written.since_ms, written.at_ms);
        let of = writing.entry(&written.writer).or_insert(Writing { since_ms, until_ms });
        of.until_ms = of.until_ms.max(until_ms);
        of.since_ms = of.since_ms.min(since_ms);
    }
    let patience_ms = patience_ms(view, writing.keys().copied());
    let facts = view.facts();
    let gone_on_ms = |p: &PartitionId| match view.partition(*p).map(|view| &view.written) {
        None => writing.values().map(|of| of.until_ms.saturating_sub(began_ms)).max(),
        Some(written) if facts.open_windows > 0 => {
            writing.values().map(|of| of.after_ms(written.at_ms)).max()
        }
        Some(written) => writing.get(&written.writer).map(|of| of.after_ms(written.at_ms)),
    };
    let announced = (0..facts.announced as i32).map(PartitionId);
    let known: BTreeSet<_> = announced.chain(view.partitions().map(|(p, _)| p)).collect();
    known.into_iter().filter(|p| gone_on_ms(p).is_some_and(|ms| ms > patience_ms)).collect()
}

/// The longest patience that one of these asks for. One that has not said how long its epochs last
/// asks for that of the longest commit interval.
fn patience_ms<'a>(view: &View, writers: impl Iterator<Item = &'a InstanceId>) -> i64 {
    let longest = limits::COMMIT_INTERVAL_RANGE.1.as_millis() as i64
        * i64::from(limits::EPOCH_INTERVALS_MOST * limits::SILENT_EPOCHS);
    let of = |name| view.instance(name).map_or(longest, InstanceRecord::patience_ms);
    writers.map(of).max().unwrap_or(longest).min(longest)
}

/// What must be the same, and is not, among those that write.
fn differences(instances: &[ClusterInstance]) -> Vec<String> {
    let writing = instances.iter().filter(|instance| !instance.silent);
    let mut said = BTreeMap::<_, BTreeSet<_>>::new();
    for (place, (name, value)) in writing
        .filter_map(|instance| instance.about.as_ref())
        .flat_map(|about| about.common().into_iter().enumerate())
    {
        said.entry((place, name)).or_default().insert(value);
    }
    let differ = said.into_iter().filter(|(_, values)| values.len() > 1);
    differ.map(|((_, name), _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests;
