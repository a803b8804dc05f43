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
fn what_transactions_lack_is_named_before_a_run_fails_of_it() {
    let mut broker = OwnBroker::new();
    for setting in [
        "transaction.state.log.replication.factor=3",
        "transaction.state.log.min.isr=2",
        "transaction.max.timeout.ms=30000",
    ] {
        broker.set(setting);
    }
    broker.start();
    let scenario = Scenario::on("check-cluster", broker.address());
    scenario.produce(&["--count", "100"]);
    for delivery in ["exactly-once", "at-least-once"] {
        let said = exits(&scenario.check_config(&["--delivery", delivery]), 2);
        for part in [
            "3 problems",
            "transaction.state.log.replication.factor=3, more than the number of running brokers",
            "transaction.state.log.min.isr=2, more than the number of running brokers (1)",
            "transaction.timeout.ms=60000 is above the brokers' transaction.max.timeout.ms=30000",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_acls_lack_is_named_before_a_run_fails_of_it() {
    let mut broker = OwnBroker::new();
    broker.set("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    broker.set("allow.everyone.if.no.acl.found=true");
    broker.start();
    let scenario = Scenario::on("check-acls", broker.address());
    scenario.produce(&["--count", "100"]);
    exits(&scenario.check_config(&[]), 0);
    scenario.start(&["--exit-at-end"]).ends_with(0);

    let [input, late, group] = ["input", "late", "group"].map(|name| scenario.topic(name));
    let journal = scenario.topic("group-journal");
    for operation in ["Describe", "DescribeConfigs"] {
        acl(&broker, "--allow-principal", operation, ["--topic", &input]);
        acl(&broker, "--allow-principal", operation, ["--topic", &journal]);
    }
    acl(&broker, "--deny-principal", "All", ["--topic", &late]);
    acl(&broker, "--allow-principal", "Describe", ["--group", &group]);
    let said = exits(&scenario.check_config(&[]), 2);
    for part in [
        "5 problems",
        "(--input-topic): this user may not Read it; add an ACL that allows Read",
        "(--late-topic): ",
        "(--journal-topic): this user may not Write it; add an ACL that allows Write",
        "(--journal-topic): this user may not Read it; add an ACL that allows Read",
        "(--group-id): this user may not Read it, so it cannot join",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    acl(&broker, "--deny-principal", "Describe", ["--group", &group]);
    let said = exits(&scenario.check_config(&[]), 2);
    let part = "(--group-id): this user may not Describe it, so a run can neither join it nor see";
    assert!(said.contains("5 problems") && said.contains(part), "{said}");
}
