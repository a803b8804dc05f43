//! `logintide check-config` on brokers whose settings and ACLs stop a run.

use testkit::Scenario;

use crate::{check::exits, own_broker::OwnBroker};

fn acl(broker: &OwnBroker, allow: &str, operation: &str, resource: [&str; 2]) {
    let address = broker.address();
    let class = "org.apache.kafka.tools.AclCommand";
    let [kind, name] = resource;
    let all = ["--bootstrap-server", &address, "--add", "--operation", operation, kind, name];
    let principal = [allow, "User:ANONYMOUS"];
    broker.script("exec", &[&[class], all.as_slice(), &principal].concat());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_transactions_and_acls_lack_is_named_before_a_run_fails_of_it() {
    let mut broker = OwnBroker::new();
    for setting in [
        "transaction.state.log.replication.factor=3",
        "transaction.state.log.min.isr=2",
        "transaction.max.timeout.ms=30000",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found=true",
    ] {
        broker.set(setting);
    }
    broker.start();
    let scenario = Scenario::on("check-cluster", broker.address());
    scenario.produce(&["--count", "100"]);
    let said = exits(&scenario.check_config(&[]), 2);
    for part in [
        "3 problems",
        "transaction.state.log.replication.factor=3, more than the number of running brokers (1)",
        "transaction.state.log.min.isr=2, more than the number of running brokers (1)",
        "transaction.timeout.ms=60000 is above the brokers' transaction.max.timeout.ms=30000",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let relaxed = ["--delivery", "at-least-once"];
    exits(&scenario.check_config(&relaxed), 0);
    scenario.start(&[&relaxed[..], &["--exit-at-end"]].concat()).ends_with(0);

    let (input, late) = (scenario.topic("input"), scenario.topic("late"));
    let group = scenario.topic("group");
    for operation in ["Describe", "DescribeConfigs"] {
        acl(&broker, "--allow-principal", operation, ["--topic", &input]);
    }
    acl(&broker, "--deny-principal", "All", ["--topic", &late]);
    acl(&broker, "--allow-principal", "Describe", ["--group", &group]);
    let said = exits(&scenario.check_config(&relaxed), 2);
    for part in [
        "3 problems",
        "(--input-topic): this user may not Read it; add an ACL that allows Read",
        "(--late-topic): ",
        "(--group-id): this user may not Read it, so it cannot join",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}
