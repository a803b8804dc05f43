//! The simulation's handle: makes processes and topics, breaks things, lets time pass.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::{
    client::SimClient,
    clock::SimClock,
    cluster::Cluster,
    delivering,
    faults::Faults,
    group::Group,
    joining,
    log::{PartitionLog, Sent},
    process::{Link, Process, ProcessId, Run},
    topics::Place,
};

/// How long brokers may not have heard of new partitions, at most.
const METADATA_LAG: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub(crate) struct SimKafka {
    cluster: Rc<RefCell<Cluster>>,
    clock: SimClock,
}

impl SimKafka {
    pub(crate) fn new(seed: u64) -> Self {
        let cluster = Cluster::new(seed);
        let clock = cluster.clock.clone();
        Self { cluster: Rc::new(RefCell::new(cluster)), clock }
    }

    /// Looks at, or changes, the cluster itself.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Cluster) -> T) -> T {
        look(&mut self.cluster.borrow_mut())
    }

    pub(crate) fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// Changes how bad the network and the brokers are from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.with(|cluster| cluster.faults = faults);
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.with(|cluster| {
            let until = cluster.now() + time;
            cluster.run_until(until);
        });
    }

    /// Lets time pass until something has happened, at most so long.
    pub(crate) fn pass_to_next(&self, most: Duration) {
        self.with(|cluster| {
            let latest = cluster.now() + most;
            let next = cluster.agenda.next().unwrap_or(latest);
            cluster.run_until(next.clamp(cluster.now(), latest));
        });
    }

    /// A new process.
    pub(crate) fn process(&self) -> SimClient {
        let process = self.with(|cluster| {
            cluster.processes.push(Process::new());
            cluster.processes.len() - 1
        });
        SimClient::new(Rc::clone(&self.cluster), self.clock.clone(), process)
    }

    /// Lets a process die at one of its next requests: before or after the brokers carry it out.
    /// What is left of it is to be killed then.
    pub(crate) fn kill_after(&self, process: ProcessId, requests: u32) {
        self.with(|cluster| cluster.processes[process].requests_left = Some(requests));
    }

    /// Takes that back.
    pub(crate) fn spare(&self, process: ProcessId) {
        self.with(|cluster| cluster.processes[process].requests_left = None);
    }

    pub(crate) fn is_dead(&self, process: ProcessId) -> bool {
        self.with(|cluster| cluster.processes[process].run == Run::Dead)
    }

    /// Ends a process without a word: its clients are gone, what they had on the way may arrive.
    pub(crate) fn kill(&self, process: ProcessId) {
        self.with(|cluster| {
            cluster.processes[process].run = Run::Dead;
            let producers = cluster.producers.iter().filter(|(_, it)| it.process == process);
            for producer in producers.map(|(id, _)| *id).collect::<Vec<_>>() {
                let mut producing = cluster.producers.remove(&producer).expect("listed");
                let left = producing.outbox.purge();
                delivering::scatter(cluster, producing.identity.as_ref(), left);
            }
            for consumer in Self::consumers_of(cluster, process) {
                cluster.consumers.remove(&consumer);
                joining::refresh(cluster, consumer);
            }
        });
    }

    fn consumers_of(cluster: &Cluster, process: ProcessId) -> Vec<usize> {
        let of = cluster.consumers.iter().filter(|(_, it)| it.process == process);
        of.map(|(id, _)| *id).collect()
    }

    /// Stops a process with all its threads.
    pub(crate) fn pause(&self, process: ProcessId) {
        self.with(|cluster| {
            assert_eq!(cluster.processes[process].run, Run::Running, "only what runs is paused");
            cluster.processes[process].run = Run::Paused(cluster.now());
            for consumer in Self::consumers_of(cluster, process) {
                joining::connection_changed(cluster, consumer);
            }
        });
    }

    /// Lets a paused process go on.
    pub(crate) fn resume(&self, process: ProcessId) {
        self.with(|cluster| {
            let Run::Paused(since) = cluster.processes[process].run else {
                panic!("only what is paused goes on")
            };
            cluster.processes[process].run = Run::Running;
            let slept = cluster.now().saturating_sub(since);
            for consumer in Self::consumers_of(cluster, process) {
                joining::awake(cluster, consumer, slept);
                joining::connection_changed(cluster, consumer);
            }
        });
    }

    /// Changes a process's connection.
    pub(crate) fn connect(&self, process: ProcessId, link: Link) {
        self.with(|cluster| {
            let connected = &mut cluster.processes[process];
            connected.link = link;
            connected.cuts += 1;
            for consumer in Self::consumers_of(cluster, process) {
                joining::connection_changed(cluster, consumer);
            }
        });
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: usize) {
        self.with(|cluster| cluster.topics.create(name, partitions));
    }

    /// Deletes a topic, and what groups have committed of it.
    pub(crate) fn delete_topic(&self, name: &str) {
        self.with(|cluster| {
            cluster.topics.delete(name);
            cluster.groups.values_mut().for_each(|group| group.offsets.forget(name));
        });
    }

    pub(crate) fn add_partitions(&self, name: &str, partitions: usize) {
        self.with(|cluster| {
            let now = cluster.now();
            let until = now + cluster.random.between((Duration::ZERO, METADATA_LAG));
            let topic = cluster.topics.get_mut(name).expect("the topic exists");
            topic.grow_until(partitions, until, now);
        });
    }

    /// Lets all brokers know of all partitions.
    pub(crate) fn tell_all_partitions(&self) {
        self.with(|cluster| cluster.topics.tell_all());
    }

    /// So many partitions of a topic are known to all brokers.
    pub(crate) fn known_partitions(&self, name: &str) -> usize {
        self.with(|cluster| {
            let former = cluster.topics.get(name).and_then(|topic| topic.former(cluster.now()));
            let all = cluster.topics.partitions(name).expect("the topic exists");
            former.unwrap_or(all as usize)
        })
    }

    /// Appends a record as somebody without transactions would; returns its offset.
    pub(crate) fn append(&self, topic: &str, partition: i32, key: &[u8], value: &[u8]) -> i64 {
        self.append_record(topic, partition, Some(key), Some(value))
    }

    /// As `append`, where key and value may be missing.
    pub(crate) fn append_record(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> i64 {
        self.with(|cluster| {
            let record = Sent {
                key: key.map(<[u8]>::to_vec),
                value: value.map(<[u8]>::to_vec),
                headers: Vec::new(),
                timestamp_ms: cluster.now_ms(),
            };
            let log = cluster.topics.log_mut(&Place::new(topic, partition));
            log.expect("the partition exists").append(record, None)
        })
    }

    /// Runs the cleaner over a partition; how many entries went. `keeps_markers` is how long a
    /// marker stays that nothing needs.
    pub(crate) fn compact(&self, topic: &str, partition: i32, keeps_markers: Duration) -> usize {
        self.with(|cluster| {
            let before_ms = cluster.now_ms() - keeps_markers.as_millis() as i64;
            let Cluster { topics, random, .. } = cluster;
            let log = topics.log_mut(&Place::new(topic, partition));
            log.expect("the partition exists").compact(random, before_ms)
        })
    }

    /// Retention forgets everything below an offset.
    pub(crate) fn move_start(&self, topic: &str, partition: i32, to: i64) {
        self.with(|cluster| {
            let log = cluster.topics.log_mut(&Place::new(topic, partition));
            log.expect("the partition exists").move_start(to);
        });
    }

    /// A partition loses its end, at most from an offset on.
    pub(crate) fn lose_end(&self, topic: &str, partition: i32, from: i64) {
        self.with(|cluster| {
            let log = cluster.topics.log_mut(&Place::new(topic, partition));
            let log = log.expect("the partition exists");
            log.lose_end(from);
            let end = log.high_watermark();
            let reading = cluster.consumers.values_mut().map(|it| &mut it.reading);
            for reading in reading.filter(|it| it.topic() == topic) {
                reading.truncated(partition, end);
            }
        });
    }

    /// Another broker becomes the partition's leader, after some time without one.
    pub(crate) fn move_leader(&self, topic: &str, partition: i32, away: Duration) {
        self.with(|cluster| {
            let until = cluster.now() + away;
            cluster.topics.take_leader(&Place::new(topic, partition), until);
        });
    }

    /// Other brokers become the groups' coordinators, after some time without.
    pub(crate) fn move_group_coordinator(&self, away: Duration) {
        self.with(|cluster| cluster.group_coordinator_away = cluster.now() + away);
    }

    /// Other brokers become the transactions' coordinators, after some time without.
    pub(crate) fn move_transaction_coordinator(&self, away: Duration) {
        self.with(|cluster| cluster.transaction_coordinator_away = cluster.now() + away);
    }

    /// Forgets transactional ids that were not used for so long.
    pub(crate) fn expire_transactional_ids(&self, unused: Duration) {
        self.with(|cluster| {
            if let Some(since) = cluster.now().checked_sub(unused) {
                cluster.transactions.expire(since);
            }
        });
    }

    /// The members of a group as its coordinator lists them, dead ones included, with what each is
    /// assigned; static ones by their instance id.
    pub(crate) fn members(&self, group: &str) -> BTreeMap<String, Vec<i32>> {
        self.with(|cluster| cluster.groups.get(group).map(Group::listing).unwrap_or_default())
    }

    /// What a group has committed for a partition.
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        self.with(|cluster| {
            let offsets = &cluster.groups.get(group)?.offsets;
            offsets.get(&Place::new(topic, partition)).map(|committed| committed.offset)
        })
    }

    /// Where a partition's log ends.
    pub(crate) fn log_end(&self, topic: &str, partition: i32) -> i64 {
        self.with(|cluster| {
            let log = cluster.topics.log(&Place::new(topic, partition));
            log.expect("the partition exists").high_watermark()
        })
    }

    /// What a reader of a topic sees, partition by partition.
    pub(crate) fn visible(&self, topic: &str) -> Vec<Rc<Sent>> {
        self.with(|cluster| {
            let logs = &cluster.topics.get(topic).expect("the topic exists").logs;
            let read = |log: &PartitionLog| {
                log.read(log.start(), false, usize::MAX).expect("from its start").records
            };
            logs.iter().flat_map(read).map(|(_, record)| record).collect()
        })
    }

    /// The same with partition and offset.
    pub(crate) fn visible_with_places(&self, topic: &str) -> Vec<(i32, i64, Rc<Sent>)> {
        self.with(|cluster| {
            let logs = &cluster.topics.get(topic).expect("the topic exists").logs;
            let read = |(partition, log): (i32, &PartitionLog)| {
                let records = log.read(log.start(), false, usize::MAX).expect("from its start");
                let place = move |(offset, record)| (partition, offset, record);
                records.records.into_iter().map(place)
            };
            (0..).zip(logs).flat_map(read).collect()
        })
    }

    /// Whether every partition's records are all stable, and no transaction waits.
    pub(crate) fn is_settled(&self, topics: &[&str]) -> bool {
        self.with(|cluster| {
            let logs = topics.iter().filter_map(|name| cluster.topics.get(name));
            let mut logs = logs.flat_map(|topic| &topic.logs);
            logs.all(|log| log.last_stable_offset() == log.high_watermark())
                && cluster.transactions.are_settled()
        })
    }
}
