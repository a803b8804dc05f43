//! One of several instances is cut off from the brokers, or dies together with one of them.

use std::time::Duration;

use testkit::Scenario;

use crate::{
    many::group::{Group, LIVE},
    own_broker::OwnBroker,
};

/// Longest time until the replicas of a node that is back have caught up.
const CATCH_UP: Duration = Duration::from_mins(2);

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_instance_that_was_cut_off_for_longer_than_its_session_comes_back_by_itself() {
    let (broker, proxy) = OwnBroker::behind_a_proxy();
    broker.start();
    let mut group = Group::new(Scenario::on("cut-off", broker.direct()), 3, &[]);
    group.instances[0].set_way(&proxy.address());
    group.start_all();
    assert!(proxy.passed_bytes() > 0, "one goes through the proxy");
    // Until the cut of no length.
    proxy.cut_for(Duration::from_hours(1));
    group.wait_for_others(0, 8);
    assert!(proxy.refused_connections() > 0, "it tries to come back");
    let passed = proxy.passed_bytes();
    group.wait_for_others(0, 8);
    assert_eq!(proxy.passed_bytes(), passed, "the others do not need the proxy");
    proxy.cut();
    group.all_go_on();
    group.is_exact();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_node_and_an_instance_that_die_together_change_no_result() {
    let cluster = OwnBroker::cluster(3);
    cluster.start();
    let scenario = Scenario::on("both-die", cluster.address());
    let replicated = ["--replication", "3", "--topic-config", "min.insync.replicas=2"];
    let events = [LIVE, &replicated].concat();
    let mut group = Group::with_events(scenario, 3, &events, &[]);
    group.start_all();
    let leads = cluster.leads(1);
    assert!(leads > 0, "node 1 leads nothing: killing it proves nothing");
    let merger = group.merger();
    group.instances[merger].kill();
    cluster.kill_node(1);
    group.wait_for_others(merger, 8);
    cluster.start_node(1);
    cluster.wait_in_sync(CATCH_UP);
    group.start(merger);
    group.all_go_on();
    group.is_exact();
}
