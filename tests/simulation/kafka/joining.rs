//! Consumers and their groups: joining, heartbeats, sessions.
//!
//! Heartbeats are not sent one by one: a member whose process runs and is connected keeps its
//! session, and learns within a heartbeat's interval what the next one would tell it.

use std::time::Duration;

use super::{
    agenda::Event,
    cluster::Cluster,
    code::{Code, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID},
    consuming::Consuming,
    group::{ConsumerId, Group, Join, Joined, Seat},
    membership::Next,
    process::{Link, Run},
};

/// How long a client waits before it asks again to join.
const JOIN_RETRY: Duration = Duration::from_millis(500);
/// How often a timer of a process that stands still is looked at.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Does what a membership wants next.
pub(super) fn next(cluster: &mut Cluster, consumer: ConsumerId, next: Next) {
    match next {
        Next::Nothing => {}
        Next::Join => cluster.soon(Event::Join { consumer }),
    }
}

pub(super) fn join(cluster: &mut Cluster, consumer: ConsumerId) {
    let Some(consuming) = cluster.consumers.get(&consumer) else { return };
    // Otherwise the process's return asks again.
    if !consuming.membership.is_joining() || !cluster.processes[consuming.process].hears() {
        return;
    }
    let claim = consuming.membership.claim();
    let ask = Join {
        consumer,
        member_id: claim.member_id.clone(),
        instance_id: claim.instance_id.clone(),
        session: consuming.session,
        patience: consuming.max_poll,
    };
    let (name, topic) = (consuming.group.clone(), consuming.reading.topic().to_owned());
    let is_lost = cluster.group_coordinator().is_err()
        || cluster.random.one_in(cluster.faults.lost_request_one_in);
    if is_lost {
        cluster.after(JOIN_RETRY, Event::Join { consumer });
        return;
    }
    let (now, wait) = (cluster.now(), cluster.first_rebalance_delay);
    let partitions = cluster.topics.partitions(&topic);
    let group = cluster.groups.entry(name.clone()).or_insert_with(Group::new);
    let answer = group.join(&ask, wait, now);
    let until = group.joining_until();
    let consuming = cluster.consumers.get_mut(&consumer).expect("there");
    consuming.partitions = partitions;
    match answer {
        Ok(Joined::InPlace(seat)) => {
            consuming.membership.waits_as(seat.member_id.clone());
            consuming.membership.begins(seat.generation);
            cluster.soon(Event::Seat { seat });
        }
        Ok(Joined::Again { member_id, generation, leads }) => {
            consuming.membership.waits_as(member_id);
            consuming.membership.begins(generation);
            if leads {
                cluster.soon(Event::Assign { group: name.clone(), generation });
            }
        }
        Ok(Joined::Waits(id)) => consuming.membership.waits_as(id),
        Err(code) => {
            let wanted = consuming.membership.refused(code);
            next(cluster, consumer, wanted);
        }
    }
    if let Some(until) = until {
        cluster.agenda.add(until, Event::Check { group: name.clone() });
    }
    wake(cluster, &name);
    settle(cluster, &name);
}

/// Sessions may be over, and a generation may begin.
pub(super) fn settle(cluster: &mut Cluster, name: &str) {
    let (now, wait) = (cluster.now(), cluster.first_rebalance_delay);
    let Some(group) = cluster.groups.get_mut(name) else { return };
    let before = group.joining_until();
    group.expire(now);
    let rebalances = before.is_none() && group.joining_until().is_some();
    let members = group.complete(wait, now);
    let (generation, leader, until) = (group.generation(), group.leader(), group.joining_until());
    if rebalances && let Some(until) = until {
        cluster.agenda.add(until, Event::Check { group: name.to_owned() });
        wake(cluster, name);
    }
    for member in &members {
        let hears = hears(cluster, *member);
        if let Some(consuming) = cluster.consumers.get_mut(member).filter(|_| hears) {
            consuming.membership.begins(generation);
        }
        refresh(cluster, *member);
    }
    // A leader that has died in between assigns nothing, until its session is over.
    if !members.is_empty() && leader.is_some_and(|leader| hears(cluster, leader)) {
        cluster.soon(Event::Assign { group: name.to_owned(), generation });
    }
}

