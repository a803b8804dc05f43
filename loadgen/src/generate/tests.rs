//! The generator against itself (the same again) and against the judge's rules.

use super::*;
use crate::rules::{Broken, Rules};

const START_S: i64 = 1_694_479_550;
const PARTITIONS: usize = 8;

fn plan(special: f64) -> Plan {
    Plan {
        seed: Some(7),
        users: 1_000,
        zipf: 1.0,
        population: None,
        flat_hours: false,
        locales: 60,
        bare: false,
        required_only: false,
        event_size: 0,
        events_per_second_of_event_time: Some(100.0),
        start_time: None,
        disorder: jiff::SignedDuration::from_secs(2),
        run_length: 10,
        partition_shares: Vec::new(),
        shares: Shares {
            share_missing_device: 0.05,
            share_late: special,
            late_by: jiff::SignedDuration::from_secs(600),
            share_early: special,
            early_by: jiff::SignedDuration::from_secs(3_000),
            share_duplicate: special,
            share_odd: 2.0 * special,
            share_poison: 2.0 * special,
            share_tombstone: special,
            share_huge: special / 100.0,
            share_aborted: 0.25,
            transaction_size: 100,
        },
    }
}

fn generator(plan: &Plan) -> Generator {
    Generator::new(plan, START_S, PARTITIONS).expect("a valid plan")
}

fn made(generator: &Generator, event_no: u64) -> Record {
    let mut record = Record::new();
    generator.make(event_no, 1_700_000_000_000_000 + event_no, &mut record);
    record
}

fn text(record: &Record) -> &str {
    std::str::from_utf8(&record.value).expect("UTF-8")
}

#[test]
fn an_event_depends_on_nothing_but_plan_and_number() {
    let forwards = generator(&plan(0.1));
    let backwards = generator(&plan(0.1));
    let all: Vec<Record> = (0..2_000).map(|event_no| made(&forwards, event_no)).collect();
    for event_no in (0..2_000).rev() {
        let again = made(&backwards, event_no);
        let first = &all[event_no as usize];
        assert_eq!((&again.value, again.key), (&first.value, first.key), "event {event_no}");
        assert_eq!((again.partition, again.time_ms), (first.partition, first.time_ms));
    }
    let other = generator(&Plan { seed: Some(8), ..plan(0.1) });
    let same = (0..2_000).filter(|n| made(&other, *n).value == all[*n as usize].value).count();
    assert!(same < 200, "{same} of 2000 are the same under another seed");
}

#[test]
fn a_plain_event_has_the_real_generators_form() {
    let generator = generator(&Plan { bare: true, ..plan(0.0) });
    let names = ["user_id", "app_version", "ip", "locale", "device_id", "timestamp", "device_type"];
    let mut without_device = 0;
    for event_no in 0..5_000 {
        let record = made(&generator, event_no);
        let fields = crate::json::Fields::read(text(&record)).expect("an object").0;
        let found: Vec<_> = fields.iter().map(|field| String::from_utf8_lossy(&field.0)).collect();
        if found.len() == 6 {
            without_device += 1;
        }
        assert_eq!(found, names[..found.len()], "{}", text(&record));
        let members: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("\"{}\": {}", String::from_utf8_lossy(name), value.get()))
            .collect();
        assert_eq!(text(&record), format!("{{{}}}", members.join(", ")));
    }
    assert!((150..350).contains(&without_device), "5 % of 5000 is not {without_device}");
}

#[test]
fn a_bare_event_has_about_the_documented_size() {
    let generator = generator(&Plan { bare: true, ..plan(0.0) });
    let total: usize = (0..1_000).map(|event_no| made(&generator, event_no).value.len()).sum();
    assert!((205..225).contains(&(total / 1_000)), "{} bytes", total / 1_000);
}

#[test]
fn an_event_of_required_fields_alone_is_short_and_can_be_padded_to_a_hundred_bytes() {
    let required = Plan { bare: true, required_only: true, ..plan(0.0) };
    let padded = generator(&Plan { event_size: 100, ..required.clone() });
    let (short, plain) = (generator(&required), generator(&plan(0.0)));
    for event_no in 0..100 {
        let [record, padded, plain] = [&short, &padded, &plain].map(|g| made(g, event_no));
        let fields = crate::json::Fields::read(text(&record)).expect("an object").0;
        let [user, time] = &fields[..] else { panic!("two fields: {}", text(&record)) };
        assert_eq!([&*user.0, &*time.0], [&b"user_id"[..], b"timestamp"]);
        for value in [user.1.get(), time.1.get()] {
            assert!(text(&plain).contains(value), "the same login: {value}");
        }
        assert!(record.value.len() < 100, "{}", text(&record));
        assert_eq!(padded.value.len(), 100);
    }
}

