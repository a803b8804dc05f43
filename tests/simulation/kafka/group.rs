//! A consumer group with the classic, eager protocol, as its coordinator has it.
//!
//! In:  requests of members, and the time. Out: answers; a generation that is complete.
//! Holds: a generation begins when every known member has joined, has run out of its session, or
//! the time for it is over; a dead static member keeps its place until its session ends.

use std::{collections::BTreeMap, time::Duration};

use logintide::{
    ids::PartitionId,
    kafka::{GroupDescription, GroupMember},
};

use super::{
    code::{
        Code, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID,
    },
    offsets::Offsets,
};

/// Number of a consumer of the simulation.
pub(crate) type ConsumerId = usize;

/// Who a member says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
}

/// What a consumer asks for when it joins.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) consumer: ConsumerId,
    /// Empty for a new member.
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) session: Duration,
    /// How long a rebalance waits for this member.
    pub(crate) patience: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for members to join, at most until then.
    Joining {
        until: Duration,
    },
    /// Waits for the leader's assignment.
    Syncing,
    Stable,
}

#[derive(Debug)]
struct Member {
    id: String,
    instance_id: Option<String>,
    consumer: ConsumerId,
    session: Duration,
    patience: Duration,
    has_joined: bool,
    /// When its session ends; `None` while its heartbeats arrive.
    expires: Option<Duration>,
    assigned: Vec<i32>,
}

/// What a join is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// When everybody has joined. The member's id.
    Waits(String),
    /// At once: the generation goes on.
    InPlace(Seat),
    /// At once, the answer that it has not heard: its generation has begun, and is not assigned.
    Again { member_id: String, generation: i32, leads: bool },
}

/// A member's place in a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) consumer: ConsumerId,
    pub(crate) member_id: String,
    pub(crate) generation: i32,
    pub(crate) assigned: Vec<i32>,
}

#[derive(Debug)]
pub(crate) struct Group {
    generation: i32,
    phase: Phase,
    /// The first is the leader.
    members: Vec<Member>,
    ids: u64,
    pub(crate) offsets: Offsets,
}

impl Group {
    pub(crate) fn new() -> Self {
        Self {
            generation: 0,
            phase: Phase::Stable,
            members: Vec::new(),
            ids: 0,
            offsets: Offsets::default(),
        }
    }

    fn find(&mut self, claim: &Claim) -> Result<&mut Member, Code> {
        if let Some(instance) = &claim.instance_id {
            let of_instance = |it: &&mut Member| it.instance_id.as_ref() == Some(instance);
            let member = self.members.iter_mut().find(of_instance).ok_or(UNKNOWN_MEMBER_ID)?;
            return if member.id == claim.member_id { Ok(member) } else { Err(FENCED_INSTANCE_ID) };
        }
        self.members.iter_mut().find(|it| it.id == claim.member_id).ok_or(UNKNOWN_MEMBER_ID)
    }

    pub(crate) fn join(
        &mut self,
        ask: &Join,
        first_wait: Duration,
        now: Duration,
    ) -> Result<Joined, Code> {
        let place = if ask.member_id.is_empty() {
            let known = |it: &Member| it.instance_id.is_some() && it.instance_id == ask.instance_id;
            self.members.iter().position(known)
        } else {
            let claim = Claim {
                member_id: ask.member_id.clone(),
                instance_id: ask.instance_id.clone(),
                generation: self.generation,
            };
            let id = self.find(&claim)?.id.clone();
            self.members.iter().position(|it| it.id == id)
        };
        let is_first = self.members.is_empty();
        let replaces = ask.member_id.is_empty() && place.is_some();
        let index = place.unwrap_or_else(|| {
            self.members.push(Member::of(ask));
            self.members.len() - 1
        });
        if ask.member_id.is_empty() {
            self.ids += 1;
            let name = ask.instance_id.as_deref().unwrap_or("member");
            self.members[index].id = format!("{name}-{:04}", self.ids);
        }
        let member = &mut self.members[index];
        (member.consumer, member.expires) = (ask.consumer, None);
        (member.session, member.patience) = (ask.session, ask.patience);
        let is_follower = index > 0;
        let goes_on = self.phase == Phase::Stable && place.is_some() && (replaces || is_follower);
        let is_repeated = self.phase == Phase::Syncing && place.is_some() && !replaces;
        if goes_on {
            return Ok(Joined::InPlace(self.seat(index)));
        }
        if is_repeated {
            let (member_id, generation) = (self.members[index].id.clone(), self.generation);
            return Ok(Joined::Again { member_id, generation, leads: !is_follower });
        }
        self.members[index].has_joined = true;
        let id = self.members[index].id.clone();
        self.rebalance(if is_first { first_wait } else { Duration::ZERO }, now);
        Ok(Joined::Waits(id))
    }

