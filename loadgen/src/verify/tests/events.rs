//! Mistakes in processed-logins, the dead letters and the late records.

use jiff::tz::TimeZone;

use super::super::report::Mistake;
use super::world::{World, plan};
use crate::args::TimestampStyle;

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
    world.allow_duplicates = true;
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
    world.allow_duplicates = true;
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
    for (name, value) in [("topic", "other"), ("reason", ""), ("detail", ""), ("timestamp", "")] {
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
fn repeated_side_records_may_be_allowed() {
    let mut world = World::new();
    world.dead_letters.push(world.dead_letters[3].clone());
    world.late.push(world.late[3].clone());
    world.allow_duplicates = true;
    world.expect(&[]);
    let counts = world.judge().counts;
    assert_eq!((counts.dead_letter_repeats, counts.late_repeats), (1, 1));
}

#[test]
fn mistakes_in_late_records_are_found() {
    let mut world = World::new();
    world.late.push(world.late[3].clone());
    world.expect(&[Mistake::LateDoubled]);

    let mut world = World::new();
    world.late[3].set_text("other");
    world.expect(&[Mistake::LateWrong]);

    let mut world = World::new();
    world.late.push(world.dead_letters[0].clone());
    world.expect(&[Mistake::LateUnexpected]);

    // An event that is neither counted nor late is missing in its window's total, or the window is.
    let mut world = World::new();
    world.late.remove(3);
    let found: Vec<_> = world.judge().mistakes.into_keys().collect();
    assert!(found == [Mistake::WindowTotal] || found == [Mistake::WindowMissing], "{found:?}");
}
