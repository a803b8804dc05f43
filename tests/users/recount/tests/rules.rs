//! Each rule, at and beside its limits.

use super::{
    super::{DAY_S, PlainLogin, PlainSettings},
    alerts, login, settings,
};

/// Ten hourly logins at a place, and the time of the last.
fn ten_at(place: &str) -> (Vec<PlainLogin>, i64) {
    let logins = (0..10).map(|it| login(1, it * 3_600).device(1).place(place)).collect();
    (logins, 9 * 3_600)
}

#[test]
fn travel_is_impossible_from_500_km_and_900_kmh() {
    for (place, after_s, fires) in [
        ("900", 3_600, true),
        ("900", 3_601, false),
        ("500", 2_000, true),
        ("500", 2_001, false),
        ("499", 60, false),
        ("500", -2_000, true),
        ("500", -2_001, false),
    ] {
        let (mut logins, last) = ten_at("0");
        logins.push(login(1, last + after_s).place(place));
        let lateness = PlainSettings { allowed_lateness_s: DAY_S, ..settings() };
        let expected = format!("10 impossible_travel high 0: from 0 at 9 gap {place}");
        let expected = if fires { vec![expected] } else { vec![] };
        assert_eq!(alerts(&logins, &lateness), expected, "{place} {after_s}");
    }
}

#[test]
fn a_jump_leaves_the_trusted_place_until_both_are_habitual() {
    let (mut logins, last) = ten_at("0");
    let away = |after_s: i64| login(1, last + after_s).place("9000");
    logins.extend([away(3_600).device(1), away(7_200).device(2), away(9_000)]);
    // The fourth time the place is habitual, and so is the other.
    logins.push(away(14_400));
    logins.push(login(1, last + 14_460).place("0"));
    // From both, and nearer in time to the one that came last.
    logins.push(login(1, last + 18_060).place("4000").device(2));
    let expected = [
        "10 impossible_travel low 0: from 0 at 9 gap 9000",
        "11 impossible_travel high 0: from 0 at 9 gap 9000",
        "15 impossible_travel low 1: from 0 at 14 gap 4000",
    ];
    assert_eq!(alerts(&logins, &settings()), expected);
}

#[test]
fn a_place_that_was_jumped_to_is_not_trusted() {
    let (mut logins, last) = ten_at("0");
    logins.push(login(1, last + 3_600).place("9000"));
    logins.push(login(1, last + 7_200).place("8000"));
    let expected = [
        "10 impossible_travel high 0: from 0 at 9 gap 9000",
        "11 impossible_travel high 0: from 0 at 9 gap 8000",
    ];
    assert_eq!(alerts(&logins, &settings()), expected);
}

#[test]
fn a_user_of_fourteen_days_can_travel_impossibly() {
    let at = |at_s: i64, place: &str| login(1, at_s).place(place);
    let logins = |at_s| [at(0, "0"), at(14 * DAY_S - 60, "0"), at(at_s, "700")];
    assert!(alerts(&logins(14 * DAY_S - 1), &settings()).is_empty());
    let expected = "2 impossible_travel high 0: from 0 at 1 gap 700";
    assert_eq!(alerts(&logins(14 * DAY_S), &settings()), [expected]);
}

#[test]
fn five_places_among_the_last_ten_say_nothing_about_travel() {
    for (places, fires) in [(["0", "1", "2", "3", "3"], true), (["0", "1", "2", "3", "4"], false)] {
        let (mut logins, last) = ten_at("0");
        logins.extend(places.map(|place| login(1, last).place(place)));
        logins.push(login(1, last).place("5000"));
        assert_eq!(alerts(&logins, &settings()).len(), usize::from(fires));
    }
}

#[test]
fn the_eleventh_place_before_a_jump_has_left() {
    for (fourths, fires) in [(6, false), (7, true)] {
        let (mut logins, last) = ten_at("0");
        logins.extend(["1", "2", "3"].map(|place| login(1, last).place(place)));
        logins.extend(vec![login(1, last).place("4"); fourths]);
        logins.push(login(1, last).place("5000"));
        let mut given = alerts(&logins, &settings());
        given.retain(|it| it.contains("impossible_travel"));
        assert_eq!(given.len(), usize::from(fires));
    }
}