    fn seat(&self, index: usize) -> Seat {
        let member = &self.members[index];
        Seat {
            consumer: member.consumer,
            member_id: member.id.clone(),
            generation: self.generation,
            assigned: member.assigned.clone(),
        }
    }

    /// Asks everybody to join again; all of them are waited for, but at least so long.
    fn rebalance(&mut self, least: Duration, now: Duration) {
        if let Phase::Joining { .. } = self.phase {
            return;
        }
        let patience = self.members.iter().map(|it| it.patience).max().unwrap_or_default();
        let until = if least > Duration::ZERO { now + least } else { now + patience };
        self.phase = Phase::Joining { until };
    }

    /// A rebalance that is under way ends at the latest then.
    pub(crate) fn joining_until(&self) -> Option<Duration> {
        match self.phase {
            Phase::Joining { until } => Some(until),
            Phase::Syncing | Phase::Stable => None,
        }
    }

    /// Begins a generation if everybody has joined or the time is over; `first_wait` holds a first
    /// one back although everybody has. Returns whom to tell.
    pub(crate) fn complete(&mut self, first_wait: Duration, now: Duration) -> Vec<ConsumerId> {
        let Phase::Joining { until } = self.phase else { return Vec::new() };
        let is_over = until <= now;
        let waits_for_more = self.generation == 0 && first_wait > Duration::ZERO;
        let all_joined = !waits_for_more && self.members.iter().all(|it| it.has_joined);
        if !all_joined && !is_over {
            return Vec::new();
        }
        self.members.retain(|it| it.has_joined || it.instance_id.is_some());
        self.generation += 1;
        self.phase = if self.members.is_empty() { Phase::Stable } else { Phase::Syncing };
        self.members.iter_mut().for_each(|it| it.has_joined = false);
        self.members.iter().map(|it| it.consumer).collect()
    }

