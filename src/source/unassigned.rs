//! Partitions that the group has given to nobody. Owned by the source thread.
//!
//! A static member that comes back within its session takes its former place, and no leader works
//! out an assignment: partitions that were added meanwhile would wait for the next rebalance.
//! In:  the members' assignments. Out: a new join, at most one per session timeout; what is read is
//! committed and given back before, as in every rebalance.

use std::{collections::BTreeSet, time::Instant};

use super::context::Context;
use crate::{
    client::{Client, Questions, RecordConsumer},
    ids::PartitionId,
    kafka::GroupDescription,
    limits,
};

/// Joins the group anew if nobody has some of so many partitions. Returns when to look again; never
/// when each of them has an owner.
pub(super) fn join_for<C: Client>(cx: &mut Context<C>, all: u32) -> Option<Instant> {
    // A join may have got lost, and then the former place is all that the member has.
    let next_join = cx.joined_at.map(|at| at + cx.settings.timing.session());
    if let Some(next_join) = next_join.filter(|next| cx.now() < *next) {
        return Some(next_join);
    }
    let soon = cx.now() + limits::ASK_AGAIN_PAUSE;
    let name = &cx.settings.consumer.group_id;
    let group = match cx.admin.describe_group(name, limits::BROKER_QUERY_TIMEOUT) {
        Ok(group) => group,
        Err(error) if error.is_retriable() => return Some(soon),
        // Who may not ask has been told at the takeover.
        Err(_) => return None,
    };
    if group.state != STABLE {
        return Some(soon);
    }
    let missing = missing(&group, &cx.settings.topic, all);
    let first = missing.first()?;
    tracing::warn!(
        partitions = missing.len(),
        %first,
        "partitions of the input were given to nobody: they were added while an instance was away; \
         joining the group anew"
    );
    if cx.consumer.subscribe().is_ok() {
        cx.joined_at = Some(cx.now());
    }
    Some(soon)
}

const STABLE: &str = "Stable";

/// The partitions that no member has.
fn missing(group: &GroupDescription, topic: &str, all: u32) -> Vec<PartitionId> {
    let assigned = group.members.iter().flat_map(|member| &member.assigned);
    let assigned = assigned.filter(|(of, _)| of == topic).map(|(_, partition)| *partition);
    let assigned: BTreeSet<_> = assigned.collect();
    (0..all as i32).map(PartitionId).filter(|p| !assigned.contains(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::GroupMember;

    #[test]
    fn missing_is_what_no_member_has_of_the_topic() {
        let member = |assigned: &[(&str, i32)]| GroupMember {
            assigned: assigned.iter().map(|(t, p)| ((*t).to_owned(), PartitionId(*p))).collect(),
            ..GroupMember::default()
        };
        let members = vec![member(&[("in", 0), ("other", 1)]), member(&[("in", 2)])];
        let group = GroupDescription { members, ..GroupDescription::default() };
        assert_eq!(missing(&group, "in", 4), [PartitionId(1), PartitionId(3)]);
        assert_eq!(missing(&group, "other", 1), [PartitionId(0)]);
    }
}
