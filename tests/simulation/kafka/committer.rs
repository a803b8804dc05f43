//! Commits through a consumer of the simulation.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    time::Duration,
};

use logintide::{
    client::OffsetCommitter,
    ids::{Offset, PartitionId},
    kafka::{CommitEntry, CommittedOffset, KafkaError},
};

use super::{
    admin::unanswered,
    client::SimMembership,
    cluster::Cluster,
    code::{self, ASSIGNMENT_LOST, UNSTABLE_OFFSET_COMMIT},
    group::{ConsumerId, Group},
    offsets::{Committed, Entries},
    process::ProcessId,
    topics::Place,
};

#[derive(Clone)]
pub(crate) struct SimCommitter {
    cluster: Rc<RefCell<Cluster>>,
    process: ProcessId,
    /// The consumer, while it is open.
    consumer: Rc<Cell<Option<ConsumerId>>>,
}

impl fmt::Debug for SimCommitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimCommitter").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

/// Offsets of one topic.
pub(super) fn entries_of(topic: &str, entries: &[CommitEntry]) -> Entries {
    let entry = |(partition, offset, metadata): &CommitEntry| {
        let committed = Committed { offset: offset.0, metadata: metadata.clone() };
        (Place::new(topic, partition.0), committed)
    };
    entries.iter().map(entry).collect()
}

/// What a consumer's group has committed.
pub(super) fn committed(
    cluster: &mut Cluster,
    process: ProcessId,
    consumer: ConsumerId,
    partitions: &[PartitionId],
    timeout: Duration,
) -> Result<Vec<CommittedOffset>, KafkaError> {
    const OPERATION: &str = "read committed offsets";
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let Some(consuming) = cluster.consumers.get(&consumer) else {
        return Err(code::error(OPERATION, ASSIGNMENT_LOST));
    };
    let (group, topic) = (consuming.group.clone(), consuming.reading.topic().to_owned());
    let answer = cluster.ask(process, timeout, |cluster| {
        cluster.group_coordinator()?;
        let forgets = cluster.random.one_in(cluster.faults.forgotten_offsets_one_in);
        let offsets = cluster.groups.get(&group).filter(|_| !forgets).map(|it| &it.offsets);
        let known = |partition: &PartitionId| {
            let place = Place::new(&topic, partition.0);
            if offsets.is_some_and(|offsets| offsets.is_unstable(&place)) {
                return Err(UNSTABLE_OFFSET_COMMIT);
            }
            let found = offsets.and_then(|offsets| offsets.get(&place));
            Ok(CommittedOffset {
                partition: *partition,
                offset: found.map(|found| Offset(found.offset)),
                metadata: found.map_or_else(String::new, |found| found.metadata.clone()),
            })
        };
        partitions.iter().map(known).collect()
    });
    answer.map_err(|failed| unanswered(OPERATION, timeout, failed))
}

impl SimCommitter {
    pub(super) fn new(
        cluster: Rc<RefCell<Cluster>>,
        process: ProcessId,
        consumer: Rc<Cell<Option<ConsumerId>>>,
    ) -> Self {
        Self { cluster, process, consumer }
    }

    /// The consumer; an error when it is closed.
    fn consumer(&self, operation: &'static str) -> Result<ConsumerId, KafkaError> {
        self.consumer.get().ok_or_else(|| code::error(operation, ASSIGNMENT_LOST))
    }
}

impl OffsetCommitter for SimCommitter {
    type Membership = SimMembership;

    fn commit(&self, entries: &[CommitEntry], timeout: Duration) -> Result<(), KafkaError> {
        const OPERATION: &str = "commit offsets";
        if entries.is_empty() {
            return Ok(());
        }
        let consumer = self.consumer(OPERATION)?;
        let mut cluster = self.cluster.borrow_mut();
        let answer = cluster.ask(self.process, timeout, |cluster| {
            cluster.group_coordinator()?;
            let consuming = cluster.consumers.get(&consumer).ok_or(ASSIGNMENT_LOST)?;
            let claim = consuming.membership.claim().clone();
            let entries = entries_of(consuming.reading.topic(), entries);
            let group = cluster.groups.entry(consuming.group.clone()).or_insert_with(Group::new);
            group.check_commit(&claim, false)?;
            group.offsets.commit(entries);
            Ok(())
        });
        answer.map_err(|failed| unanswered(OPERATION, timeout, failed))
    }

    fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        let consumer = self.consumer("read committed offsets")?;
        let mut cluster = self.cluster.borrow_mut();
        committed(&mut cluster, self.process, consumer, partitions, timeout)
    }

    fn group_metadata(&self) -> Result<SimMembership, KafkaError> {
        const OPERATION: &str = "read the group membership";
        let consumer = self.consumer(OPERATION)?;
        let cluster = self.cluster.borrow();
        let consuming = cluster.consumers.get(&consumer);
        let membership = consuming.map(|consuming| SimMembership {
            group: consuming.group.clone(),
            claim: consuming.membership.claim().clone(),
        });
        membership
            .filter(|it| it.claim.generation > 0 && !it.claim.member_id.is_empty())
            .ok_or_else(|| code::error(OPERATION, ASSIGNMENT_LOST))
    }
}