fn hears(cluster: &Cluster, consumer: ConsumerId) -> bool {
    let consuming = cluster.consumers.get(&consumer);
    consuming.is_some_and(|consuming| cluster.processes[consuming.process].hears())
}

/// Lets all who take themselves for members learn what their next heartbeat would tell.
pub(super) fn wake(cluster: &mut Cluster, name: &str) {
    let is_member = |it: &Consuming| it.group == name && it.membership.has_place();
    let members = cluster.consumers.iter().filter(|(_, it)| is_member(it));
    for consumer in members.map(|(consumer, _)| *consumer).collect::<Vec<_>>() {
        wake_one(cluster, consumer);
    }
}

pub(super) fn wake_one(cluster: &mut Cluster, consumer: ConsumerId) {
    let Some(consuming) = cluster.consumers.get(&consumer) else { return };
    let delay = cluster.random.between((Duration::ZERO, consuming.heartbeat));
    cluster.after(delay, Event::Heartbeat { consumer });
}

pub(super) fn heartbeat(cluster: &mut Cluster, consumer: ConsumerId) {
    let Some(consuming) = cluster.consumers.get(&consumer) else { return };
    if !consuming.membership.has_place() || !hears(cluster, consumer) {
        return;
    }
    if cluster.group_coordinator().is_err() {
        wake_one(cluster, consumer);
        return;
    }
    let claim = consuming.membership.claim().clone();
    let group = cluster.groups.get_mut(&consuming.group);
    let answer = match group {
        Some(group) if !claim.member_id.is_empty() => group.heartbeat(&claim),
        _ => Err(UNKNOWN_MEMBER_ID),
    };
    if let Err(code) = answer {
        refused(cluster, consumer, code);
    }
}

fn refused(cluster: &mut Cluster, consumer: ConsumerId, code: Code) {
    let consuming = cluster.consumers.get_mut(&consumer).expect("there");
    let wanted = consuming.membership.refused(code);
    next(cluster, consumer, wanted);
    refresh(cluster, consumer);
}

/// The leader's assignment has come.
pub(super) fn assign(cluster: &mut Cluster, name: &str, generation: i32) {
    let group = cluster.groups.get_mut(name).expect("a group that assigns");
    let Some(leader) = group.leader().filter(|_| group.generation() == generation) else { return };
    let Some(consuming) = cluster.consumers.get(&leader) else { return };
    let partitions = cluster.topics.partitions(consuming.reading.topic()).unwrap_or(0);
    for seat in group.sync(partitions) {
        cluster.soon(Event::Seat { seat });
    }
}

pub(super) fn take_seat(cluster: &mut Cluster, seat: &Seat) {
    let consumer = seat.consumer;
    if !hears(cluster, consumer) {
        return;
    }
    let Some(consuming) = cluster.consumers.get_mut(&consumer) else { return };
    consuming.membership.take_seat(seat);
    refresh(cluster, consumer);
    wake_one(cluster, consumer);
}

/// Tells the coordinator whether heartbeats of a consumer arrive.
pub(super) fn refresh(cluster: &mut Cluster, consumer: ConsumerId) {
    let now = cluster.now();
    let consuming = cluster.consumers.get(&consumer);
    let beats = consuming.is_some_and(|it| {
        let is_member = !it.membership.claim().member_id.is_empty();
        is_member && cluster.processes[it.process].reaches()
    });
    let heartbeat = consuming.map_or(Duration::ZERO, |it| it.heartbeat);
    for (name, group) in &mut cluster.groups {
        let Some(session) = group.session_of(consumer) else { continue };
        if beats {
            group.set_beating(consumer, None);
            continue;
        }
        // The last heartbeat was a while ago.
        let since = cluster.random.between((Duration::ZERO, heartbeat.min(session / 2)));
        let ends = now + session.saturating_sub(since);
        group.set_beating(consumer, Some(ends));
        cluster.agenda.add(ends, Event::Check { group: name.clone() });
    }
}

