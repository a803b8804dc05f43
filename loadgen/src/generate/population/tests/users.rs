//! The users: each has devices, homes and habits, and keeps them.

use std::collections::HashSet;

use super::*;
use crate::generate::population::label::Cause;

fn distinct<'a>(events: &[&'a Seen], of: impl Fn(&'a Seen) -> String) -> HashSet<String> {
    events.iter().map(|event| of(event)).collect()
}

#[test]
fn a_user_keeps_devices_networks_and_state() {
    let still = [("devices.replaced_per_year", 0.0), ("home.moves_per_year", 0.0)];
    let changes = [&PEACE[..], &still, &[("travel.share_of_users", 0.0)]].concat();
    let changes = [&changes[..], &[("vpn.share_of_users", 0.0)]].concat();
    // 30 days, about 200 logins for each of 200 users.
    let events = seen(&plan(file(&changes), 200, 40_000.0 / 30.0), 40_000);
    let users = by_user(&events);
    assert_eq!(users.len(), 200);
    let mut devices = [0; 5];
    for (user, events) in &users {
        let owned = distinct(events, |event| event.device.clone()).len();
        assert!(owned <= 4, "{user} has {owned} devices");
        devices[owned] += 1;
        assert_eq!(distinct(events, |event| event.state.to_string()).len(), 1, "{user}");
        let mut networks: HashMap<Owner, HashSet<String>> = HashMap::new();
        for event in events {
            networks.entry(event.owner()).or_default().insert(event.network());
        }
        for (owner, found) in networks {
            // Each state has one carrier's network for so few users.
            assert_eq!(found.len(), 1, "{user} {owner:?}");
        }
    }
    // Of one, two and three devices; a fourth is a tablet.
    assert!(devices[1] > 70 && devices[2] > 40 && devices[3] > 10, "{devices:?}");
}

#[test]
fn a_device_has_one_type_one_owner_and_no_older_version_again() {
    let events = seen(&plan(file(&PEACE), 500, 400.0), 60_000);
    let number = |version: &str| {
        let parts = version.split('.').map(|part| part.parse::<u64>().expect("a number"));
        parts.fold(0, |sum, part| sum * 1_000 + part)
    };
    let mut known: HashMap<&str, (&str, u64, HashSet<&str>)> = HashMap::new();
    let named = events.iter().filter(|it| it.device != "unknown" && !it.device.starts_with("0000"));
    for event in named {
        let version = number(&event.version);
        let known = known.entry(&event.device);
        let (device_type, newest, owners) =
            known.or_insert((&event.device_type, version, HashSet::new()));
        assert_eq!(*device_type, event.device_type);
        assert!(version >= *newest, "{event:?}");
        *newest = version;
        owners.insert(&event.user);
        let is_tablet = event.mark == Some(Mark::Benign(Cause::SharedTablet));
        assert!(owners.len() == 1 || is_tablet || event.mark.is_some(), "{event:?}");
    }
    let shared = known.values().filter(|(_, _, owners)| owners.len() > 1).count();
    assert!(shared > 0, "there are tablets");
    // 150 days at 0.4 a year: one in six devices is replaced.
    assert!(known.len() > 850, "{}", known.len());
    let versions: HashSet<&str> = events.iter().map(|event| event.version.as_str()).collect();
    assert!(versions.len() >= 7, "{versions:?}");
}

#[test]
fn a_shared_tablet_is_used_by_its_users_day_by_day() {
    let changes = [&PEACE[..], &QUIET, &[("tablets.share_of_users", 0.1)]].concat();
    let events = seen(&plan(file(&changes), 400, 8_000.0), 40_000);
    let mut days: HashMap<(&str, i64), HashSet<&str>> = HashMap::new();
    let on_tablet = |it: &&Seen| it.mark == Some(Mark::Benign(Cause::SharedTablet));
    for event in events.iter().filter(on_tablet) {
        let day = (&*event.device, event.timestamp / DAY_S);
        days.entry(day).or_default().insert(&event.user);
    }
    let users = days.values().map(HashSet::len);
    assert!(users.clone().all(|users| users <= 8));
    assert!(users.filter(|users| *users >= 2).count() * 2 > days.len(), "most days");
}

#[test]
fn a_carriers_network_has_a_thousand_users_and_a_new_address_for_each_login() {
    let changes = [&PEACE[..], &QUIET, &[("mobile.use", 1.0)]].concat();
    let events = seen(&plan(file(&changes), 40_000, 1e6), 100_000);
    let mut networks: HashMap<String, HashSet<&str>> = HashMap::new();
    for event in &events {
        networks.entry(event.network()).or_default().insert(&event.user);
    }
    // California has 12 % of the users: 4777 in 5 networks, of whom nine in ten are seen.
    let largest = networks.values().map(HashSet::len).max().expect("networks");
    assert!((800..1_500).contains(&largest), "{largest}");
    let again = by_user(&events).into_values().filter(|events| events.len() > 3);
    let mut all = 0;
    let mut new = 0;
    for events in again {
        all += events.len() - 1;
        new += events.windows(2).filter(|two| two[0].ip != two[1].ip).count();
    }
    assert!(new * 100 > all * 98, "{new} of {all}");
}

