//! An instance is lost for good in the middle of a commit, and one of another name goes on.

use std::time::{Duration, Instant};

use testkit::{SOON, Scenario};

const EVENTS: &[&str] = &[
    "--seed",
    "43",
    "--users",
    "500",
    "--events-per-second-of-event-time",
    "100",
    "--share-late",
    "0.05",
    "--late-by",
    "1m",
];

/// How long a transaction of theirs hides records if nobody ends it: longer than anything here is
/// waited for.
const TRANSACTION: Duration = Duration::from_mins(10);

fn flags<'a>(instance: &'a str, transaction: &'a str) -> [&'a str; 8] {
    [
        "--instance-id",
        instance,
        "--session-timeout",
        "6s",
        "--commit-interval",
        "100ms",
        "-X",
        transaction,
    ]
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_an_instance_that_is_gone_has_left_open_is_ended_by_one_of_another_name() {
    let scenario = Scenario::new("departed");
    let produced = scenario.producing(&[EVENTS, &["--rate", "2000"]].concat());
    let transaction = format!("transaction.timeout.ms={}", TRANSACTION.as_millis());
    let mut first = scenario.command("group", "first", &flags("one", &transaction));
    // Its records hide those of others, and its offsets wait in the group.
    first.env("FAILPOINTS", "offsets-sent=20*off->return");
    let mut first = scenario.spawn(first);
    first.wait(SOON);
    assert!(first.log().contains("failpoint: killed"), "{}", first.tail());
    let gone = Instant::now();
    let mut second = scenario.serve_group("group", "second", &flags("two", &transaction));
    second.wait_for_line("the transaction that it left open is ended");
    second.wait_for_epochs(3.0);
    println!("goes on after {:?}", gone.elapsed());
    assert!(gone.elapsed() < TRANSACTION / 4, "{}", second.tail());
    let log = second.log();
    assert!(log.contains("instance=\"one\"") || log.contains("instance=one"), "{}", second.tail());
    produced.stop();
    second.stop();
    let end = [&flags("two", &transaction)[..], &["--exit-at-end"]].concat();
    scenario.start_group("group", "second", &end).ends_with(0);
    // It reads what was committed: nothing is hidden any more.
    println!("{}", scenario.verify(&["--expect-complete"]));
    assert!(gone.elapsed() < TRANSACTION, "nothing has expired meanwhile");
}
