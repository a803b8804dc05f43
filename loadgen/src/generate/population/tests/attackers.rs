//! The attackers: each does what its description says.

use std::collections::HashSet;

use super::*;
use crate::generate::population::label::Attacker;

/// The attackers' campaigns by their numbers, and everything else.
type Campaigns<'a> = HashMap<u64, Vec<&'a Seen>>;

/// Events with one attacker alone.
fn with(attack: (&str, f64), users: u64, per_day: f64, count: u64) -> Vec<Seen> {
    let still = [("devices.replaced_per_year", 0.0), ("travel.share_of_users", 0.0)];
    let more = [("home.moves_per_year", 0.0), ("vpn.share_of_users", 0.0), attack];
    let changes = [&PEACE[..], &still, &more].concat();
    seen(&plan(file(&changes), users, per_day), count)
}

fn attacks(events: &[Seen], expected: Attacker) -> Vec<&Seen> {
    let attacks: Vec<_> = events.iter().filter(|event| event.is_attack()).collect();
    for event in &attacks {
        let Some(Mark::Attack { attacker, .. }) = event.mark else { unreachable!("an attack") };
        assert_eq!(attacker, expected);
    }
    assert!(!attacks.is_empty(), "{expected:?}");
    attacks
}

fn campaigns(events: &[Seen], expected: Attacker) -> Campaigns<'_> {
    let mut campaigns = Campaigns::new();
    for event in attacks(events, expected) {
        let Some(Mark::Attack { campaign, .. }) = event.mark else { unreachable!("an attack") };
        campaigns.entry(campaign.expect("a campaign")).or_default().push(event);
    }
    campaigns
}

fn distinct<'a, T: std::hash::Hash + Eq>(
    events: &[&'a Seen],
    of: impl Fn(&'a Seen) -> T,
) -> HashSet<T> {
    events.iter().map(|event| of(event)).collect()
}

/// What the users themselves are seen with.
struct Habits<'a> {
    states: HashMap<&'a str, usize>,
    devices: HashMap<&'a str, HashMap<&'a str, &'a str>>,
    networks: HashMap<&'a str, HashSet<String>>,
}

impl<'a> Habits<'a> {
    fn of(events: &'a [Seen]) -> Self {
        let mut habits =
            Self { states: HashMap::new(), devices: HashMap::new(), networks: HashMap::new() };
        for event in events.iter().filter(|event| !event.is_attack()) {
            habits.states.insert(&event.user, event.state);
            let devices = habits.devices.entry(&event.user).or_default();
            devices.insert(&event.device, &event.device_type);
            habits.networks.entry(&event.user).or_default().insert(event.network());
        }
        habits
    }

    fn knows_device(&self, event: &Seen) -> bool {
        self.devices[&*event.user].contains_key(&*event.device)
    }
}

#[test]
fn the_naive_attacker_knows_nothing_of_the_victim() {
    let events = with(("attacks.naive", 0.02), 200, 5_000.0, 50_000);
    let habits = Habits::of(&events);
    let attacks = attacks(&events, Attacker::Naive);
    let mut at_home = 0;
    for event in &attacks {
        assert!(!habits.knows_device(event));
        assert_eq!(event.owner(), Owner::Hosting);
        at_home += usize::from(habits.states[&*event.user] == event.state);
    }
    assert!(at_home * 10 < attacks.len(), "{at_home} of {}", attacks.len());
    let versions = distinct(&attacks, |event| event.version.clone());
    assert!(versions.len() >= 3, "{versions:?}");
    assert!(distinct(&attacks, |event| event.user.clone()).len() > 100);
}

#[test]
fn the_vpn_attacker_knows_the_state() {
    let events = with(("attacks.vpn", 0.02), 200, 5_000.0, 50_000);
    let habits = Habits::of(&events);
    for event in attacks(&events, Attacker::Vpn) {
        assert_eq!(habits.states[&*event.user], event.state);
        assert!(!habits.knows_device(event));
        assert_eq!(event.owner(), Owner::Hosting);
    }
}

#[test]
fn the_targeted_attacker_looks_like_a_neighbour() {
    let events = with(("attacks.targeted", 0.02), 200, 5_000.0, 50_000);
    let habits = Habits::of(&events);
    let attacks = attacks(&events, Attacker::Targeted);
    for event in &attacks {
        assert_eq!(habits.states[&*event.user], event.state);
        assert!(!habits.knows_device(event));
        assert_eq!(event.owner(), Owner::Home);
        assert_eq!(event.device_type, "iOS");
        assert!(!habits.networks[&*event.user].contains(&event.network()), "{event:?}");
    }
    assert!(distinct(&attacks, |event| event.version.clone()).len() <= 2);
}

#[test]
fn a_stolen_device_id_has_another_type() {
    let events = with(("attacks.stolen_device", 0.02), 200, 5_000.0, 50_000);
    let habits = Habits::of(&events);
    for event in attacks(&events, Attacker::StolenDevice) {
        let known = habits.devices[&*event.user].get(&*event.device);
        let known = known.unwrap_or_else(|| panic!("{event:?}"));
        assert_ne!(*known, event.device_type);
        assert_eq!(habits.states[&*event.user], event.state);
        assert!(!habits.networks[&*event.user].contains(&event.network()), "{event:?}");
    }
}