#[test]
fn traced_events_are_padded_to_the_size_asked_for() {
    let generator = generator(&Plan { event_size: 400, ..plan(0.0) });
    for event_no in 0..100 {
        let record = made(&generator, event_no);
        assert_eq!(record.value.len(), 400);
        let reading = crate::rules::read_output(&record.value).expect("readable");
        assert_eq!(reading.event_no, Some(event_no));
        assert_eq!(reading.sent_us, Some(1_700_000_000_000_000 + event_no));
    }
}

#[test]
fn poison_breaks_a_rule_and_everything_else_keeps_them() {
    let rules = Rules { max_future_ms: 3_600_000, max_event_bytes: 65_536 };
    let generator = generator(&plan(0.1));
    for event_no in 0..40_000 {
        let record = made(&generator, event_no);
        let shown = String::from_utf8_lossy(&record.value);
        let reading = rules.read_input(&record.value, START_S * 1_000 + 500_000);
        match (record.kind, reading) {
            (Kind::Tombstone, _) => assert_eq!(record.payload(), None),
            (Kind::Poison, Err(_)) => {}
            (Kind::Poison, Ok(_)) => panic!("event {event_no} is no poison: {shown}"),
            (kind, Err(reason)) => panic!("event {event_no} ({kind:?}) is {reason:?}: {shown}"),
            (_, Ok(reading)) => {
                let seconds = reading.time_ms.div_euclid(1_000);
                assert_eq!(seconds, record.time_ms.div_euclid(1_000), "{shown}");
                assert_eq!(reading.event_no, Some(event_no), "{shown}");
            }
        }
    }
}

#[test]
fn every_way_to_poison_breaks_the_rules_that_it_says() {
    let rules = Rules { max_future_ms: 3_600_000, max_event_bytes: 65_536 };
    let generator = generator(&plan(0.0));
    let mut all = Vec::new();
    for way in poison::WAYS {
        let mut found: Vec<Broken> = Vec::new();
        for event_no in 0..5_000 {
            let login = generator.login(event_no, START_S * 1_000);
            let mut shape = Draw::new(7, event_no, Purpose::Shape);
            let mut value = Vec::new();
            way.write(&login, &mut shape, &mut value);
            let shown = String::from_utf8_lossy(&value);
            let Err(broken) = rules.read_input(&value, START_S * 1_000) else {
                panic!("{} {event_no} is no poison: {shown}", way.name)
            };
            assert!(way.breaks.contains(&broken), "{} is {broken:?}: {shown}", way.name);
            if !found.contains(&broken) {
                found.push(broken);
            }
        }
        // What is made at random breaks some rules too rarely to be waited for.
        let is_random = way.name.starts_with("random_");
        let breaks_all = found.len() == way.breaks.len();
        assert!(breaks_all || is_random, "{} only breaks {found:?}", way.name);
        all.extend(found);
    }
    for reason in [
        Broken::Empty,
        Broken::TooLarge,
        Broken::Encoding,
        Broken::NotJson,
        Broken::NotJsonOrTooDeep,
        Broken::TooDeep,
        Broken::NotAnObject,
        Broken::Duplicate,
        Broken::Missing,
        Broken::Type,
        Broken::TimeUnreadable,
        Broken::TimeRange,
    ] {
        assert!(all.contains(&reason), "no poison is {reason:?}");
    }
}

#[test]
fn odd_events_go_to_the_edge_of_the_nesting() {
    let generator = generator(&plan(0.1));
    let odd = (0..20_000).map(|event_no| made(&generator, event_no));
    let depths = odd.filter(|record| record.kind == Kind::Odd);
    let deepest = depths.map(|record| crate::json::depth(text(&record))).max();
    assert_eq!(deepest, Some(16));
}

#[test]
fn shares_come_out_as_asked() {
    let generator = generator(&plan(0.1));
    let count = |kind| (0..20_000).filter(|event_no| generator.kind(*event_no) == kind).count();
    for (kind, expected) in [
        (Kind::Late, 2_000),
        (Kind::Duplicate, 2_000),
        (Kind::Odd, 4_000),
        (Kind::Poison, 4_000),
        (Kind::Tombstone, 2_000),
        (Kind::Huge, 20),
    ] {
        let found = count(kind);
        assert!(found.abs_diff(expected) < expected / 5 + 30, "{found} of {kind:?}");
    }
    let aborted = (0..100_000).filter(|event_no| generator.is_aborted(*event_no)).count();
    assert!((20_000..30_000).contains(&aborted), "{aborted} aborted");
    assert_eq!(generator.is_aborted(500), generator.is_aborted(599));
}

#[test]
fn times_follow_the_plan() {
    let generator = generator(&plan(0.1));
    for event_no in 1..20_000 {
        let place_ms = event_no as i64 * 10;
        let distance = place_ms - generator.time_from_start_ms(event_no);
        let expected = match generator.kind(event_no) {
            Kind::Late => 0..=602_000,
            Kind::Early => -3_000_000..=-2_998_000,
            Kind::Duplicate => 0..=12_000,
            _ => 0..=2_000,
        };
        assert!(expected.contains(&distance), "event {event_no}: {distance} ms");
    }
}