#[test]
fn work_is_on_weekdays_by_day_and_shared_with_colleagues() {
    let events = seen(&plan(file(&PEACE), 20_000, 20_000.0), 140_000);
    let mut colleagues: HashMap<String, HashSet<&str>> = HashMap::new();
    let mut addresses: HashMap<String, HashSet<&str>> = HashMap::new();
    for event in events.iter().filter(|event| event.owner() == Owner::Work) {
        let hours = event.timestamp.div_euclid(3_600) + STATES[event.state].utc_hours;
        assert!((9..17).contains(&(hours % 24)), "{event:?}");
        // 1970-01-01 was a Thursday.
        assert!((hours / 24 + 3) % 7 < 5, "{event:?}");
        colleagues.entry(event.network()).or_default().insert(&event.user);
        addresses.entry(event.network()).or_default().insert(&event.ip);
    }
    let largest = colleagues.values().map(HashSet::len).max().expect("networks");
    assert!((40..150).contains(&largest), "{largest}");
    assert!(addresses.values().all(|addresses| addresses.len() <= 2));
}

#[test]
fn a_trip_is_a_journey_away_from_home_with_the_same_devices() {
    let changes = [
        ("travel.share_of_users", 1.0),
        ("travel.trips_per_year", 12.0),
        ("vpn.share_of_users", 0.0),
        ("devices.replaced_per_year", 0.0),
    ];
    let events = seen(&plan(file(&[&PEACE[..], &changes].concat()), 100, 2_000.0), 120_000);
    let mut trips = 0;
    for (user, events) in by_user(&events) {
        let is_trip = |it: &Seen| it.mark == Some(Mark::Benign(Cause::Trip));
        let home = events.iter().find(|it| !is_trip(it)).expect("a login at home").state;
        let mut devices = HashSet::new();
        for pair in events.windows(2) {
            let [before, after] = [pair[0], pair[1]];
            assert_eq!(is_trip(after), after.state != home, "{after:?}");
            if before.state != after.state {
                trips += 1;
                let apart_s = after.timestamp - before.timestamp;
                assert!(apart_s >= 10 * 3_600, "{user} {apart_s} s");
            }
            if is_trip(after) {
                assert!(matches!(after.owner(), Owner::Hotel | Owner::Mobile), "{after:?}");
            }
            devices.insert(&after.device);
        }
        assert!(devices.len() <= 4, "{user}: {}", devices.len());
    }
    assert!(trips > 200, "{trips}");
}

#[test]
fn a_vpn_user_switches_among_a_few_exits_elsewhere_one_a_day() {
    let changes = [("vpn.share_of_users", 1.0), ("travel.share_of_users", 0.0)];
    let events = seen(&plan(file(&[&PEACE[..], &changes].concat()), 100, 2_000.0), 40_000);
    let mut through = 0;
    for (user, events) in by_user(&events) {
        let own = events.iter().find(|it| it.owner() != Owner::Vpn).expect("one").state;
        let mut exits = HashSet::new();
        let mut days: HashMap<i64, HashSet<String>> = HashMap::new();
        for event in &events {
            if event.owner() != Owner::Vpn {
                assert_eq!(event.state, own);
                continue;
            }
            through += 1;
            assert_eq!(event.mark, Some(Mark::Benign(Cause::Vpn)));
            assert_ne!(event.state, own, "{user}");
            exits.insert(event.network());
            let hours = event.timestamp.div_euclid(3_600) + STATES[own].utc_hours;
            days.entry(hours.div_euclid(24)).or_default().insert(event.network());
        }
        assert!((1..=4).contains(&exits.len()), "{user} {}", exits.len());
        assert!(days.values().all(|exits| exits.len() == 1));
    }
    // Half of the days, 60 % of their logins.
    assert!((9_000..15_000).contains(&through), "{through}");
}

#[test]
fn replaced_devices_and_moved_homes_are_labelled_when_they_are_new() {
    let changes = [&PEACE[..], &QUIET, &[("home.share_ipv6", 0.0)]].concat();
    let events = seen(&plan(file(&changes), 200, 1_000.0), 120_000);
    let (mut new_devices, mut new_homes) = (0, 0);
    for events in by_user(&events).into_values() {
        let mut devices = HashSet::new();
        let mut homes = HashSet::new();
        for event in events {
            // A month is enough to see all that a user has.
            let is_known = event.timestamp < START_S + 40 * DAY_S;
            let is_new_device = devices.insert(&event.device) && !is_known;
            let is_home = event.owner() == Owner::Home;
            let is_new_home = is_home && homes.insert(event.network()) && !is_known;
            if is_new_device {
                new_devices += 1;
                assert_eq!(event.mark, Some(Mark::Benign(Cause::NewDevice)), "{event:?}");
            } else if is_new_home {
                new_homes += 1;
                assert!(event.mark.is_some(), "{event:?}");
            }
        }
    }
    assert!(new_devices > 20 && new_homes > 3, "{new_devices} devices, {new_homes} homes");
}
