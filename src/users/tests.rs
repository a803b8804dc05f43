//! The rules over whole histories.

use super::{
    place::{Place, PlaceTable},
    *,
};

const DAY: i64 = 86_400;

/// A login of a user without anything, at a time that is also its Kafka timestamp.
pub(super) fn login(at_s: i64) -> Login<'static> {
    Login {
        user: UserKey(1),
        at_s,
        appended_s: at_s,
        offset: at_s,
        device: None,
        network: None,
        place: None,
        device_type: None,
        app_version: None,
        locale: None,
    }
}

fn place(code: &str) -> Option<Place> {
    PlaceTable::UsStates.place(code)
}

/// An ordinary login.
fn home(at_s: i64) -> Login<'static> {
    Login {
        device: Some(Fingerprint(1)),
        network: Some(Fingerprint(1)),
        place: place("NY"),
        device_type: Some("iOS"),
        app_version: Some("2.3.0"),
        locale: Some("NY"),
        ..login(at_s)
    }
}

/// One that is the user's in nothing.
fn abroad(at_s: i64) -> Login<'static> {
    Login {
        device: Some(Fingerprint(9)),
        network: Some(Fingerprint(9)),
        place: place("CA"),
        device_type: Some("android"),
        app_version: Some("2.2.0"),
        locale: Some("CA"),
        ..login(at_s)
    }
}

/// A shard with one user.
struct One {
    detector: Detector,
    profile: Profile,
    shard: ShardState,
}

impl One {
    /// That has learned enough, and whose user logs in at home once a day for so many days.
    fn after(days: i64) -> Self {
        let settings = DetectorSettings { learn_s: 0, learn_logins: 0, ..Default::default() };
        let detector = Detector::new(settings);
        let mut one = Self { detector, profile: Profile::default(), shard: ShardState::default() };
        for day in 0..days {
            assert_eq!(one.take(&home(day * DAY)).alerts.len(), 0, "day {day}");
        }
        one
    }

    fn take(&mut self, login: &Login<'_>) -> Judgement {
        self.detector.judge(login, &mut self.profile, &mut self.shard)
    }

    fn rules(&mut self, login: &Login<'_>) -> Vec<(Rule, Severity)> {
        let alerts = self.take(login).alerts;
        alerts.iter().map(|alert| (alert.rule, alert.finding.severity)).collect()
    }
}

use Rule::{DeviceContradiction, DeviceRotation, DormantReturn, ImpossibleTravel, UnfamiliarLogin};
use Severity::{High, Low, Medium};

#[test]
fn a_place_out_of_reach_is_an_alert_and_is_never_trusted() {
    let mut one = One::after(20);
    let at = 19 * DAY + 3_600;
    let known = Login { place: place("CA"), ..home(at) };
    assert_eq!(one.rules(&known), [(ImpossibleTravel, Low)]);
    assert_eq!(one.profile.trusted.places().len(), 1, "the place was not trusted");
    // The same alert again within the hour is held back, and counted.
    assert_eq!(one.rules(&Login { place: place("CA"), ..home(at + 60) }), []);
    let new = Login { device: None, place: place("CA"), ..home(at + 3_600) };
    let alerts = one.take(&new).alerts;
    assert_eq!((alerts[0].rule, alerts[0].finding.severity), (ImpossibleTravel, High));
    assert_eq!(alerts[0].held_back, 1);
    let Evidence::Travel(jump) = &alerts[0].finding.evidence else { panic!("it travelled") };
    assert_eq!(jump.from.login, LoginRef { at_s: 19 * DAY, offset: 19 * DAY });
    assert_eq!(Some(jump.from.place), place("NY"));
    // A day is enough for the way: now the place is trusted.
    assert_eq!(one.rules(&Login { place: place("CA"), ..home(21 * DAY) }), []);
    assert_eq!(one.profile.trusted.places().len(), 2);
}

#[test]
fn travel_is_quiet_for_the_new_for_habits_and_for_places_that_say_nothing() {
    let mut new = One::after(9);
    assert_eq!(new.rules(&Login { place: place("CA"), ..home(8 * DAY + 3_600) }), []);
    // Both places are habitual.
    let mut commuter = One::after(12);
    for day in 12..16 {
        commuter.take(&Login { place: place("CA"), ..home(day * DAY) });
    }
    assert_eq!(commuter.rules(&home(15 * DAY + 3_600)), []);
    // Five places among the last ten logins.
    let mut nomad = One::after(12);
    for (day, code) in (12..).zip(["TX", "WA", "FL", "CO", "TX"]) {
        nomad.take(&Login { place: place(code), ..home(day * DAY) });
    }
    assert_eq!(nomad.profile.different_places(), 5);
    assert_eq!(nomad.rules(&Login { place: place("ME"), ..home(16 * DAY + 3_600) }), []);
    // Neighbours are not far apart, however soon.
    let mut near = One::after(20);
    assert_eq!(near.rules(&Login { place: place("NJ"), ..home(19 * DAY + 60) }), []);
}