/// A process has come back, from a pause or to the network, or has gone.
pub(super) fn connection_changed(cluster: &mut Cluster, consumer: ConsumerId) {
    refresh(cluster, consumer);
    let Some(consuming) = cluster.consumers.get_mut(&consumer) else { return };
    let process = &cluster.processes[consuming.process];
    if process.hears() {
        if consuming.membership.joins_again() {
            cluster.soon(Event::Join { consumer });
        } else {
            cluster.soon(Event::Heartbeat { consumer });
        }
    } else if process.link != Link::Up && process.run == Run::Running {
        let (session, cut) = (consuming.session, process.cuts);
        cluster.after(session, Event::Deaf { consumer, cut });
    }
}

/// Nothing was heard for a session.
pub(super) fn deaf(cluster: &mut Cluster, consumer: ConsumerId, cut: u64) {
    let Some(consuming) = cluster.consumers.get_mut(&consumer) else { return };
    let process = &cluster.processes[consuming.process];
    if process.cuts != cut || process.hears() || !consuming.membership.has_place() {
        return;
    }
    let wanted = consuming.membership.session_ended();
    next(cluster, consumer, wanted);
    refresh(cluster, consumer);
}

/// After a pause: a client that has slept for longer than its session notices by its clock.
pub(super) fn awake(cluster: &mut Cluster, consumer: ConsumerId, slept: Duration) {
    let consuming = cluster.consumers.get_mut(&consumer).expect("of a process that was paused");
    if slept >= consuming.session && consuming.membership.has_place() {
        let wanted = consuming.membership.session_ended();
        next(cluster, consumer, wanted);
    }
}

pub(super) fn max_poll(cluster: &mut Cluster, consumer: ConsumerId) {
    let now = cluster.now();
    let Some(consuming) = cluster.consumers.get_mut(&consumer) else { return };
    let process = &cluster.processes[consuming.process];
    if process.run != Run::Running {
        cluster.after(STANDSTILL, Event::MaxPoll { consumer });
        return;
    }
    let due = consuming.last_poll + consuming.max_poll;
    if now < due || !consuming.membership.has_place() {
        let at = due.max(now + STANDSTILL);
        cluster.agenda.add(at, Event::MaxPoll { consumer });
        return;
    }
    let claim = consuming.membership.claim().clone();
    let wanted = consuming.membership.is_silent();
    let name = consuming.group.clone();
    let max_poll = consuming.max_poll;
    let reaches = process.reaches();
    if claim.instance_id.is_none() && reaches {
        leave(cluster, &name, &claim.member_id);
    }
    next(cluster, consumer, wanted);
    refresh(cluster, consumer);
    cluster.after(max_poll, Event::MaxPoll { consumer });
}

/// A member leaves by itself.
pub(super) fn leave(cluster: &mut Cluster, name: &str, member_id: &str) {
    let now = cluster.now();
    if let Some(group) = cluster.groups.get_mut(name) {
        group.leave(member_id, now);
        wake(cluster, name);
        settle(cluster, name);
    }
}

/// A consumer hears of the topic's partitions: new ones are a reason to join again.
pub(super) fn metadata(cluster: &mut Cluster, consumer: ConsumerId) {
    let hears = hears(cluster, consumer);
    let Some(consuming) = cluster.consumers.get(&consumer) else { return };
    let interval = consuming.metadata_refresh;
    let partitions = cluster.topics.partitions(consuming.reading.topic());
    let has_place = consuming.membership.has_place();
    if hears && has_place && consuming.partitions != partitions {
        refused(cluster, consumer, REBALANCE_IN_PROGRESS);
    }
    cluster.after(interval, Event::Metadata { consumer });
}
