//! The stream: a function of the number, its times, and the plan's special records.

use super::*;

fn special(share: f64) -> Plan {
    let mut plan = plan(file(&[("attacks.naive", 0.02)]), 2_000, 200_000.0);
    plan.disorder = jiff::SignedDuration::from_secs(2);
    plan.zipf = 1.0;
    plan.shares.share_missing_device = 0.05;
    plan.shares.share_late = share;
    plan.shares.share_early = share;
    plan.shares.share_duplicate = share;
    plan.shares.share_odd = share;
    plan.shares.share_poison = share;
    plan.shares.share_tombstone = share;
    plan.shares.share_huge = share / 100.0;
    plan
}

fn made(generator: &Generator, event_no: u64) -> Record {
    let mut record = Record::new();
    generator.make(event_no, 1_700_000_000_000_000 + event_no, &mut record);
    record
}

#[test]
fn an_event_and_its_label_depend_on_nothing_but_plan_and_number() {
    let (forwards, backwards) = (generator(&special(0.1)), generator(&special(0.1)));
    let all: Vec<Record> = (0..3_000).map(|event_no| made(&forwards, event_no)).collect();
    for event_no in (0..3_000).rev() {
        let (again, first) = (made(&backwards, event_no), &all[event_no as usize]);
        assert_eq!((&again.value, again.key), (&first.value, first.key), "event {event_no}");
        assert_eq!((again.time_ms, again.label), (first.time_ms, first.label));
    }
    let other = generator(&Plan { seed: Some(8), ..special(0.1) });
    let same = (0..3_000).filter(|n| made(&other, *n).value == all[*n as usize].value).count();
    assert!(same < 300, "{same} of 3000 are the same under another seed");
}

#[test]
fn special_records_keep_and_break_the_rules_as_without_a_population() {
    let rules = crate::rules::Rules { max_future_ms: 3_600_000, max_event_bytes: 65_536 };
    let generator = generator(&special(0.1));
    for event_no in 0..20_000 {
        let record = made(&generator, event_no);
        let reading = rules.read_input(&record.value, (START_S + 200_000) * 1_000);
        match record.kind {
            Kind::Poison => assert!(reading.is_err(), "event {event_no} is no poison"),
            Kind::Tombstone => assert_eq!(record.payload(), None),
            kind => {
                let shown = String::from_utf8_lossy(&record.value);
                let reading =
                    reading.unwrap_or_else(|broken| panic!("{kind:?} {broken:?}: {shown}"));
                let seconds = reading.time_ms.div_euclid(1_000);
                assert_eq!(seconds, record.time_ms.div_euclid(1_000), "{shown}");
            }
        }
    }
}

#[test]
fn no_label_is_on_a_record_that_does_not_say_what_it_labels() {
    let generator = generator(&special(0.1));
    let (mut attacks, mut repeated) = (0, 0);
    for event_no in 0..20_000 {
        let record = made(&generator, event_no);
        match (record.kind, record.label.map(|label| label.mark)) {
            (Kind::Poison | Kind::Tombstone, label) => assert_eq!(label, None),
            (Kind::Odd, Some(Mark::Attack { .. })) => panic!("event {event_no} is odd"),
            (kind, Some(Mark::Attack { .. })) => {
                attacks += 1;
                repeated += usize::from(kind == Kind::Duplicate);
                let user = record.label.expect("a label").user;
                let user = std::str::from_utf8(&user).expect("ASCII");
                assert!(String::from_utf8_lossy(&record.value).contains(user));
            }
            _ => {}
        }
    }
    assert!(attacks > 200 && repeated > 10, "{attacks} attacks, {repeated} of them repeated");
}

#[test]
fn a_user_s_hours_are_those_of_the_file_in_the_user_s_state() {
    let changes = [&PEACE[..], &QUIET].concat();
    // Six days, so that no hour of the week weighs more than another.
    let plan = plan(file(&changes), 100_000, 200_000.0 / 6.0);
    let events = seen(&plan, 200_000);
    let weights = plan.population.as_ref().expect("given").parameters.hours.weights;
    let mut counts = [0; 24];
    for event in &events {
        let hour = event.timestamp.div_euclid(3_600) + STATES[event.state].utc_hours;
        counts[hour.rem_euclid(24) as usize] += 1;
    }
    let sum: f64 = weights.iter().sum();
    for (hour, (count, weight)) in counts.into_iter().zip(weights).enumerate() {
        assert_share(count, events.len(), weight / sum, &format!("hour {hour}"));
    }
    assert_eq!(events[0].timestamp, START_S);
    let days = (events[199_999].timestamp - START_S) as f64 / DAY_S as f64;
    assert!((days - 6.0).abs() < 0.001, "{days} days");
}

#[test]
fn flat_hours_keep_the_rate_even() {
    let flat = Plan { flat_hours: true, ..plan(file(&PEACE), 1_000, 86_400.0) };
    let times = seen(&flat, 20_000);
    for (number, event) in times.iter().enumerate() {
        assert!((event.timestamp - START_S - number as i64).abs() <= 1);
    }
}

#[test]
fn shares_come_out_as_configured() {
    let attacks = [
        ("attacks.naive", 0.01),
        ("attacks.vpn", 0.02),
        ("attacks.targeted", 0.005),
        ("attacks.stolen_device", 0.01),
        ("placeholders.share_of_users", 0.05),
    ];
    let changes = [&PEACE[..], &QUIET, &attacks].concat();
    // So many users that nearly every event is another one's: events are independent.
    let plan = plan(file(&changes), 5_000_000, 100_000.0);
    let events = seen(&plan, 200_000);
    let of = |attacker: &str| {
        let is_of = |event: &&Seen| match event.mark {
            Some(Mark::Attack { attacker: found, .. }) => found.name() == attacker,
            _ => false,
        };
        events.iter().filter(is_of).count()
    };
    for (path, share) in &attacks[..4] {
        let name = path.strip_prefix("attacks.").expect("an attack");
        assert_share(of(name), events.len(), *share, name);
    }
    let benign: Vec<_> = events.iter().filter(|event| !event.is_attack()).collect();
    let count = |fits: &dyn Fn(&Seen) -> bool| benign.iter().filter(|it| fits(it)).count();
    let nameless = count(&|event| event.device == "unknown" || event.device.starts_with("0000"));
    assert_share(nameless, benign.len(), 0.05, "placeholders");
    let mobile = count(&|event| event.owner() == Owner::Mobile);
    assert_share(mobile, benign.len(), 0.35, "mobile");
    let ipv6 = count(&|event| event.ip.contains(':'));
    assert_share(ipv6, benign.len(), 0.65 * 0.4, "IPv6");
    for (state, row) in STATES.iter().enumerate() {
        let expected = crate::generate::states::share(state);
        // The hours of a state do not change its share over whole days.
        assert_share(count(&|event| event.state == state), benign.len(), expected, row.code);
    }
}