/// Checks that stuffing campaigns have many accounts, once or twice each, within their minutes.
fn assert_stuffing(campaigns: &Campaigns<'_>, expected: usize, minutes: i64) {
    assert_eq!(campaigns.len(), 8);
    let mut twice = 0;
    for logins in campaigns.values() {
        assert_eq!(logins.len(), expected);
        let mut accounts: HashMap<&str, usize> = HashMap::new();
        for event in logins {
            *accounts.entry(&event.user).or_default() += 1;
        }
        assert!(accounts.values().all(|logins| *logins <= 2), "{accounts:?}");
        twice += accounts.values().filter(|logins| **logins == 2).count();
        let length_s = logins[expected - 1].timestamp - logins[0].timestamp;
        assert!((minutes * 60 * 8 / 10..=minutes * 60).contains(&length_s), "{length_s} s");
    }
    assert_share(twice, 8 * expected / 2, 0.25, "accounts that are entered twice");
}

#[test]
fn stuffing_by_one_address_enters_many_accounts_within_minutes() {
    let on = ("campaigns.stuffing_one_ip.per_day", 4.0);
    let events = with(on, 50_000, 50_000.0, 100_000);
    let campaigns = campaigns(&events, Attacker::StuffingOneIp);
    assert_stuffing(&campaigns, 40, 9);
    for logins in campaigns.values() {
        assert_eq!(distinct(logins, |event| event.ip.clone()).len(), 1);
        assert!(distinct(logins, |event| event.device.clone()).len() == 40);
        assert!(distinct(logins, |event| event.user.clone()).len() >= 20);
    }
}

#[test]
fn stuffing_by_many_addresses_has_one_client() {
    let on = ("campaigns.stuffing_many_ips.per_day", 4.0);
    let events = with(on, 50_000, 50_000.0, 100_000);
    let campaigns = campaigns(&events, Attacker::StuffingManyIps);
    assert_stuffing(&campaigns, 60, 30);
    for logins in campaigns.values() {
        assert!(distinct(logins, |event| event.ip.clone()).len() >= 59);
        assert_eq!(distinct(logins, |it| (it.device_type.clone(), it.version.clone())).len(), 1);
    }
}

#[test]
fn stuffing_by_one_device_has_many_addresses() {
    let on = ("campaigns.stuffing_one_device.per_day", 4.0);
    let events = with(on, 50_000, 50_000.0, 100_000);
    let campaigns = campaigns(&events, Attacker::StuffingOneDevice);
    assert_stuffing(&campaigns, 30, 40);
    for logins in campaigns.values() {
        assert_eq!(distinct(logins, |event| event.device.clone()).len(), 1);
        assert!(distinct(logins, |event| event.ip.clone()).len() >= 29);
    }
}

#[test]
fn a_rotation_is_one_user_with_a_new_device_for_each_login() {
    let events = with(("campaigns.rotation.per_day", 4.0), 1_000, 10_000.0, 40_000);
    for logins in campaigns(&events, Attacker::Rotation).values() {
        assert_eq!(logins.len(), 15);
        assert_eq!(distinct(logins, |event| event.user.clone()).len(), 1);
        assert_eq!(distinct(logins, |event| event.device.clone()).len(), 15);
        assert!(logins[14].timestamp - logins[0].timestamp <= 25 * 60);
    }
}

#[test]
fn a_burst_is_one_user_with_the_known_device_at_home() {
    let events = with(("campaigns.burst.per_day", 4.0), 1_000, 30_000.0, 90_000);
    let habits = Habits::of(&events);
    let campaigns = campaigns(&events, Attacker::Burst);
    assert_eq!(campaigns.len(), 12);
    for logins in campaigns.values() {
        assert_eq!(logins.len(), 30);
        let first = logins[0];
        assert!(logins.iter().all(|event| event.user == first.user && event.ip == first.ip));
        assert!(logins.iter().all(|event| habits.knows_device(event)));
        assert!(habits.networks[&*first.user].contains(&first.network()));
        assert!(logins[29].timestamp - first.timestamp <= 10 * 60);
    }
}

#[test]
fn a_dormant_account_is_entered_after_three_months_of_silence() {
    let events = with(("dormant.share_of_users", 0.1), 300, 600.0, 600 * 300);
    let habits = Habits::of(&events);
    let users = by_user(&events);
    let attacks = attacks(&events, Attacker::Dormant);
    for event in &attacks {
        let logins = &users[&*event.user];
        let at = logins.iter().position(|it| it.event_no == event.event_no).expect("it");
        let before = logins[..at].last().unwrap_or_else(|| panic!("no history: {event:?}"));
        let silence_s = event.timestamp - before.timestamp;
        assert!(silence_s >= 92 * DAY_S, "{} days", silence_s / DAY_S);
        if let Some(after) = logins.get(at + 1) {
            assert!(after.timestamp - event.timestamp >= DAY_S);
        }
        assert!(!habits.knows_device(event));
        assert_ne!(habits.states[&*event.user], event.state);
    }
    // 30 users, once in 240 days, and none in the first 122 or more.
    assert!((15..=25).contains(&attacks.len()), "{}", attacks.len());
}

#[test]
fn the_default_has_every_attacker_and_every_cause() {
    let file = PopulationFile::read("default").expect("valid");
    let plan = Plan { zipf: 0.7, ..plan(file, 2_000, 30_000.0) };
    let generator = generator(&plan);
    let mut record = Record::new();
    let mut marks: HashMap<&str, usize> = HashMap::new();
    // The 140th day and the ten after it: by then some have been away for long enough.
    for event_no in 30_000 * 140..30_000 * 150 {
        generator.make(event_no, 0, &mut record);
        match record.label.map(|label| label.mark) {
            Some(Mark::Attack { attacker, .. }) => *marks.entry(attacker.name()).or_default() += 1,
            Some(Mark::Benign(cause)) => *marks.entry(cause.name()).or_default() += 1,
            None => {}
        }
    }
    // Of 15 names, "vpn" is an attacker's and a cause's.
    assert_eq!(marks.len(), 14, "{marks:?}");
    assert!(marks["dormant"] <= 5 && marks["stuffing_one_ip"] == 20 * 40, "{marks:?}");
}