#[test]
fn a_device_has_two_types_and_a_highest_version() {
    let of = |hour: i64, name: &str| login(1, hour * 3_600).device(1).device_type(name);
    let logins = [of(0, "a"), of(1, "b"), of(2, "a"), of(3, "c"), of(4, "a")];
    let expected = [
        "1 device_contradiction high 0: type a last 0",
        "3 device_contradiction high 0: type b last 2",
        "4 device_contradiction high 0: type c last 3",
    ];
    assert_eq!(alerts(&logins, &settings()), expected);
    let of = |hour: i64, name: &str| login(1, hour * 3_600).device(1).app_version(name);
    let logins =
        [of(0, "1.9"), of(1, "1.10"), of(2, "x"), of(3, "1.9.1"), of(4, "1.10"), of(5, "1")];
    let expected = [
        "3 device_contradiction low 0: version 1.10 last 2",
        "5 device_contradiction low 0: version 1.10 last 4",
    ];
    assert_eq!(alerts(&logins, &settings()), expected);
}

#[test]
fn after_a_contradiction_the_lower_version_counts() {
    let of = |hour: i64, name: &str| login(1, hour * 3_600).device(1).app_version(name);
    let expected = "1 device_contradiction low 0: version 2 last 0";
    assert_eq!(alerts(&[of(0, "2"), of(1, "1"), of(2, "1.0")], &settings()), [expected]);
}

#[test]
fn a_device_with_contradictions_of_four_users_is_shared() {
    let mut logins = Vec::new();
    for user in 1..=6 {
        logins.push(login(user, 0).device(1).device_type("a"));
        logins.push(login(user, 0).device(1).device_type("b"));
    }
    let given: Vec<_> =
        alerts(&logins, &settings()).into_iter().map(|it| it[..1].to_owned()).collect();
    assert_eq!(given, ["1", "3", "5", "7"]);
}

/// Ten logins two minutes apart, with this many devices.
fn rotating(devices: u32, version: &str) -> Vec<PlainLogin> {
    let of = |it: u32| login(1, i64::from(it) * 120).device(it % devices).app_version(version);
    (0..10).map(of).collect()
}

#[test]
fn seven_devices_in_ten_logins_rotate() {
    let expected = "9 device_rotation high 0: 7 devices 10 logins";
    assert_eq!(alerts(&rotating(7, "1"), &settings()), [expected]);
    assert!(alerts(&rotating(6, "1"), &settings()).is_empty());
    // The seventh device comes with the fourteenth login, then with the fifteenth.
    for (before, expected) in
        [(7, vec!["13 device_rotation high 0: 7 devices 14 logins"]), (8, vec![])]
    {
        let mut logins = vec![login(1, 0); before];
        logins.extend(rotating(7, "1"));
        let mut given = alerts(&logins, &settings());
        given.retain(|it| it.contains("device_rotation"));
        assert_eq!(given, expected);
    }
}

#[test]
fn a_version_that_rotates_ids_is_quiet() {
    for (users, quiet) in [(91, false), (92, true)] {
        let mut logins = Vec::new();
        for user in 100..100 + users {
            logins.push(login(user, 0).device(1).app_version("1"));
            logins.push(login(user, 0).device(2).app_version("1"));
        }
        // Eight of the nine logins before the tenth are not the first and have a device.
        logins.extend(rotating(7, "1"));
        assert_eq!(alerts(&logins, &settings()).is_empty(), quiet, "{users}");
    }
}

#[test]
fn a_burst_is_ten_logins_in_ten_minutes_for_a_quiet_user() {
    let logins = |apart_s: i64| -> Vec<_> { (0..10).map(|it| login(1, it * apart_s)).collect() };
    // The tenth is at second 594, of minute 9; at second 603 it is of minute 10.
    assert_eq!(alerts(&logins(66), &settings()), ["9 login_burst medium 0: 10 logins"]);
    assert!(alerts(&logins(67), &settings()).is_empty());
}

