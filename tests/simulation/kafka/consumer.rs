//! A consumer of the simulation.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
    time::Duration,
};

use logintide::{
    client::{OffsetCommitter, RecordConsumer},
    headers::HeaderBlock,
    ids::{Offset, PartitionId},
    kafka::{
        CommittedOffset, ConsumerSettings, DrainEvent, Flow, Headers, KafkaError, RebalanceEvent,
        Record,
    },
};

use super::{
    admin::unanswered,
    agenda::Event,
    cluster::Cluster,
    code::{self, Code, NOT_LEADER, UNKNOWN_PARTITION},
    committer::SimCommitter,
    consuming::Consuming,
    group::ConsumerId,
    joining,
    log::PartitionLog,
    membership::Next,
    process::{ProcessId, Run},
    reading::{Fetched, Reading},
    topics::Place,
};

pub(crate) struct SimConsumer {
    cluster: Rc<RefCell<Cluster>>,
    process: ProcessId,
    /// Shared with committers, which a closed consumer leaves without one.
    id: Rc<Cell<Option<ConsumerId>>>,
}

impl fmt::Debug for SimConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimConsumer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SimConsumer {
    pub(super) fn new(
        cluster: Rc<RefCell<Cluster>>,
        process: ProcessId,
        id: Rc<Cell<Option<ConsumerId>>>,
    ) -> Self {
        Self { cluster, process, id }
    }

    /// Works on the consumer, unless its process was killed.
    fn with<T>(&self, work: impl FnOnce(&mut Cluster, ConsumerId) -> T) -> Option<T> {
        let id = self.id.get().filter(|id| self.cluster.borrow().consumers.contains_key(id))?;
        Some(work(&mut self.cluster.borrow_mut(), id))
    }

    fn do_next(&self, work: impl FnOnce(&mut Consuming) -> Next) {
        self.with(|cluster, id| {
            let consuming = cluster.consumers.get_mut(&id).expect("there");
            let next = work(consuming);
            joining::next(cluster, id, next);
            // A rebalance that waited for this answer goes on.
            cluster.soon(Event::Heartbeat { consumer: id });
        });
    }

    /// The application has polled.
    fn polls(&self) {
        self.with(|cluster, id| {
            let now = cluster.now();
            cluster.consumers.get_mut(&id).expect("there").last_poll = now;
        });
    }

    /// Does something to each partition; one that is not assigned is not affected.
    fn each(&self, partitions: &[PartitionId], act: fn(&mut Reading, i32)) {
        self.with(|cluster, id| {
            let reading = &mut cluster.consumers.get_mut(&id).expect("there").reading;
            for partition in partitions {
                act(reading, partition.0);
            }
        });
    }

    /// Asks about each partition's log.
    fn ask_logs<T>(
        &self,
        operation: &'static str,
        partitions: &[PartitionId],
        timeout: Duration,
        look: impl Fn(&PartitionLog, bool) -> T,
    ) -> Result<Vec<(PartitionId, T)>, KafkaError> {
        let ask = |cluster: &mut Cluster, id: ConsumerId| {
            let reading = &cluster.consumers[&id].reading;
            let (topic, uncommitted) = (reading.topic().to_owned(), reading.is_uncommitted());
            cluster.ask(self.process, timeout, |cluster| {
                let now = cluster.now();
                let one = |partition: &PartitionId| -> Result<_, Code> {
                    let place = Place::new(&topic, partition.0);
                    let log = cluster.topics.log(&place).ok_or(UNKNOWN_PARTITION)?;
                    let is_led = cluster.topics.is_led(&place, now);
                    if is_led { Ok((*partition, look(log, uncommitted))) } else { Err(NOT_LEADER) }
                };
                partitions.iter().map(one).collect()
            })
        };
        match self.with(ask) {
            Some(answer) => answer.map_err(|failed| unanswered(operation, timeout, failed)),
            None => Err(KafkaError::Timeout { operation, waited: timeout, text: String::new() }),
        }
    }
}

/// Whose group is told that a consumer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goodbye {
    DynamicMembers,
    Everybody,
}

fn close(cluster: &mut Cluster, id: ConsumerId, goodbye: Goodbye) {
    let Some(consuming) = cluster.consumers.remove(&id) else { return };
    let claim = consuming.membership.claim().clone();
    let reaches = cluster.processes[consuming.process].reaches();
    let says_so = goodbye == Goodbye::Everybody || claim.instance_id.is_none();
    if says_so && !claim.member_id.is_empty() && reaches {
        joining::leave(cluster, &consuming.group, &claim.member_id);
    }
    joining::refresh(cluster, id);
}

impl Drop for SimConsumer {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            close(&mut self.cluster.borrow_mut(), id, Goodbye::DynamicMembers);
        }
    }
}

impl RecordConsumer for SimConsumer {
    type Committer = SimCommitter;

    fn subscribe(&self) -> Result<(), KafkaError> {
        self.do_next(|consuming| consuming.membership.subscribe());
        self.with(|cluster, id| {
            let consuming = &cluster.consumers[&id];
            let (max_poll, refresh) = (consuming.max_poll, consuming.metadata_refresh);
            cluster.after(max_poll, Event::MaxPoll { consumer: id });
            cluster.after(refresh, Event::Metadata { consumer: id });
        });
        self.polls();
        Ok(())
    }