#[test]
fn a_place_in_the_stream_knows_no_disorder_lateness_or_lead() {
    let generator = generator(&plan(0.1));
    for event_no in 0..20_000 {
        let record = made(&generator, event_no);
        assert_eq!(record.place_ms, START_S * 1_000 + event_no as i64 * 10, "event {event_no}");
        let lead_ms = record.time_ms - record.place_ms;
        let expected = match record.kind {
            Kind::Early => 2_998_000..=3_000_000,
            _ => -612_000..=0,
        };
        assert!(expected.contains(&lead_ms), "event {event_no}: {lead_ms} ms");
    }
}

#[test]
fn a_duplicate_repeats_an_earlier_login() {
    let mut plan = Plan { bare: true, ..plan(0.0) };
    plan.shares.share_duplicate = 0.1;
    let generator = generator(&plan);
    let values: Vec<_> = (0..2_000).map(|event_no| made(&generator, event_no).value).collect();
    let duplicates: Vec<_> = (0..2_000).filter(|n| generator.kind(*n) == Kind::Duplicate).collect();
    let repeats = duplicates.iter().filter(|event_no| {
        let index = **event_no as usize;
        values[index.saturating_sub(DUPLICATE_REACH as usize)..index].contains(&values[index])
    });
    // The others repeat the plain form of an event that is itself a duplicate.
    assert!(repeats.count() * 10 > duplicates.len() * 8);
    assert!((150..250).contains(&duplicates.len()), "{}", duplicates.len());
}

#[test]
fn records_go_to_one_partition_at_a_time_and_to_all_alike() {
    let generator = generator(&plan(0.0));
    let partitions: Vec<i32> = (0..160).map(|event_no| generator.partition(event_no)).collect();
    for (index, run) in partitions.chunks(10).enumerate() {
        assert_eq!(run, [(index % PARTITIONS) as i32; 10]);
    }
}

#[test]
fn partition_shares_give_one_partition_a_hundred_times_the_others_backlog() {
    let generator = generator(&Plan { partition_shares: vec![100, 1], ..plan(0.0) });
    let mut counts = [0; PARTITIONS];
    for event_no in 0..107 * 10 * 3 {
        counts[generator.partition(event_no) as usize] += 1;
    }
    assert_eq!(counts, [3_000, 30, 30, 30, 30, 30, 30, 30]);
    let three = Plan { partition_shares: vec![1, 5, 2], ..plan(0.0) };
    assert!(Generator::new(&three, START_S, 2).is_err(), "a share without a partition");
}

#[test]
fn users_follow_the_exponent() {
    let busiest = |zipf| {
        let generator = generator(&Plan { zipf, users: 100, ..plan(0.0) });
        let mut counts = std::collections::HashMap::new();
        for event_no in 0..10_000 {
            let login = generator.login(event_no, 0);
            *counts.entry(login.user).or_insert(0) += 1;
        }
        assert!(counts.len() <= 100);
        counts.into_values().max().expect("there are users")
    };
    assert!((50..200).contains(&busiest(0.0)), "even");
    assert!(busiest(1.0) > 1_500, "the first of 100 has 19 % by Zipf's law");
    let one = generator(&Plan { users: 1, ..plan(0.0) });
    assert_eq!(one.login(1, 0).user, one.login(2, 0).user);
}

#[test]
fn locales_are_as_many_as_asked_for() {
    let generator = generator(&Plan { locales: 300, ..plan(0.0) });
    let names: std::collections::HashSet<String> = (0..10_000)
        .map(|event_no| {
            let mut name = Vec::new();
            event::write_locale(generator.login(event_no, 0).locale, &mut name);
            String::from_utf8(name).expect("ASCII")
        })
        .collect();
    assert_eq!(names.len(), 300);
    assert!(names.contains("CA") && names.contains("L00299"), "{names:?}");
}

#[test]
fn without_a_population_events_are_those_of_earlier_versions() {
    let hash_of = |plan: &Plan| {
        let generator = generator(plan);
        let records = (0..2_000).map(|event_no| made(&generator, event_no));
        records.fold(0_u64, |hash, record| {
            let bytes = record.key.iter().chain(&record.value).copied();
            let hash = bytes.fold(hash, |hash, byte| rng::mix(hash ^ u64::from(byte)));
            rng::mix(hash ^ record.partition as u64 ^ record.place_ms as u64)
        })
    };
    assert_eq!(hash_of(&plan(0.1)), 8_948_413_271_465_723_893);
    assert_eq!(hash_of(&Plan { bare: true, seed: None, ..plan(0.0) }), 14_668_739_618_433_711_765);
}
