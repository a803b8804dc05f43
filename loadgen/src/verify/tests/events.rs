//! Mistakes in processed-logins, the dead letters and the late records.

use jiff::tz::TimeZone;

use super::{
    super::report::Mistake,
    world::{Owned, START_S, World, plan},
};
use crate::args::{ExpectLate, TimestampStyle};

#[test]
fn an_honest_processor_is_found_fine() {
    let world = World::new();
    world.expect(&[]);
    let counts = world.judge().counts;
    assert_eq!(counts.input, 1_000);
    assert_eq!(counts.valid + counts.rejected + counts.tombstones, 1_000);
    assert!(counts.late > 10 && counts.rejected > 50 && counts.tombstones > 10, "{counts:?}");
    assert_eq!(counts.windows, counts.windows_expected);
    assert_eq!(counts.highest_revision, 2);
}

#[test]
fn zones_and_styles_are_told_apart() {
    let zone = TimeZone::get("America/New_York").expect("in the bundle");
    let mut world = World::of(&plan(), 500, &zone, TimestampStyle::Rfc3339);
    world.expect(&[]);
    world.timezone = TimeZone::UTC;
    world.expect(&[Mistake::ProcessedWrongAddition]);
    world.timezone = zone;
    world.style = TimestampStyle::Naive;
    world.expect(&[Mistake::ProcessedWrongAddition]);
    // The reading of the clock is the same, the offset is what differs.
    let mut utc = World::of(&plan(), 500, &TimeZone::UTC, TimestampStyle::Rfc3339);
    utc.expect(&[]);
    for record in &mut utc.processed {
        let text = record.text().replace("+00:00\"", "Z\"");
        record.set_text(text);
    }
    let wrong = utc.judge().mistakes.len();
    assert_eq!(wrong, 0, "Z is as good as +00:00");
}

#[test]
fn a_missing_output_is_found() {
    let mut world = World::new();
    world.processed.remove(17);
    world.expect(&[Mistake::ProcessedMissing]);
    world.most_repeats = 1;
    world.expect(&[Mistake::ProcessedMissing]);
    world.processed.clear();
    let report = world.judge();
    assert_eq!(report.mistakes[&Mistake::ProcessedMissing].count, report.counts.valid);
    assert_eq!(report.mistakes[&Mistake::ProcessedMissing].examples.len(), 10);
}

#[test]
fn a_doubled_output_is_found_and_may_be_allowed() {
    let mut world = World::new();
    world.processed.push(world.processed[17].clone());
    world.expect(&[Mistake::ProcessedDoubled]);
    world.most_repeats = 1;
    world.expect(&[]);
    assert_eq!(world.judge().counts.processed_repeats, 1);
}

#[test]
fn an_output_that_differs_is_found() {
    for (what, with) in [
        ("\"locale\":\"CA\"", "\"locale\":\"NY\""),
        ("\"timestamp\":16", "\"timestamp\":26"),
        ("\"locale\":\"CA\"", "\"locale\":null"),
        ("\"locale\":\"CA\"", "\"locale\":\"CA\",\"more\":1"),
    ] {
        let mut world = World::new();
        let index = world.plain_output();
        let text = world.processed[index].text().replacen(what, with, 1);
        world.processed[index].set_text(text);
        let report = world.judge();
        for mistake in [Mistake::ProcessedMissing, Mistake::ProcessedUnexpected] {
            assert!(report.mistakes.contains_key(&mistake), "{what} → {with}: {mistake:?}");
        }
    }
}

#[test]
fn a_key_twice_is_found() {
    for twice in ["hour_of_day", "user_id", "locale", "processed_timestamp"] {
        let mut world = World::new();
        let index = world.plain_output();
        let text = world.processed[index].text().to_owned();
        let event: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        world.processed[index].set_text(format!("{{\"{twice}\":{},{}", event[twice], &text[1..]));
        world.expect(&[Mistake::ProcessedDuplicateKey]);
    }
}

#[test]
fn wrong_additions_are_found() {
    for (what, with) in [
        ("\"hour_of_day\":0", "\"hour_of_day\":1"),
        ("\"hour_of_day\":0", "\"hour_of_day\":\"0\""),
        ("\"hour_of_day\":0,", ""),
        ("\"readable_timestamp\":\"2023", "\"readable_timestamp\":\"2024"),
        ("\"processed_timestamp\":\"2024-11-02T", "\"processed_timestamp\":\"2024-11-02 "),
        ("\"processed_timestamp\":\"2024-11-02T15:14:15.044112\",", ""),
    ] {
        let mut world = World::new();
        let index = world.plain_output();
        let text = world.processed[index].text();
        assert!(text.contains(what), "{text}");
        let text = text.replacen(what, with, 1);
        world.processed[index].set_text(text);
        world.expect(&[Mistake::ProcessedWrongAddition]);
    }
}

