//! The program and the recount give the same alerts and sessions for random histories.

use std::collections::BTreeMap;

use logintide::users::{
    Detector, DetectorSettings, Evidence, Fingerprint, Login, Profile, Rule, Session, Severity,
    ShardState, UserKey, place::PlaceTable,
};

use super::recount::{PlainAlert, PlainLogin, PlainSession, PlainSettings, recount};

const DAY_S: i64 = 86_400;
const PLACES: [&str; 8] = ["NY", "NJ", "CA", "TX", "WA", "FL", "CO", "ME"];
const VERSIONS: [&str; 7] = ["2.3.0", "2.3", "2.10.0", "2.9.9", "3.0", "beta", "1"];
const TYPES: [&str; 6] = ["iOS", "android", "web", "tv", "watch", "car"];

/// Random numbers that a seed repeats. Source: `splitmix64`.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

/// How a history goes.
struct Course {
    settings: PlainSettings,
    users: u64,
    /// One in so many logins is not like its user.
    strange: u64,
    /// Longest pause between two logins of the shard, seconds.
    pause_s: u64,
}

fn course(draw: &mut Draw) -> Course {
    let shards = [1, 3, 1_000][draw.below(3) as usize];
    Course {
        settings: PlainSettings {
            shards,
            learn_s: [0, 0, DAY_S][draw.below(3) as usize],
            learn_logins: [0, 200][draw.below(2) as usize],
            profile_ttl_s: [180 * DAY_S, 2 * DAY_S, 1_000][draw.below(3) as usize],
            allowed_lateness_s: [60, 7_200, 3 * DAY_S][draw.below(3) as usize],
        },
        users: [1, 5, 20][draw.below(3) as usize],
        strange: [3, 20, 60][draw.below(3) as usize],
        pause_s: [120, 3_600, 40_000][draw.below(3) as usize],
    }
}

fn logins(course: &Course, count: i64, draw: &mut Draw) -> Vec<PlainLogin> {
    let mut now_s = 20_000 * DAY_S;
    let next = |offset| {
        now_s += match draw.below(400) {
            0 => draw.below(200) as i64 * DAY_S,
            1..20 => draw.below(course.pause_s) as i64,
            _ => draw.below(course.pause_s / 8 + 1) as i64,
        };
        let user = draw.below(course.users);
        let is_strange = draw.one_in(course.strange);
        let mut pick = |own: u64, all: u64| if is_strange { draw.below(all) } else { own % all };
        // Few devices of strangers are many users', and a stranger's half hour has many.
        let device = if pick(1, 2) == 0 { pick(user, 9) } else { 100 + user * 3 + pick(user, 3) };
        let (network, place) = (pick(user, 1_000), pick(user, PLACES.len() as u64));
        let (device_type, version) = (pick(user, 6), pick(user, 7));
        let shift_s = match draw.below(20) {
            0 => draw.below(3 * course.settings.allowed_lateness_s as u64) as i64,
            1..5 => draw.below(120) as i64,
            _ => 0,
        };
        let mut given = |value: &str| (!draw.one_in(12)).then(|| value.to_owned());
        let place = given(PLACES[place as usize]).map(|code| format!("US-{code}"));
        let (device_type, app_version) =
            (given(TYPES[device_type as usize]), given(VERSIONS[version as usize]));
        PlainLogin {
            user,
            at_s: now_s - shift_s,
            appended_s: now_s + draw.below(100) as i64 - 50,
            offset,
            device: (!draw.one_in(12)).then_some(device as u32),
            network: (!draw.one_in(12)).then_some(network as u32),
            locale: (!draw.one_in(12)).then(|| draw.of(&PLACES).to_owned()),
            place,
            device_type,
            app_version,
        }
    };
    (0..count).map(next).collect()
}