#[test]
fn a_burst_is_more_for_a_busy_user() {
    // One in 30 s for a day fires from the tenth, and is given each hour: at logins 9, 129, ...
    // 2 769. The 110 after that are held back.
    let mut logins: Vec<_> = (0..2_880).map(|it| login(1, it * 30)).collect();
    logins.extend((0..11).map(|it| login(1, DAY_S + 43_200 + it * 10)));
    let given = alerts(&logins, &settings());
    assert_eq!(given.len(), 25);
    assert_eq!(given[0], "9 login_burst medium 0: 10 logins");
    assert_eq!(given[1], "129 login_burst medium 119: 20 logins");
    // The mean is 288 a day, so 2 + 6 x 1.41 = 10.49 are needed.
    assert_eq!(given[24], "2890 login_burst medium 110: 11 logins");
}

#[test]
fn a_return_after_ninety_days_with_all_new() {
    let first = login(1, 0).device(1).network(1);
    let back =
        |at_s, network| [first.clone(), first.clone(), login(1, at_s).device(2).network(network)];
    let expected = "2 dormant_return medium 0: last 0";
    assert_eq!(alerts(&back(90 * DAY_S, 2), &settings()), [expected]);
    assert!(alerts(&back(90 * DAY_S, 1), &settings()).is_empty());
    assert!(alerts(&back(90 * DAY_S - 1, 2), &settings()).is_empty());
    let known = [first.clone(), login(1, 90 * DAY_S).device(1).network(2)];
    assert!(alerts(&known, &settings()).is_empty());
    let elsewhere = [first, login(1, 90 * DAY_S).device(2).network(1).place("1")];
    assert_eq!(alerts(&elsewhere, &settings()), ["1 dormant_return medium 0: last 0"]);
}

/// Five days of one habit.
fn habit(user: u64) -> Vec<PlainLogin> {
    let of = |day| {
        let login = login(user, day * DAY_S + 36_000).device(1).network(1);
        login.device_type("phone").app_version("1.0").locale("de")
    };
    (0..5).map(of).collect()
}

fn unfamiliar(user: u64) -> PlainLogin {
    let login = login(user, 5 * DAY_S + 79_200).device(9).network(9);
    login.device_type("tv").app_version("2.0").locale("fr")
}

#[test]
fn a_login_with_all_new_is_unfamiliar() {
    let mut logins = habit(1);
    logins.push(unfamiliar(1));
    // Names: N = 5, K = 3, p = 1/8, p(x|u) = 1/28: ln(77/12), three times.
    // Hour: N = 5, K = 24, p = 1/29, p(x|u) = 2/203: ln(10759/2784).
    // Device and network: m = 4, rho = 1/6, P = 1/12: ln(11.4), twice.
    let score = 3.0 * (77.0_f64 / 12.0).ln() + (10_759.0_f64 / 2_784.0).ln() + 2.0 * 11.4_f64.ln();
    let expected = format!("5 unfamiliar_login medium 0: score {score:.6}");
    assert_eq!(alerts(&logins, &settings()), [expected]);
    logins.remove(0);
    assert!(alerts(&logins, &settings()).is_empty(), "four logins are too few");
}

#[test]
fn a_login_is_unfamiliar_to_a_user_of_three_days() {
    for (after_s, given) in [(3 * DAY_S - 1, 0), (3 * DAY_S, 1)] {
        let mut logins: Vec<_> =
            habit(1).into_iter().map(|it| PlainLogin { at_s: 36_000, ..it }).collect();
        let at_s = 36_000 + after_s;
        logins.push(PlainLogin { at_s, appended_s: at_s, ..unfamiliar(1) });
        assert_eq!(alerts(&logins, &settings()).len(), given);
    }
}

#[test]
fn unfamiliar_logins_are_as_many_as_the_shards_share_of_a_day() {
    let mut logins = Vec::new();
    for day in 0..5 {
        logins.extend((1..=4).map(|user| habit(user)[day].clone()));
    }
    logins.extend((1..=4).map(unfamiliar));
    for (shards, given) in [(1, 4), (400, 3), (500, 2), (999, 2), (1_000, 1)] {
        let settings = PlainSettings { shards, ..settings() };
        assert_eq!(alerts(&logins, &settings).len(), given, "{shards}");
    }
}
