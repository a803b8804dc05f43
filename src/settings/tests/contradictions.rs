//! Settings that are right by themselves and cannot hold together.

use super::{configured, problem};

#[test]
fn contradictions_name_both_settings_and_the_remedy() {
    for (arguments, expected) in [
        (
            &["--commit-interval=3s", "-Xtransaction.timeout.ms=8000"][..],
            "invalid value '3s' for '--commit-interval': expected at most 2s, a quarter of -X \
             transaction.timeout.ms=8000: ",
        ),
        (
            &["-Xtransaction.timeout.ms=20000", "-Xmessage.timeout.ms=30000"],
            "-X message.timeout.ms=30000 is above -X transaction.timeout.ms=20000 (0 means no \
             limit): ",
        ),
        (
            &["-Xdelivery.timeout.ms=0"],
            "-X delivery.timeout.ms=0 is above transaction.timeout.ms=30000 (0 means no limit)",
        ),
        (
            &["--delivery=at-least-once", "-Xmessage.timeout.ms=90000"],
            "-X message.timeout.ms=90000 is above transaction.timeout.ms=30000 (0 means no limit)",
        ),
        (
            &["-Xheartbeat.interval.ms=6000", "--session-timeout=6s"],
            "-X heartbeat.interval.ms=6000 is not below --session-timeout 6s: ",
        ),
        (
            &["-Xmax.poll.interval.ms=9000"],
            "-X max.poll.interval.ms=9000 is below --session-timeout 10s; ",
        ),
        (
            &["-Xsession.timeout.ms=6000"],
            "invalid value '6000' for '-X session.timeout.ms': this property cannot be set; use \
             --session-timeout",
        ),
        (
            &["--memory-budget=32MiB", "--workers=64"],
            "invalid value '32MiB' for '--memory-budget': expected at least 204MiB, which \
             --workers 64 needs; ",
        ),
        (
            &["-Xgroup.id=x"],
            "invalid value 'x' for '-X group.id': this property cannot be set; use --group-id",
        ),
        (
            &["-Xlinger=5"],
            "invalid value '5' for '-X linger': No such configuration property: \"linger\"; see ",
        ),
        (&["-Xretries=many"], "invalid value 'many' for '-X retries': "),
    ] {
        let text = problem(arguments);
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn times_follow_from_the_session_and_from_a_transaction_timeout_that_is_given() {
    let times = |arguments: &[&str]| {
        let timing = configured(arguments).expect("right").timing;
        let times = [timing.session(), timing.transaction(), timing.delivery()];
        times.map(|time| time.as_millis())
    };
    assert_eq!(times(&[]), [10_000, 30_000, 15_000]);
    assert_eq!(times(&["--session-timeout=20s"]), [20_000, 60_000, 30_000]);
    assert_eq!(times(&["-Xtransaction.timeout.ms=9000"]), [10_000, 9_000, 4_500]);
}

#[test]
fn what_does_not_contradict_is_taken() {
    let at_least_once = "--delivery=at-least-once";
    for arguments in [
        &["-Xmax.poll.interval.ms=20000", "-Xheartbeat.interval.ms=5000"][..],
        &["-Xtransaction.timeout.ms=60000", "--commit-interval=15s"],
        &["-Xtransaction.timeout.ms=5000"],
        &["--commit-interval=15s"],
        &["--session-timeout=30m"],
        &["-Xmessage.timeout.ms=30000"],
        &[at_least_once, "--commit-interval=60s"],
        &["--memory-budget=32MiB", "--workers=6"],
    ] {
        configured(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    }
}
