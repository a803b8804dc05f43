//! Settings that are right by themselves and cannot hold together.

use super::{configured, problem};

#[test]
fn contradictions_name_both_settings_and_the_remedy() {
    for (arguments, expected) in [
        (
            &["--commit-interval=10s", "-Xmax.poll.interval.ms=15000", "-Xsession.timeout.ms=6000"]
                [..],
            "invalid value '10s' for '--commit-interval': expected at most 7.5s, half of -X \
             max.poll.interval.ms=15000: ",
        ),
        (
            &["--commit-interval=3s", "-Xtransaction.timeout.ms=8000", "-Xmessage.timeout.ms=8000"],
            "invalid value '3s' for '--commit-interval': expected at most 2s, a quarter of -X \
             transaction.timeout.ms=8000: ",
        ),
        (
            &["-Xtransaction.timeout.ms=20000"],
            "message.timeout.ms=30000 is above -X transaction.timeout.ms=20000 (0 means no limit)",
        ),
        (
            &["-Xdelivery.timeout.ms=0"],
            "-X delivery.timeout.ms=0 is above transaction.timeout.ms=60000 (0 means no limit)",
        ),
        (
            &["--delivery=at-least-once", "-Xmessage.timeout.ms=90000"],
            "-X message.timeout.ms=90000 is above transaction.timeout.ms=60000 (0 means no limit)",
        ),
        (
            &["-Xheartbeat.interval.ms=6000", "-Xsession.timeout.ms=6000"],
            "-X heartbeat.interval.ms=6000 is not below -X session.timeout.ms=6000: ",
        ),
        (
            &["-Xsession.timeout.ms=600000"],
            "-X session.timeout.ms=600000 is above max.poll.interval.ms=300000; ",
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
fn what_does_not_contradict_is_taken() {
    let at_least_once = "--delivery=at-least-once";
    for arguments in [
        &["--commit-interval=10s", "-Xmax.poll.interval.ms=20000", "-Xsession.timeout.ms=6000"][..],
        &["-Xtransaction.timeout.ms=60000", "--commit-interval=15s"],
        &["-Xmessage.timeout.ms=60000"],
        &[at_least_once, "--commit-interval=60s"],
        &["--memory-budget=32MiB", "--workers=6"],
    ] {
        configured(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    }
}
