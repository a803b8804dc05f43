//! Who is in a group, as its coordinator says.

use logintide::kafka::{Admin, GroupDescription, describe_group};
use testkit::{Scenario, until};

use crate::client::support::{PATIENCE, client};

/// What the coordinator says of the scenario's `group`.
pub(crate) fn described(scenario: &Scenario) -> GroupDescription {
    let admin = Admin::new(&client(scenario.brokers(), &[])).expect("an admin client");
    describe_group(&admin, &scenario.topic("group"), PATIENCE).expect("the coordinator answers")
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
    until(&format!("a stable group of {count}"), || {
        let group = described(scenario);
        let all_have = group.members.iter().all(|member| !member.assigned.is_empty());
        (group.state == "Stable" && group.members.len() == count && all_have).then_some(())
    });
}
