//! Lateness, learning, what is held back, names, absent profiles, sessions.

use super::{
    super::{DAY_S, PlainLogin, PlainSettings},
    alerts, count, login, settings,
};

/// A login whose device has a type that it did not have before.
fn contradicting(at_s: i64, name: &str) -> PlainLogin {
    login(1, at_s).device(1).device_type(name)
}

#[test]
fn the_watermark_is_the_highest_of_the_lower_times() {
    let lateness = PlainSettings { allowed_lateness_s: 5, ..settings() };
    let logins = [
        login(1, 5_000).appended(1_000),
        login(1, 994),
        login(1, 995),
        login(1, 900).appended(7_000),
        login(1, 1_100).appended(1_200),
        login(1, 1_094),
        login(1, 1_095),
    ];
    assert_eq!(count(&logins, &lateness).2, 3);
    let sessions = count(&logins[..2], &lateness).1;
    assert_eq!((sessions.len(), sessions[0].start_s), (1, 5_000), "a late login does nothing else");
}

#[test]
fn a_shard_learns_for_a_time_and_a_number_of_logins() {
    let logins: Vec<PlainLogin> = [(0, "a"), (50, "b"), (99, "c"), (100, "d"), (100, "e")]
        .map(|(at_s, name)| contradicting(at_s, name))
        .to_vec();
    let learning = PlainSettings { shards: 3, learn_s: 100, learn_logins: 9, ..settings() };
    let fourth = "3 device_contradiction high 0: type c last 2";
    assert_eq!(alerts(&logins, &learning), [fourth], "the fifth is held back");
    let learning = PlainSettings { learn_logins: 10, ..learning };
    // The fourth is of the same second as the fifth and came first.
    assert_eq!(alerts(&logins, &learning), ["4 device_contradiction high 0: type d last 3"]);
}

#[test]
fn an_alert_is_held_back_within_an_hour_before_and_after() {
    let logins = [
        contradicting(9_999, "a"),
        contradicting(10_000, "b"),
        contradicting(13_599, "c"),
        contradicting(6_401, "d"),
        contradicting(6_400, "e"),
        contradicting(13_600, "f"),
    ];
    let lateness = PlainSettings { allowed_lateness_s: DAY_S, ..settings() };
    let expected = [
        "1 device_contradiction high 0: type a last 0",
        "4 device_contradiction high 2: type d last 2",
        "5 device_contradiction high 0: type e last 2",
    ];
    assert_eq!(alerts(&logins, &lateness), expected);
}

#[test]
fn a_name_that_is_too_long_or_beyond_the_number_is_missing() {
    let long = "x".repeat(65);
    let logins = [contradicting(0, "a"), contradicting(1, &long)];
    assert!(alerts(&logins, &settings()).is_empty());
    let logins = [contradicting(0, "a"), contradicting(1, &long[1..])];
    assert_eq!(alerts(&logins, &settings()).len(), 1);
    let mut logins: Vec<PlainLogin> =
        (0..63).map(|user| login(user + 100, 0).device_type(&format!("type {user}"))).collect();
    logins.extend([contradicting(0, "type 0"), contradicting(1, "type 63")]);
    assert!(alerts(&logins, &settings()).is_empty());
    logins.push(contradicting(2, "type 62"));
    let expected = "65 device_contradiction high 0: type type 0 last 64";
    assert_eq!(alerts(&logins, &settings()), [expected]);
}

#[test]
fn a_profile_is_absent_once_its_last_login_is_older_than_its_time_to_live() {
    let ttl = 180 * DAY_S;
    for (at_s, is_new) in [(ttl, true), (ttl + 1, false)] {
        let (_, sessions, _) =
            count(&[login(1, 0).device(1), login(1, at_s).device(2)], &settings());
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[1].new_device, is_new, "{at_s}");
    }
}

#[test]
fn a_session_ends_half_an_hour_after_its_last_login() {
    let lateness = PlainSettings { allowed_lateness_s: 10_000, ..settings() };
    let logins = [
        login(7, 10_000).device(1).network(1).place("1"),
        login(7, 11_800).device(2).network(1),
        login(7, 8_200).device(1).place("1"),
        login(7, 6_399).device(3),
        login(7, 13_601).device(4).network(2),
        login(3, 50_000),
        login(7, 45_000).device(4),
    ];
    let (_, sessions, late) = count(&logins, &lateness);
    assert_eq!(late, 0);
    let spans: Vec<_> =
        sessions.iter().map(|it| (it.user, it.start_s, it.end_s, it.logins)).collect();
    let expected = [
        (7, 6_399, 6_399, 1),
        (7, 8_200, 11_800, 3),
        (7, 13_601, 13_601, 1),
        (3, 50_000, 50_000, 1),
        (7, 45_000, 45_000, 1),
    ];
    assert_eq!(spans, expected);
    let long = &sessions[1];
    assert_eq!((long.devices, long.networks, long.places), (2, 1, 1));
    assert_eq!((long.new_device, long.new_network, long.new_place), (true, false, false));
    assert!(sessions[2].new_device && sessions[2].new_network && !sessions[2].new_place);
    assert!(!sessions[4].new_device && sessions.iter().all(|it| !it.rare_hour));
}

#[test]
fn a_session_tells_eight_apart() {
    let logins: Vec<PlainLogin> = (0..9).map(|it| login(1, 0).device(it).network(it)).collect();
    let (_, sessions, _) = count(&logins, &settings());
    assert_eq!((sessions[0].logins, sessions[0].devices, sessions[0].networks), (9, 8, 8));
}

#[test]
fn a_session_at_a_rare_hour_says_so() {
    let mut logins: Vec<PlainLogin> =
        (0..30).map(|it| login(1, it * DAY_S + it % 3 * 3_600)).collect();
    logins.push(login(1, 30 * DAY_S + 12 * 3_600));
    let (_, sessions, _) = count(&logins, &settings());
    assert!(sessions[30].rare_hour && !sessions[29].rare_hour);
}
