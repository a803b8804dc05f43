//! Questions about topics of the simulated cluster.

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc, time::Duration};

use logintide::{
    client::Questions,
    ids::{Offset, PartitionId, TopicId},
    kafka::{GroupDescription, KafkaError, Rights, TopicInfo, TopicReplicas},
};

use super::{
    cluster::{Cluster, Failed},
    code::{self, Code, UNKNOWN_TOPIC_OR_PART},
    offsets::Offsets,
    process::ProcessId,
    topics::Place,
};

pub(crate) struct SimAdmin {
    cluster: Rc<RefCell<Cluster>>,
    process: ProcessId,
    uncommitted: bool,
}

impl fmt::Debug for SimAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimAdmin").field("process", &self.process).finish_non_exhaustive()
    }
}

/// The error of a question or call that has no answer that says yes.
pub(super) fn unanswered(operation: &'static str, waited: Duration, failed: Failed) -> KafkaError {
    match failed {
        Failed::Timeout(last) => {
            let text = last.map_or_else(String::new, Code::name);
            KafkaError::Timeout { operation, waited, text }
        }
        Failed::Refused(code) => code::error(operation, code),
    }
}

impl SimAdmin {
    pub(super) fn new(
        cluster: Rc<RefCell<Cluster>>,
        process: ProcessId,
        uncommitted: bool,
    ) -> Self {
        Self { cluster, process, uncommitted }
    }

    fn question<T>(
        &self,
        operation: &'static str,
        timeout: Duration,
        question: impl Fn(&mut Cluster) -> T,
    ) -> Result<T, KafkaError> {
        let mut cluster = self.cluster.borrow_mut();
        let answer = cluster.ask(self.process, timeout, |cluster| Ok(question(cluster)));
        answer.map_err(|failed| unanswered(operation, timeout, failed))
    }
}

impl Questions for SimAdmin {
    fn topics(&self, names: &[&str], timeout: Duration) -> Result<Vec<TopicInfo>, KafkaError> {
        self.question("read metadata", timeout, |cluster| {
            let info = |name: &&str| TopicInfo {
                name: (*name).to_owned(),
                partitions: cluster.topics.partitions(name),
            };
            names.iter().map(info).collect()
        })
    }

    fn describe_topics(
        &self,
        names: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<TopicReplicas, KafkaError>>, KafkaError> {
        const OPERATION: &str = "describe topics";
        self.question(OPERATION, timeout, |cluster| {
            let now = cluster.now();
            let is_late = cluster.random.one_in(2);
            let describe = |name: &&str| {
                let topic = cluster.topics.get(name);
                let topic = topic.ok_or_else(|| code::error(OPERATION, UNKNOWN_TOPIC_OR_PART))?;
                let is_led =
                    |partition: &i32| cluster.topics.is_led(&Place::new(name, *partition), now);
                let former = topic.former(now).filter(|_| is_late);
                let partitions = former.unwrap_or(topic.logs.len());
                let led = (0..partitions as i32).filter(is_led).count();
                Ok(TopicReplicas {
                    name: (*name).to_owned(),
                    id: Some(TopicId(topic.id)),
                    partitions,
                    replication: 3,
                    in_sync: 3,
                    leaderless: partitions - led,
                    rights: Rights::default(),
                })
            };
            names.iter().map(describe).collect()
        })
    }

    fn ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        let uncommitted = self.uncommitted;
        self.question("ask the partitions' leaders", timeout, |cluster| {
            let now = cluster.now();
            let end = |partition: &PartitionId| {
                let place = Place::new(topic, partition.0);
                let log = cluster.topics.log(&place).filter(|_| cluster.topics.is_led(&place, now));
                Some((*partition, Offset(log?.end(uncommitted))))
            };
            partitions.iter().filter_map(end).collect()
        })
    }

    fn all_ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, Offset>, KafkaError> {
        let ends: BTreeMap<_, _> = self.ends(topic, partitions, timeout)?.into_iter().collect();
        if ends.len() == partitions.len() {
            return Ok(ends);
        }
        let operation = "ask the partitions' leaders";
        Err(unanswered(operation, timeout, Failed::Timeout(None)))
    }

    fn describe_group(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<GroupDescription, KafkaError> {
        const OPERATION: &str = "describe the group";
        let mut cluster = self.cluster.borrow_mut();
        let answer = cluster.ask(self.process, timeout, |cluster| {
            cluster.group_coordinator()?;
            let Some(group) = cluster.groups.get(group) else {
                return Ok(GroupDescription::default());
            };
            let leader = group.leader().and_then(|leader| cluster.consumers.get(&leader));
            Ok(group.description(leader.map_or("", |leader| leader.reading.topic())))
        });
        answer.map_err(|failed| unanswered(OPERATION, timeout, failed))
    }

    fn commit_metadata(&self, group: &str, timeout: Duration) -> Result<Vec<String>, KafkaError> {
        let mut cluster = self.cluster.borrow_mut();
        let answer = cluster.ask(self.process, timeout, |cluster| {
            cluster.group_coordinator()?;
            let offsets = cluster.groups.get(group).map(|group| &group.offsets);
            Ok(offsets.map(Offsets::metadata).unwrap_or_default())
        });
        answer.map_err(|failed| unanswered("list the group's offsets", timeout, failed))
    }

    fn broker_config(&self, timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError> {
        self.question("read the brokers' settings", timeout, |cluster| {
            cluster.broker_config.clone()
        })
    }
}