#[test]
fn a_wrong_key_or_partition_is_found() {
    let mut world = World::new();
    world.processed[5].key = world.input[5].key.clone();
    world.expect(&[Mistake::ProcessedWrongKey]);
    world.processed[5].key = None;
    world.expect(&[Mistake::ProcessedWrongKey]);
    let mut world = World::new();
    world.processed[5].partition = (world.processed[5].partition + 1) % 4;
    world.expect(&[Mistake::ProcessedWrongPartition]);
}

#[test]
fn an_unreadable_output_is_found() {
    let mut world = World::new();
    world.processed[5].set_text("{");
    world.expect(&[Mistake::ProcessedMissing, Mistake::ProcessedUnreadable]);
    world.processed[5].value = None;
    world.expect(&[Mistake::ProcessedMissing, Mistake::ProcessedUnreadable]);
}

#[test]
fn mistakes_in_dead_letters_are_found() {
    let change = |change: fn(&mut World), expected: &[Mistake]| {
        let mut world = World::new();
        change(&mut world);
        world.expect(expected);
    };
    change(|world| drop(world.dead_letters.remove(3)), &[Mistake::DeadLetterMissing]);
    change(
        |world| world.dead_letters.push(world.dead_letters[3].clone()),
        &[Mistake::DeadLetterDoubled],
    );
    change(|world| world.dead_letters[3].set_text("other"), &[Mistake::DeadLetterWrong]);
    change(|world| world.dead_letters[3].key = None, &[Mistake::DeadLetterWrong]);
    for (name, value) in [("topic", "other"), ("detail", ""), ("timestamp", "")] {
        let mut world = World::new();
        world.dead_letters[3].set_header(&format!("logintide.{name}"), value);
        world.expect(&[Mistake::DeadLetterWrong]);
    }
    change(
        |world| world.dead_letters[3].headers.clear(),
        &[Mistake::DeadLetterMissing, Mistake::DeadLetterWrong],
    );
    change(
        |world| world.dead_letters[3].set_header("logintide.offset", "1"),
        &[Mistake::DeadLetterMissing, Mistake::DeadLetterUnexpected],
    );
    // A valid event is no dead letter, and one that became one has no output.
    change(
        |world| world.dead_letters.push(world.late[0].clone()),
        &[Mistake::DeadLetterUnexpected],
    );
}

#[test]
fn a_dead_letter_has_the_reason_and_the_timestamp_of_its_record() {
    let honest = World::new();
    for index in 0..honest.dead_letters.len() {
        let mut world = honest.clone();
        world.dead_letters[index].set_header("logintide.reason", "late");
        world.expect(&[Mistake::DeadLetterReason]);
    }
    for (reason, other) in [("not_json", "too_large"), ("wrong_type", "missing_field")] {
        let mut world = honest.clone();
        let has_reason = |record: &&mut Owned| record.headers.contains(&header("reason", reason));
        let found = world.dead_letters.iter_mut().find(has_reason).expect("poison of every kind");
        found.set_header("logintide.reason", other);
        world.expect(&[Mistake::DeadLetterReason]);
    }
    let mut world = honest;
    world.dead_letters[3].set_header("logintide.timestamp", "1694479551000");
    world.expect(&[Mistake::DeadLetterWrong]);
}

#[test]
fn a_dead_letter_may_be_cut_if_it_says_from_what() {
    let honest = World::new();
    let whole = |record: &Owned| record.value.as_ref().map_or(0, Vec::len);
    let index = honest.dead_letters.iter().position(|record| whole(record) > 65_536).expect("one");
    let bytes = whole(&honest.dead_letters[index]);
    let cut = |to: usize, from: String| {
        let mut world = honest.clone();
        world.dead_letters[index].value.as_mut().expect("a value").truncate(to);
        world.dead_letters[index].headers.push(header("truncated_from", &from));
        world
    };
    for to in [0, 1, 40_000, bytes - 1] {
        let world = cut(to, bytes.to_string());
        world.expect(&[]);
        assert_eq!(world.judge().counts.dead_letters_cut, 1);
    }
    for (to, from) in [(40_000, bytes - 1), (40_000, 40_000), (40_000, 0), (bytes, bytes)] {
        cut(to, from.to_string()).expect(&[Mistake::DeadLetterWrong]);
    }
    cut(40_000, "all".to_owned()).expect(&[Mistake::DeadLetterWrong]);
    let mut world = cut(40_000, bytes.to_string());
    world.dead_letters[index].value.as_mut().expect("a value")[7] ^= 1;
    world.expect(&[Mistake::DeadLetterWrong]);
    let mut world = cut(40_000, bytes.to_string());
    world.dead_letters[index].key = None;
    world.expect(&[Mistake::DeadLetterWrong]);
    // Without the header, all of it must be there.
    let mut world = cut(40_000, bytes.to_string());
    world.dead_letters[index].headers.pop();
    world.expect(&[Mistake::DeadLetterWrong]);
}

