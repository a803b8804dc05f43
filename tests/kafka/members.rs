//! Who is in a group, as its coordinator says.

use logintide::kafka::{Admin, GroupDescription, describe_group};
use testkit::{Scenario, until};

use crate::client::support::{PATIENCE, client};

/// What the coordinator says of the scenario's `group`, once there is one.
pub(crate) fn described(scenario: &Scenario) -> GroupDescription {
    let admin = Admin::new(&client(scenario.brokers(), &[])).expect("an admin client");
    let group = scenario.topic("group");
    until("the coordinator answers", || match describe_group(&admin, &group, PATIENCE) {
        Err(error) if error.is_retriable() => None,
        answer => Some(answer.expect("a description")),
    })
}

/// Instance ids of the members, in order.
pub(crate) fn members(scenario: &Scenario) -> Vec<String> {
    let mut names: Vec<_> =
        described(scenario).members.into_iter().map(|member| member.instance_id).collect();
    names.sort();
    names
}

/// Waits until the group is stable with so many members, each of which has partitions.
pub(crate) fn wait_until_stable(scenario: &Scenario, count: usize) {
    wait_until_so_many_have_partitions(scenario, count, count);
}

/// Waits until the group is stable with so many members, and so many of them have partitions.
pub(crate) fn wait_until_so_many_have_partitions(scenario: &Scenario, count: usize, with: usize) {
    until(&format!("a stable group of {count}, {with} with partitions"), || {
        let group = described(scenario);
        let have = group.members.iter().filter(|member| !member.assigned.is_empty()).count();
        (group.state == "Stable" && group.members.len() == count && have == with).then_some(())
    });
}