#[test]
fn a_device_that_is_another_one_is_an_alert_until_many_users_have_it() {
    let mut one = One::after(3);
    let other = Login { device_type: Some("android"), ..home(3 * DAY) };
    assert_eq!(one.rules(&other), [(DeviceContradiction, High)]);
    assert_eq!(one.rules(&Login { device_type: Some("iOS"), ..home(4 * DAY) }), []);
    let older = Login { app_version: Some("2.2.9"), ..home(5 * DAY) };
    let alerts = one.take(&older).alerts;
    assert_eq!((alerts[0].rule, alerts[0].finding.severity), (DeviceContradiction, Low));
    let last = LoginRef { at_s: 4 * DAY, offset: 4 * DAY };
    let Evidence::AppVersion { highest, last: found } = alerts[0].finding.evidence else {
        panic!("the version is lower")
    };
    assert_eq!((one.shard.versions().text(highest), found), ("2.3.0", last));
    // The id of a device that every phone of a kind has: three more users, then it is shared.
    let found: Vec<_> = (2..7)
        .map(|user| {
            one.profile = Profile::default();
            let of_user = |login: Login<'static>| Login { user: UserKey(user), ..login };
            one.take(&of_user(home(6 * DAY)));
            one.rules(&of_user(Login { device_type: Some("android"), ..home(6 * DAY) })).len()
        })
        .collect();
    assert_eq!(found, [1, 1, 1, 0, 0]);
}

#[test]
fn many_devices_within_half_an_hour_are_an_alert_unless_the_version_rotates() {
    let rotate = |one: &mut One, version| -> Vec<_> {
        let at = |number: i64| 3 * DAY + number * 150;
        let login = |number| Login {
            device: Some(Fingerprint(100 + number as u32)),
            app_version: Some(version),
            ..home(at(number))
        };
        (0..12).flat_map(|number| one.rules(&login(number))).collect()
    };
    let mut one = One::after(3);
    assert_eq!(rotate(&mut one, "2.3.0"), [(DeviceRotation, High)]);
    // Others, with a version that has a new id at each start.
    let mut one = One::after(3);
    for number in 0..101 {
        one.profile = Profile::default();
        for device in 0..2 {
            let device = Some(Fingerprint(1_000 + 2 * number + device));
            one.take(&Login { device, app_version: Some("3.0"), ..home(3 * DAY) });
        }
    }
    one.profile = One::after(3).profile;
    assert_eq!(rotate(&mut one, "3.0"), []);
}

#[test]
fn many_logins_within_ten_minutes_are_an_alert_once_an_hour() {
    let mut one = One::after(3);
    let found: Vec<_> =
        (0..60).map(|number| one.rules(&home(3 * DAY + number * 60)).len()).collect();
    assert_eq!(found.iter().sum::<usize>(), 1);
    assert_eq!(found[9], 1, "the tenth login within ten minutes");
    let alerts = one.take(&home(3 * DAY + 69 * 60)).alerts;
    assert_eq!(alerts.len(), 0, "after ten minutes the count begins anew");
    // One who logs in every minute all the time is not conspicuous.
    let mut busy = One::after(1);
    let alerts: usize =
        (0..20 * 1_440).map(|minute| busy.rules(&home(DAY + minute * 60)).len()).sum();
    assert!(alerts <= 2 * 24, "{alerts}: the mean has learned it within two days");
    assert_eq!(busy.rules(&home(21 * DAY)), []);
}

#[test]
fn a_return_after_a_long_silence_from_elsewhere_is_an_alert() {
    let mut one = One::after(3);
    let at = 2 * DAY + 90 * DAY;
    let mut same = One::after(3);
    assert_eq!(same.rules(&home(at)), []);
    let mut soon = One::after(3);
    let new = |at| Login { device_type: Some("iOS"), app_version: Some("2.3.0"), ..abroad(at) };
    assert_eq!(soon.rules(&new(at - 1)), []);
    assert_eq!(one.rules(&new(at)), [(DormantReturn, Medium)]);
    // After twice as long nothing is known.
    let mut forgotten = One::after(3);
    assert_eq!(forgotten.rules(&new(2 * DAY + 180 * DAY + 1)), []);
    assert_eq!(forgotten.profile.logins, 1);
}

