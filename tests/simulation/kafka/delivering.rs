//! Records on their way from producers into logs.

use super::{
    agenda::{Event, ProducerId},
    cluster::Cluster,
    code::{
        Code, INVALID_TXN_STATE, MSG_SIZE_TOO_LARGE, MSG_TIMED_OUT, NOT_LEADER,
        UNKNOWN_TOPIC_OR_PART, is_fence, is_repeated,
    },
    ending,
    log::{Sent, TransactionNumber},
    process::Run,
    producing::fatal_code,
    topics::Place,
    transactions::{Identity, Part},
};

/// Records that a request has at most.
const BATCH_RECORDS: usize = 16;

/// A producer's request for a partition arrives, or would if it could.
pub(super) fn arrive(cluster: &mut Cluster, producer: ProducerId, place: &Place) {
    let Some(producing) = cluster.producers.get_mut(&producer) else { return };
    if !producing.outbox.has_waiting(place) {
        producing.outbox.rest(place);
        return;
    }
    let process = &cluster.processes[producing.process];
    let (is_running, reaches, hears) =
        (process.run == Run::Running, process.reaches(), process.hears());
    if is_running {
        expire(cluster, producer, place);
    }
    let is_lost = !reaches || cluster.random.one_in(cluster.faults.lost_request_one_in);
    let mut pause = cluster.random.between(cluster.faults.retry_pause);
    if !is_lost {
        let most = 1 + cluster.random.below(BATCH_RECORDS);
        match write(cluster, producer, place, most) {
            Ok(count) => {
                written(cluster, producer, place, count, hears);
                pause = cluster.latency();
            }
            Err((_, code)) if is_repeated(code) || code == UNKNOWN_TOPIC_OR_PART => {}
            Err((count, code)) => refused(cluster, producer, place, count, code),
        }
    }
    cluster.after(pause, Event::Produce { producer, place: place.clone() });
}

/// Gives records up that were not delivered in time; now and then others too.
fn expire(cluster: &mut Cluster, producer: ProducerId, place: &Place) {
    let now = cluster.now();
    let given_up = cluster.random.one_in(cluster.faults.failed_delivery_one_in);
    let producing = cluster.producers.get_mut(&producer).expect("there");
    let timeout = producing.delivery_timeout;
    let waiting = producing.outbox.front(place, usize::MAX);
    let expired = waiting.iter().take_while(|it| it.since + timeout <= now).count();
    let count = if given_up { expired.max(1) } else { expired };
    if count == 0 {
        return;
    }
    if given_up && cluster.random.one_in(2) {
        // It arrives, but nobody learns of it.
        let _unknown = write(cluster, producer, place, count);
    }
    let producing = cluster.producers.get_mut(&producer).expect("there");
    producing.outbox.failed(place, count, MSG_TIMED_OUT);
    producing.fail(MSG_TIMED_OUT);
}

/// Writes the first records of a producer's partition; how many.
fn write(
    cluster: &mut Cluster,
    producer: ProducerId,
    place: &Place,
    most: usize,
) -> Result<usize, (usize, Code)> {
    let number = transaction(cluster, producer, place).map_err(|code| (most, code))?;
    let now = cluster.now();
    let Cluster { topics, producers, .. } = cluster;
    if !topics.is_led(place, now) {
        let exists = topics.log(place).is_some();
        return Err((most, if exists { NOT_LEADER } else { UNKNOWN_TOPIC_OR_PART }));
    }
    let topic = topics.get_mut(&place.topic).expect("it has a leader");
    let largest = topic.largest_record;
    let log = &mut topic.logs[place.partition as usize];
    let producing = producers.get_mut(&producer).expect("there");
    let mut waiting = producing.outbox.front(place, most);
    let small = waiting.iter().take_while(|it| it.record.bytes() <= largest).count();
    if small == 0 && !waiting.is_empty() {
        return Err((1, MSG_SIZE_TOO_LARGE));
    }
    for waiting in waiting.iter_mut().take(small).filter(|waiting| !waiting.is_written) {
        log.append(waiting.record.clone(), number);
        waiting.is_written = true;
    }
    Ok(small)
}

/// The transaction that a partition's records belong to, which the partition joins first.
fn transaction(
    cluster: &mut Cluster,
    producer: ProducerId,
    place: &Place,
) -> Result<Option<TransactionNumber>, Code> {
    let producing = &cluster.producers[&producer];
    let Some(identity) = producing.identity.clone() else { return Ok(None) };
    let part = Part::Partition(place.clone());
    if !producing.parts.contains(&part) {
        cluster.transaction_coordinator()?;
        ending::add(cluster, &identity, part.clone())?;
        let producing = cluster.producers.get_mut(&producer).expect("there");
        producing.parts.insert(part.clone());
    }
    cluster.transactions.verify(&identity, &part).map(Some)
}

fn written(cluster: &mut Cluster, producer: ProducerId, place: &Place, count: usize, hears: bool) {
    if !hears || cluster.random.one_in(cluster.faults.lost_answer_one_in) {
        return;
    }
    let answer = cluster.producers.get_mut(&producer).expect("there").outbox.written(place, count);
    let is_slow = cluster.random.one_in(cluster.faults.slow_delivery_one_in);
    let delay = if is_slow {
        cluster.random.between(cluster.faults.slow_delivery)
    } else {
        cluster.latency()
    };
    cluster.after(delay, Event::Produced { producer, answer });
}

fn refused(cluster: &mut Cluster, producer: ProducerId, place: &Place, count: usize, code: Code) {
    let producing = cluster.producers.get_mut(&producer).expect("there");
    if is_fence(code) {
        producing.die(fatal_code(code));
        return;
    }
    if matches!(code, INVALID_TXN_STATE | MSG_SIZE_TOO_LARGE) {
        producing.outbox.failed(place, count, code);
    }
    producing.fail(code);
}

/// An answer arrives, if its producer is still there.
pub(super) fn answer(cluster: &mut Cluster, producer: ProducerId, answer: u64) {
    let Some(producing) = cluster.producers.get_mut(&producer) else { return };
    match cluster.processes[producing.process].run {
        Run::Running => producing.outbox.answered(answer),
        Run::Paused(_) => {
            let pause = cluster.random.between(cluster.faults.retry_pause);
            cluster.after(pause, Event::Produced { producer, answer });
        }
        Run::Dead => {}
    }
}

/// What a producer throws away, or leaves behind, may be on its way already.
pub(super) fn scatter(
    cluster: &mut Cluster,
    identity: Option<&Identity>,
    left: Vec<(Place, Vec<Sent>)>,
) {
    for (place, mut records) in left {
        let most = 1 + cluster.random.below(BATCH_RECORDS);
        records.truncate(most);
        if cluster.random.one_in(cluster.faults.stray_one_in) && !records.is_empty() {
            let delay = cluster.random.between(cluster.faults.slow_delivery);
            let identity = identity.cloned();
            cluster.after(delay, Event::Stray { identity, place, records });
        }
    }
}

pub(super) fn stray(
    cluster: &mut Cluster,
    identity: Option<&Identity>,
    place: &Place,
    records: Vec<Sent>,
) {
    let part = Part::Partition(place.clone());
    let verified = identity.map(|identity| cluster.transactions.verify(identity, &part));
    let Ok(number) = verified.transpose() else { return };
    if let Some(log) = cluster.topics.log_mut(place) {
        for record in records {
            log.append(record, number);
        }
    }
}