fn header(name: &str, value: &str) -> (String, String) {
    (format!("logintide.{name}"), value.to_owned())
}

#[test]
fn repeats_are_bounded() {
    let mut world = World::new();
    for _ in 0..2 {
        world.processed.push(world.processed[17].clone());
        world.dead_letters.push(world.dead_letters[3].clone());
        world.late.push(world.late[3].clone());
    }
    world.most_repeats = 2;
    world.expect(&[]);
    world.most_repeats = 1;
    world.expect(&[Mistake::ProcessedDoubled, Mistake::DeadLetterDoubled, Mistake::LateDoubled]);
}

#[test]
fn repeated_side_records_may_be_allowed() {
    let mut world = World::new();
    world.dead_letters.push(world.dead_letters[3].clone());
    world.late.push(world.late[3].clone());
    world.most_repeats = 1;
    world.expect(&[]);
    let counts = world.judge().counts;
    assert_eq!((counts.dead_letter_repeats, counts.late_repeats), (1, 1));
    world.repeats_everywhere = false;
    world.expect(&[Mistake::DeadLetterDoubled, Mistake::LateDoubled]);
}

#[test]
fn mistakes_in_late_records_are_found() {
    let mut world = World::new();
    world.late.push(world.late[3].clone());
    world.expect(&[Mistake::LateDoubled]);

    let mut world = World::new();
    world.late[3].set_text("other");
    world.expect(&[Mistake::LateWrong]);
    for (name, value) in
        [("topic", "x"), ("reason", "not_json"), ("detail", ""), ("timestamp", "1")]
    {
        let mut world = World::new();
        world.late[3].set_header(&format!("logintide.{name}"), value);
        world.expect(&[Mistake::LateWrong]);
    }

    let mut world = World::new();
    world.late.push(world.dead_letters[0].clone());
    world.expect(&[Mistake::LateUnexpected]);

    // An event that is neither counted nor late is missing in its window's total, or the window is.
    let mut world = World::new();
    world.late.remove(3);
    let found: Vec<_> = world.judge().mistakes.into_keys().collect();
    assert!(found == [Mistake::WindowTotal] || found == [Mistake::WindowMissing], "{found:?}");
}

/// A world whose processor calls every event late that is this much older than the newest.
fn hasty(late_after_ms: i64) -> World {
    let mut world = World::empty(&plan(), &TimeZone::UTC, TimestampStyle::Naive);
    world.late_after_ms = late_after_ms;
    World::with(world, 1_000)
}

#[test]
fn a_processor_that_calls_everything_late_is_found() {
    // Behind the lowest watermark: every event, and no window.
    let world = hasty(-10_000_000_000_000);
    assert_eq!(world.late.len() as u64, world.judge().counts.valid - 1);
    assert!(world.judge().mistakes.contains_key(&Mistake::LateInTime));
}

#[test]
fn a_fast_clock_makes_no_event_late() {
    // The newest event claims to be an hour ahead of its record: no watermark follows it.
    let mut world = hasty(100_000);
    assert!(world.judge().mistakes.contains_key(&Mistake::LateInTime));
    world.predict = None;
    let mut ahead = world.input[0].clone();
    ahead.offset = 1_000_000;
    ahead.timestamp_ms = (START_S + 40) * 1_000;
    ahead.set_text(format!("{{\"user_id\":\"u\",\"timestamp\":{}}}", START_S + 3_600));
    world.process(&ahead);
    world.input.push(ahead.clone());
    assert!(world.judge().mistakes.contains_key(&Mistake::LateInTime));
    // Were it there by its record's own timestamp, they might be late.
    world.input.last_mut().expect("just pushed").timestamp_ms = (START_S + 3_600) * 1_000;
    assert!(!world.judge().mistakes.contains_key(&Mistake::LateInTime));
}

#[test]
fn late_records_are_expected_or_not() {
    let mut world = World::new();
    world.expect_late = ExpectLate::Some;
    world.expect(&[]);
    world.expect_late = ExpectLate::None;
    world.expect(&[Mistake::LateUnwanted]);
    let mut world = World::punctual();
    world.expect(&[]);
    world.expect_late = ExpectLate::None;
    world.expect(&[]);
    world.expect_late = ExpectLate::Some;
    world.expect(&[Mistake::LateAbsent]);
}

#[test]
fn an_event_that_was_in_time_must_not_be_late() {
    hasty(300_000).expect(&[]);
    let report = hasty(240_000).judge();
    let found: Vec<_> = report.mistakes.keys().copied().collect();
    assert_eq!(found, [Mistake::LateInTime], "{:#?}", report.mistakes);
}