#[test]
fn a_login_that_is_its_user_s_in_nothing_is_unfamiliar() {
    let mut one = One::after(5);
    let found = one.rules(&abroad(5 * DAY + 12 * 3_600));
    assert_eq!(found, [(UnfamiliarLogin, Medium)]);
    let mut short = One::after(4);
    assert_eq!(short.rules(&abroad(4 * DAY)), []);
    let mut one = One::after(5);
    let new_phone = Login { device: Some(Fingerprint(2)), ..home(5 * DAY) };
    assert_eq!(one.rules(&new_phone), []);
    // The day has room for so many.
    one.detector = Detector::new(DetectorSettings {
        learn_s: 0,
        learn_logins: 0,
        shards: 1_000,
        ..Default::default()
    });
    let profile = One::after(5).profile;
    let mut again = |at_s| {
        one.profile = profile.clone();
        one.rules(&abroad(at_s)).len()
    };
    assert_eq!([5 * DAY + 100, 5 * DAY + 200, 6 * DAY].map(&mut again), [1, 0, 1]);
}

#[test]
fn a_shard_that_learns_raises_nothing_and_what_is_late_changes_nothing() {
    let mut one = One::after(20);
    one.detector = Detector::new(DetectorSettings { learn_logins: 22, ..Default::default() });
    assert!(one.detector.is_learning(&one.shard));
    let strange = |at| Login { device_type: Some("android"), ..home(at) };
    assert_eq!(one.rules(&strange(20 * DAY)), []);
    assert_eq!(one.rules(&home(21 * DAY)), []);
    assert!(!one.detector.is_learning(&one.shard));
    assert_eq!(one.rules(&Login { device_type: Some("web"), ..home(22 * DAY) }).len(), 1);
    let before = (one.profile.clone(), one.shard.clone());
    let judgement = one.take(&abroad(22 * DAY - 61));
    assert!(judgement.is_late && judgement.alerts.is_empty() && judgement.over.is_empty());
    assert_eq!(one.profile, before.0);
    assert_eq!((one.shard.late(), one.shard.logins()), (1, before.1.logins()));
}

#[test]
fn an_older_login_never_moves_what_is_last() {
    let settings = DetectorSettings {
        learn_s: 0,
        learn_logins: 0,
        allowed_lateness_s: 30 * DAY,
        ..Default::default()
    };
    let mut one = One::after(20);
    one.detector = Detector::new(settings);
    let older = Login { place: place("NJ"), ..home(10 * DAY + 5) };
    assert_eq!(one.take(&older).over.len(), 1, "a session of its own");
    assert_eq!((one.profile.last_s, one.profile.last_offset), (19 * DAY, 19 * DAY));
    let far = Login { place: place("CA"), ..home(10 * DAY + 65) };
    assert_eq!(one.rules(&far), [(ImpossibleTravel, Low)], "compared by distance in time");
    assert_eq!(one.profile.session.as_ref().map(|it| it.start_s), Some(19 * DAY));
}

#[test]
fn a_session_ends_without_a_further_login_of_its_user() {
    let mut one = One::after(1);
    one.take(&home(600));
    let mut of_other = Profile::default();
    let mut pass = |at_s| {
        let other = Login { user: UserKey(2), ..login(at_s) };
        one.detector.judge(&other, &mut of_other, &mut one.shard);
        one.detector.end_session(&mut one.profile, &one.shard)
    };
    assert_eq!(pass(600 + 1_800 + 60), None);
    let over = pass(600 + 1_800 + 61).expect("nothing can join it");
    assert_eq!((over.start_s, over.end_s, over.logins), (0, 600, 2));
    assert_eq!(one.profile.session, None);
}

#[test]
fn a_profile_is_as_small_as_it_was_planned() {
    let typical = One::after(30).profile;
    let bytes = postcard::to_stdvec(&typical).expect("writes");
    assert_eq!(postcard::from_bytes::<Profile>(&bytes).expect("reads"), typical);
    assert!(bytes.len() <= 140, "{} bytes", bytes.len());
    // The fullest: each login with everything new.
    let mut full = One::after(0);
    for number in 0..40_i64 {
        let (text, at) = (format!("{number}"), 4_000 * DAY + number * 60);
        let codes = ["TX", "WA", "FL", "CO", "ME", "CA", "NY"];
        full.take(&Login {
            device: Some(Fingerprint(u32::MAX - number as u32)),
            network: Some(Fingerprint(u32::MAX - number as u32)),
            place: place(codes[number as usize % 7]),
            device_type: Some(&text),
            app_version: Some(&text),
            locale: Some(&text),
            offset: i64::MAX - number,
            ..login(at)
        });
    }
    let bytes = postcard::to_stdvec(&full.profile).expect("writes");
    assert!(bytes.len() <= 1_100, "{} bytes", bytes.len());
}
