//! Instances are killed, lose their folder, and hang for longer than their session.

use std::time::Instant;

use testkit::Scenario;

use super::super::group::Group;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_merger_is_killed_and_its_folder_lost_and_all_is_exact() {
    let mut group = Group::begin(Scenario::new("merger-killed"), 3, &[]);
    let merger = group.merger();
    group.instances[merger].kill();
    let lost = Instant::now();
    group.instances[merger].lose_state(group.scenario());
    group.is_taken_over(lost, 8);
    assert_ne!(group.merger(), merger);
    group.start(merger);
    group.all_go_on();
    group.is_exact();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_instance_that_hung_for_longer_than_its_session_comes_back_by_itself() {
    let mut group = Group::begin(Scenario::new("hung"), 3, &[]);
    // Its transaction is open, or about to be, and its offsets are those of partitions that others
    // read by then.
    let merger = group.merger();
    group.instances[merger].pause();
    group.wait_for_others(merger, 8);
    group.instances[merger].resume();
    group.all_go_on();
    let ready = group.instances[merger].served().get("/readyz").expect("an answer");
    assert!(ready.contains("\"ready\":true"), "{ready}");
    group.is_exact();
}