/// What the program gives.
fn judge(
    logins: &[PlainLogin],
    settings: &PlainSettings,
) -> (Vec<PlainAlert>, Vec<PlainSession>, u64) {
    let PlainSettings { shards, learn_s, learn_logins, profile_ttl_s, allowed_lateness_s } =
        *settings;
    let detector = Detector::new(DetectorSettings {
        shards,
        learn_s,
        learn_logins,
        profile_ttl_s,
        allowed_lateness_s,
        ..Default::default()
    });
    let (mut shard, mut profiles) = (ShardState::default(), BTreeMap::<u64, Profile>::new());
    let (mut alerts, mut sessions) = (Vec::new(), Vec::new());
    for plain in logins {
        let login = login(plain);
        let profile = profiles.entry(plain.user).or_default();
        // As if it came from the journal.
        let bytes = postcard::to_stdvec(profile).expect("writes");
        *profile = postcard::from_bytes(&bytes).expect("reads");
        let judgement = detector.judge(&login, profile, &mut shard);
        alerts.extend(judgement.alerts.iter().map(|alert| PlainAlert {
            offset: plain.offset,
            rule: alert.rule.name().to_owned(),
            severity: severity(alert.finding.severity).to_owned(),
            held_back: alert.held_back,
            evidence: evidence(&alert.finding.evidence, &shard),
        }));
        sessions.extend(judgement.over.iter().map(|over| session(plain.user, over)));
    }
    for (user, profile) in &profiles {
        sessions.extend(profile.session.iter().map(|open| session(*user, open)));
    }
    (alerts, sessions, shard.late())
}

fn login(plain: &PlainLogin) -> Login<'_> {
    let state = |code: &String| PlaceTable::UsStates.place(&code[3..]).expect("a state");
    Login {
        user: UserKey(plain.user),
        at_s: plain.at_s,
        appended_s: plain.appended_s,
        offset: plain.offset,
        device: plain.device.map(Fingerprint),
        network: plain.network.map(Fingerprint),
        place: plain.place.as_ref().map(state),
        device_type: plain.device_type.as_deref(),
        app_version: plain.app_version.as_deref(),
        locale: plain.locale.as_deref(),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    }
}

fn evidence(evidence: &Evidence, shard: &ShardState) -> String {
    match evidence {
        Evidence::Travel(jump) => {
            let (place, offset) = (jump.from.place.code(), jump.from.login.offset);
            format!("from {place} at {offset} gap {}", jump.gap_km)
        }
        Evidence::DeviceType { before, last } => {
            format!("type {} last {}", shard.device_type(*before), last.offset)
        }
        Evidence::AppVersion { highest, last } => {
            format!("version {} last {}", shard.versions().text(*highest), last.offset)
        }
        Evidence::Rotation { devices, logins } => format!("{devices} devices {logins} logins"),
        Evidence::Burst { logins, .. } => format!("{logins} logins"),
        Evidence::Silence(last) => format!("last {}", last.offset),
        Evidence::Score { score, .. } => format!("score {:.6}", score.sum()),
    }
}

fn session(user: u64, session: &Session) -> PlainSession {
    PlainSession {
        user,
        start_s: session.start_s,
        end_s: session.end_s,
        logins: session.logins,
        devices: session.devices.len(),
        networks: session.networks.len(),
        places: session.places.len(),
        new_device: session.novelty.device,
        new_network: session.novelty.network,
        new_place: session.novelty.place,
        rare_hour: session.novelty.hour,
    }
}

#[test]
fn random_histories_give_what_the_recount_gives() {
    let gap_km = |one: &str, other: &str| {
        let state = |code: &str| PlaceTable::UsStates.place(&code[3..]).expect("a state");
        state(one).gap_km(state(other))
    };
    let (mut found, mut late, mut over) = (BTreeMap::<_, u64>::new(), 0, 0);
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let course = course(&mut draw);
        let logins = logins(&course, 1_500, &mut draw);
        let (alerts, mut sessions, of_late) = judge(&logins, &course.settings);
        let (expected, mut recounted, recounted_late) = recount(&logins, &course.settings, &gap_km);
        let first = alerts.iter().zip(&expected).find(|(alert, expected)| alert != expected);
        assert_eq!(first, None, "seed {seed}: {:?}", course.settings);
        assert_eq!(alerts.len(), expected.len(), "seed {seed}: {:?}", course.settings);
        let order = |it: &PlainSession| (it.user, it.start_s, it.end_s, it.logins);
        sessions.sort_by_key(order);
        recounted.sort_by_key(order);
        assert_eq!(sessions, recounted, "seed {seed}");
        assert_eq!(of_late, recounted_late, "seed {seed}");
        for alert in alerts {
            *found.entry((alert.rule, alert.severity)).or_default() += 1;
        }
        late += of_late;
        over += sessions.len();
    }
    println!("{found:?}, {late} late, {over} sessions");
    for rule in Rule::ALL {
        let of_rule = found.iter().filter(|((name, _), _)| name == rule.name());
        let alerts: u64 = of_rule.map(|(_, alerts)| alerts).sum();
        assert!(alerts >= 20, "{} gave {alerts} alerts", rule.name());
    }
    assert!(late > 1_000 && over > 1_000, "{late} late, {over} sessions");
}
