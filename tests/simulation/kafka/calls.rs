//! Transactional calls of a producer, as librdkafka carries them out.

use std::time::Duration;

use logintide::kafka::{CommitEntry, KafkaError};

use super::{
    admin::unanswered,
    agenda::{Event, ProducerId},
    client::SimMembership,
    cluster::{Cluster, Failed},
    code::{Code, INCONSISTENT, INVALID_PRODUCER_ID_MAPPING, TIMED_OUT},
    committer::entries_of,
    delivering, ending,
    producing::{ProducerPhase, Producing, abortable, fatal_code},
    transactions::{Identity, Part},
};

fn producing(cluster: &mut Cluster, id: ProducerId) -> &mut Producing {
    cluster.producers.get_mut(&id).expect("its process is alive")
}

/// Takes over how many partitions a topic has.
pub(super) fn learn_partitions(cluster: &mut Cluster, id: ProducerId, name: &str) {
    let now = cluster.now();
    let count = cluster.topics.partitions(name);
    if let (Some(count), Some(producing)) = (count, cluster.producers.get_mut(&id)) {
        producing.known.insert(name.to_owned(), (count, now));
    }
}

pub(super) fn init_transactions(
    cluster: &mut Cluster,
    id: ProducerId,
    timeout: Duration,
) -> Result<(), KafkaError> {
    const OPERATION: &str = "init transactions";
    producing(cluster, id).check(OPERATION, &[ProducerPhase::New])?;
    match register(cluster, id, timeout) {
        Ok(()) => Ok(()),
        Err(Failed::Refused(code)) => Err(die(cluster, id, OPERATION, code)),
        Err(failed) => Err(unanswered(OPERATION, timeout, failed)),
    }
}

/// Gets an epoch.
fn register(cluster: &mut Cluster, id: ProducerId, timeout: Duration) -> Result<(), Failed> {
    let producer = producing(cluster, id);
    let name = producer.transactional_id.clone().expect("a transactional producer");
    let (process, transaction_timeout) = (producer.process, producer.transaction_timeout);
    let identity = cluster
        .ask(process, timeout, |cluster| ending::register(cluster, &name, transaction_timeout))?;
    let producer = producing(cluster, id);
    producer.identity = Some(identity);
    producer.phase = ProducerPhase::Ready;
    producer.parts.clear();
    producer.needs_epoch = false;
    Ok(())
}

fn die(cluster: &mut Cluster, id: ProducerId, operation: &'static str, code: Code) -> KafkaError {
    let producer = producing(cluster, id);
    producer.die(fatal_code(code));
    producer.failure(operation)
}

fn identity(cluster: &mut Cluster, id: ProducerId) -> Identity {
    producing(cluster, id).identity.clone().expect("registered before a transaction began")
}

pub(super) fn send_offsets(
    cluster: &mut Cluster,
    id: ProducerId,
    topic: &str,
    entries: &[CommitEntry],
    membership: &SimMembership,
    timeout: Duration,
) -> Result<(), KafkaError> {
    const OPERATION: &str = "add offsets to the transaction";
    producing(cluster, id).check(OPERATION, &[ProducerPhase::Open])?;
    let (who, process) = (identity(cluster, id), producing(cluster, id).process);
    let part = Part::Group(membership.group.clone());
    let added = cluster.ask(process, timeout, |cluster| ending::add(cluster, &who, part.clone()));
    match added {
        Ok(()) => {}
        Err(Failed::Refused(INVALID_PRODUCER_ID_MAPPING)) => {
            return Err(fail(cluster, id, OPERATION, INVALID_PRODUCER_ID_MAPPING));
        }
        Err(Failed::Refused(code)) => return Err(die(cluster, id, OPERATION, code)),
        Err(failed) => return Err(unanswered(OPERATION, timeout, failed)),
    }
    let producer = producing(cluster, id);
    producer.check(OPERATION, &[ProducerPhase::Open])?;
    producer.parts.insert(part);
    let (group, claim) = (&membership.group, &membership.claim);
    let entries = entries_of(topic, entries);
    if cluster.random.one_in(cluster.faults.late_offsets_one_in) {
        let late = Event::LateOffsets {
            identity: who.clone(),
            group: group.clone(),
            claim: claim.clone(),
            entries: entries.clone(),
        };
        send_copy(cluster, late);
    }
    let taken = cluster.ask(process, timeout, |cluster| {
        ending::commit_offsets(cluster, &who, group, claim, entries.clone())
    });
    match taken {
        // Meanwhile a partition may have been refused.
        Ok(()) => producing(cluster, id).check(OPERATION, &[ProducerPhase::Open]),
        Err(Failed::Refused(code)) if is_fatal(code) => Err(die(cluster, id, OPERATION, code)),
        Err(Failed::Refused(code)) => Err(fail(cluster, id, OPERATION, code)),
        Err(Failed::Timeout(last)) => Err(fail(cluster, id, OPERATION, last.unwrap_or(TIMED_OUT))),
    }
}