    fn serve(
        &mut self,
        timeout: Duration,
        on_event: &mut dyn FnMut(DrainEvent<'_>),
    ) -> Result<(), KafkaError> {
        self.polls();
        if !timeout.is_zero() {
            self.cluster.borrow_mut().idle(timeout);
        }
        let served = self
            .with(|cluster, id| cluster.consumers.get_mut(&id).expect("there").membership.serve());
        let Some((result, errors)) = served else { return Ok(()) };
        for error in errors {
            on_event(DrainEvent::Error { partition: None, error });
        }
        result
    }

    fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        self.with(|cluster, id| {
            cluster.consumers.get_mut(&id).expect("there").membership.next_rebalance()
        })?
    }

    fn assign(&mut self, partitions: &[(PartitionId, Offset)]) -> Result<(), KafkaError> {
        self.do_next(|consuming| {
            let starts = partitions.iter().map(|(partition, start)| (partition.0, start.0));
            consuming.reading.assign(starts);
            consuming.membership.assigned();
            Next::Nothing
        });
        Ok(())
    }

    fn unassign(&mut self) -> Result<(), KafkaError> {
        self.do_next(|consuming| {
            consuming.reading.assign(std::iter::empty());
            consuming.membership.unassigned()
        });
        Ok(())
    }

    fn pause(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError> {
        self.each(partitions, Reading::pause);
        Ok(())
    }

    fn resume(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError> {
        self.each(partitions, Reading::resume);
        Ok(())
    }

    fn drain<F: FnMut(DrainEvent<'_>) -> Flow>(
        &mut self,
        timeout: Duration,
        mut on_event: F,
    ) -> usize {
        self.polls();
        self.with(|cluster, id| {
            let now = cluster.now();
            let Cluster { consumers, topics, random, faults, processes, .. } = cluster;
            if processes[self.process].hears() {
                let reading = &mut consumers.get_mut(&id).expect("there").reading;
                reading.fetch(topics, random, faults.slow_fetch_one_in, now);
            }
        });
        let mut taken = 0;
        let take = || {
            self.with(|cluster, id| cluster.consumers.get_mut(&id).expect("there").reading.take())?
        };
        while let Some((partition, fetched)) = take() {
            taken += 1;
            if on_event(event_of(PartitionId(partition), &fetched)) == Flow::Stop {
                break;
            }
        }
        if taken == 0 {
            self.cluster.borrow_mut().idle(timeout);
        }
        taken
    }

    fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        self.committer().committed(partitions, timeout)
    }

    fn logs(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, (Offset, Offset)>, KafkaError> {
        const OPERATION: &str = "look up the ends of the log";
        let ends = |log: &PartitionLog, all| (Offset(log.start()), Offset(log.end(all)));
        let logs = self.ask_logs(OPERATION, partitions, timeout, ends)?;
        Ok(logs.into_iter().collect())
    }

    fn offset_for_time(
        &self,
        partitions: &[PartitionId],
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        self.ask_logs("look up offsets by time", partitions, timeout, |log, all| {
            let found = log.offset_for_time(timestamp_ms.max(0), all);
            Offset(found.unwrap_or_else(|| log.end(all)))
        })
    }

    fn cached_log_end(&self, partition: PartitionId) -> Option<Offset> {
        let end =
            self.with(|cluster, id| cluster.consumers[&id].reading.high_watermark(partition.0));
        end?.map(Offset)
    }

    fn renew(&mut self, settings: &ConsumerSettings) -> Result<(), KafkaError> {
        let mut cluster = self.cluster.borrow_mut();
        let id = cluster.next_client();
        let consuming = Consuming::new(self.process, settings, cluster.now());
        if cluster.processes[self.process].run != Run::Dead {
            cluster.consumers.insert(id, consuming);
        }
        if let Some(old) = self.id.replace(Some(id)) {
            close(&mut cluster, old, Goodbye::DynamicMembers);
        }
        Ok(())
    }

    fn committer(&self) -> SimCommitter {
        SimCommitter::new(Rc::clone(&self.cluster), self.process, Rc::clone(&self.id))
    }

    fn close(self) {
        drop(self);
    }

    fn leave(self) {
        if let Some(id) = self.id.take() {
            let mut cluster = self.cluster.borrow_mut();
            close(&mut cluster, id, Goodbye::Everybody);
        }
    }
}

fn event_of(partition: PartitionId, fetched: &Fetched) -> DrainEvent<'_> {
    match fetched {
        Fetched::Record(offset, sent) => DrainEvent::Record(Record {
            partition,
            offset: *offset,
            timestamp_ms: sent.timestamp_ms,
            key: sent.key.as_deref(),
            value: sent.value.as_deref(),
            headers: Headers::of_block(HeaderBlock::new(&sent.headers)),
        }),
        Fetched::End(offset) => DrainEvent::EndOfPartition { partition, offset: Offset(*offset) },
        Fetched::OutOfRange(position) => DrainEvent::Error {
            partition: Some(partition),
            error: KafkaError::OffsetOutOfRange {
                partition,
                position: *position,
                text: "no such offset in the log".to_owned(),
            },
        },
        Fetched::Missing => DrainEvent::Error {
            partition: Some(partition),
            error: code::error("fetch", UNKNOWN_PARTITION),
        },
    }
}