    pub(crate) fn leader(&self) -> Option<ConsumerId> {
        self.members.first().map(|it| it.consumer)
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    /// The leader's assignment has come: ranges, by the order of instances or members.
    pub(crate) fn sync(&mut self, partitions: i32) -> Vec<Seat> {
        if self.phase != Phase::Syncing {
            return Vec::new();
        }
        self.phase = Phase::Stable;
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_key(|index| {
            let member = &self.members[*index];
            member.instance_id.clone().unwrap_or_else(|| member.id.clone())
        });
        let (members, partitions) = (order.len() as i32, partitions.max(0));
        let (each, more) = (partitions / members, partitions % members);
        let mut next = 0;
        for (place, index) in (0..).zip(&order) {
            let count = each + i32::from(place < more);
            self.members[*index].assigned = (next..next + count).collect();
            next += count;
        }
        (0..self.members.len()).map(|index| self.seat(index)).collect()
    }

    pub(crate) fn heartbeat(&mut self, claim: &Claim) -> Result<(), Code> {
        self.find(claim)?;
        if claim.generation != self.generation {
            return Err(ILLEGAL_GENERATION);
        }
        match self.phase {
            Phase::Joining { .. } => Err(REBALANCE_IN_PROGRESS),
            Phase::Syncing | Phase::Stable => Ok(()),
        }
    }

    /// Whether offsets of this member are taken.
    pub(crate) fn check_commit(&mut self, claim: &Claim, in_transaction: bool) -> Result<(), Code> {
        let is_anonymous = claim.member_id.is_empty() && claim.instance_id.is_none();
        if claim.generation < 0 && is_anonymous {
            let is_taken = in_transaction || self.members.is_empty();
            return if is_taken { Ok(()) } else { Err(UNKNOWN_MEMBER_ID) };
        }
        self.find(claim)?;
        if claim.generation != self.generation {
            return Err(ILLEGAL_GENERATION);
        }
        if !in_transaction && self.phase == Phase::Syncing {
            return Err(REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self, member_id: &str, now: Duration) {
        let before = self.members.len();
        self.members.retain(|it| it.id != member_id);
        if self.members.len() < before {
            self.rebalance(Duration::ZERO, now);
        }
    }

    /// Heartbeats of a consumer arrive, or do not any more: its session then ends at some time.
    pub(crate) fn set_beating(&mut self, consumer: ConsumerId, ends: Option<Duration>) {
        for member in self.members.iter_mut().filter(|it| it.consumer == consumer) {
            member.expires = match (member.expires, ends) {
                (Some(earlier), Some(_)) => Some(earlier),
                (_, ends) => ends,
            };
        }
    }

    /// Removes members whose session is over. A member that has joined waits with the others.
    pub(crate) fn expire(&mut self, now: Duration) {
        let is_over = |it: &Member| !it.has_joined && it.expires.is_some_and(|at| at <= now);
        let before = self.members.len();
        self.members.retain(|it| !is_over(it));
        if self.members.len() < before {
            self.rebalance(Duration::ZERO, now);
        }
    }

    /// How long the session of a consumer's member is.
    pub(crate) fn session_of(&self, consumer: ConsumerId) -> Option<Duration> {
        self.members.iter().find(|it| it.consumer == consumer).map(|it| it.session)
    }

    /// As an administrator sees it. All members read this topic.
    pub(crate) fn description(&self, topic: &str) -> GroupDescription {
        let member = |it: &Member| GroupMember {
            client_id: "simulated".to_owned(),
            host: "simulated".to_owned(),
            instance_id: it.instance_id.clone().unwrap_or_default(),
            assigned: it.assigned.iter().map(|p| (topic.to_owned(), PartitionId(*p))).collect(),
        };
        let state = if self.phase == Phase::Stable { "Stable" } else { "PreparingRebalance" };
        GroupDescription {
            state: state.to_owned(),
            members: self.members.iter().map(member).collect(),
            ..GroupDescription::default()
        }
    }

    /// Instance ids, or member ids, of all members with what they are assigned.
    pub(crate) fn listing(&self) -> BTreeMap<String, Vec<i32>> {
        let name = |it: &Member| it.instance_id.clone().unwrap_or_else(|| it.id.clone());
        self.members.iter().map(|it| (name(it), it.assigned.clone())).collect()
    }
}

impl Member {
    fn of(ask: &Join) -> Self {
        Self {
            id: String::new(),
            instance_id: ask.instance_id.clone(),
            consumer: ask.consumer,
            session: ask.session,
            patience: ask.patience,
            has_joined: false,
            expires: None,
            assigned: Vec::new(),
        }
    }
}

#[test]
fn offsets_without_a_membership_are_taken_in_transactions_and_in_empty_groups() {
    let nobody = Claim { member_id: String::new(), instance_id: None, generation: -1 };
    let mut group = Group::new();
    assert_eq!(group.check_commit(&nobody, false), Ok(()));
    let ask = Join {
        consumer: 1,
        member_id: String::new(),
        instance_id: None,
        session: Duration::from_secs(6),
        patience: Duration::from_mins(1),
    };
    let joined = group.join(&ask, Duration::ZERO, Duration::ZERO);
    let Ok(Joined::Waits(member_id)) = joined else { panic!("{joined:?}") };
    assert_eq!(group.complete(Duration::ZERO, Duration::ZERO), [1]);
    assert_eq!(group.check_commit(&nobody, false), Err(UNKNOWN_MEMBER_ID));
    assert_eq!(group.check_commit(&nobody, true), Ok(()), "nobody is fenced here");
    let former = Claim { member_id, instance_id: None, generation: 0 };
    assert_eq!(group.check_commit(&former, true), Err(ILLEGAL_GENERATION));
    let current = Claim { generation: 1, ..former };
    assert_eq!(group.check_commit(&current, true), Ok(()));
    assert_eq!(group.check_commit(&current, false), Err(REBALANCE_IN_PROGRESS), "until it syncs");
}