/// Whether a transactional request that is refused so ends the producer.
fn is_fatal(code: Code) -> bool {
    use super::code::{INVALID_TXN_STATE, is_fence};
    is_fence(code) || code == INVALID_TXN_STATE
}

/// The transaction has failed in a call.
fn fail(cluster: &mut Cluster, id: ProducerId, operation: &'static str, code: Code) -> KafkaError {
    producing(cluster, id).fail(code);
    abortable(operation, code)
}

/// The first copy of a request is late: the client loses time, and sends another.
fn send_copy(cluster: &mut Cluster, late: Event) {
    let cost = cluster.random.between(cluster.faults.late_copy_cost);
    let delay = cluster.random.between(cluster.faults.late_copy_delay);
    cluster.after(cost + delay, late);
    cluster.run_until(cluster.now() + cost);
}

pub(super) fn commit_transaction(
    cluster: &mut Cluster,
    id: ProducerId,
    timeout: Duration,
) -> Result<(), KafkaError> {
    const OPERATION: &str = "commit the transaction";
    let allowed = [ProducerPhase::Open, ProducerPhase::Committing];
    let producer = producing(cluster, id);
    producer.check(OPERATION, &allowed)?;
    let process = producer.process;
    producer.phase = ProducerPhase::Committing;
    if producer.outbox.in_flight() > 0 {
        // It waits for reports that nobody polls.
        let wait = timeout.min(cluster.faults.patience);
        cluster.run_until(cluster.now() + wait);
        producing(cluster, id).check(OPERATION, &allowed)?;
        return Err(unanswered(OPERATION, timeout, Failed::Timeout(None)));
    }
    if producer.undelivered > 0 {
        return Err(fail(cluster, id, OPERATION, INCONSISTENT));
    }
    if producer.parts.is_empty() {
        producer.phase = ProducerPhase::Ready;
        return Ok(());
    }
    let who = identity(cluster, id);
    if cluster.random.one_in(cluster.faults.late_end_one_in) {
        send_copy(cluster, Event::LateEnd { identity: who.clone(), commit: true });
    }
    match cluster.ask(process, timeout, |cluster| ending::end(cluster, &who, true)) {
        Ok(()) => {
            producing(cluster, id).phase = ProducerPhase::Ready;
            Ok(())
        }
        Err(Failed::Refused(code)) if is_fatal(code) => Err(die(cluster, id, OPERATION, code)),
        Err(Failed::Refused(code)) => Err(fail(cluster, id, OPERATION, code)),
        Err(failed) => Err(unanswered(OPERATION, timeout, failed)),
    }
}

pub(super) fn abort_transaction(
    cluster: &mut Cluster,
    id: ProducerId,
    timeout: Duration,
) -> Result<(), KafkaError> {
    const OPERATION: &str = "abort the transaction";
    let producer = producing(cluster, id);
    match producer.phase {
        ProducerPhase::Failed(_) => {}
        _ => producer.check(OPERATION, &[ProducerPhase::Open, ProducerPhase::Aborting])?,
    }
    let process = producer.process;
    let is_first = producer.phase != ProducerPhase::Aborting;
    producer.phase = ProducerPhase::Aborting;
    let left = producer.outbox.purge();
    producer.needs_epoch |= !left.is_empty();
    producer.outbox.poll();
    producer.undelivered = 0;
    let (who, has_parts) = (identity(cluster, id), !producing(cluster, id).parts.is_empty());
    delivering::scatter(cluster, Some(&who), left);
    if has_parts {
        if is_first && cluster.random.one_in(cluster.faults.late_end_one_in) {
            send_copy(cluster, Event::LateEnd { identity: who.clone(), commit: false });
        }
        match cluster.ask(process, timeout, |cluster| ending::end(cluster, &who, false)) {
            Ok(()) | Err(Failed::Refused(INVALID_PRODUCER_ID_MAPPING)) => {}
            Err(Failed::Refused(code)) => return Err(die(cluster, id, OPERATION, code)),
            Err(failed) => return Err(unanswered(OPERATION, timeout, failed)),
        }
    }
    let producer = producing(cluster, id);
    producer.parts.clear();
    if producer.needs_epoch {
        let registered = register(cluster, id, timeout);
        return registered.map_err(|failed| unanswered(OPERATION, timeout, failed));
    }
    producing(cluster, id).phase = ProducerPhase::Ready;
    Ok(())
}
