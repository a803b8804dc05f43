//! Mistakes in aggregated-usage.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    super::report::Mistake,
    world::{World, plan},
};
use crate::{args::TimestampStyle, generate::Plan};

/// Changes the newest record of a window, which is the second of its two.
fn changed(change: impl FnOnce(&mut Value)) -> World {
    let mut world = World::punctual();
    let index = newest_of_full_window(&world);
    world.change_window(index, change);
    world
}

fn newest_of_full_window(world: &World) -> usize {
    let first = world.full_window();
    assert_eq!(world.windows[first].key, world.windows[first + 1].key);
    first + 1
}

fn add(value: &mut Value, by: i64) {
    *value = json!(value.as_i64().expect("a count") + by);
}

/// One more event in the total, the first value of each map and the quotient.
fn count_one_more(window: &mut Value) {
    for map in ["location_stats", "device_stats", "version_stats"] {
        let map = window[map].as_object_mut().expect("a map");
        add(map.values_mut().next().expect("a value"), 1);
    }
    add(&mut window["total_events"], 1);
    window["batch_size"] = json!(window["total_events"].as_f64().expect("a count") / 10.0);
}

#[test]
fn a_missing_window_is_found() {
    let mut world = World::new();
    let index = newest_of_full_window(&world);
    world.windows.drain(index - 1..=index);
    world.expect(&[Mistake::WindowMissing]);
}

#[test]
fn a_window_without_events_is_found() {
    let mut world = World::new();
    let mut window = world.windows[newest_of_full_window(&world) - 1].clone();
    let text = window.text().replace("2023-09-12T", "2022-09-12T");
    let start_s = 1_662_943_550;
    window.key = Some(start_s.to_string().into_bytes());
    window.set_text(text);
    world.windows.push(window);
    let report = world.judge();
    assert!(report.mistakes.contains_key(&Mistake::WindowUnexpected), "{:?}", report.mistakes);
}

#[test]
fn a_wrong_total_is_found_even_if_all_its_parts_agree() {
    changed(count_one_more).expect(&[Mistake::WindowTotal]);
}

#[test]
fn a_wrong_map_is_found() {
    for name in ["location_stats", "device_stats", "version_stats"] {
        let world = changed(|window| {
            let map = window[name].as_object_mut().expect("a map");
            let mut values = map.values_mut().filter(|count| count.as_u64() > Some(1));
            add(values.next().expect("a value above 1"), -1);
            add(map.values_mut().next_back().expect("a value"), 1);
        });
        world.expect(&[Mistake::WindowMap]);
    }
    let world = changed(|window| {
        let map = window["location_stats"].as_object_mut().expect("a map");
        let (name, count) = map.iter().next().map(|(n, c)| (n.clone(), c.clone())).expect("one");
        map.remove(&name);
        map.insert("XX".to_owned(), count);
    });
    world.expect(&[Mistake::WindowMap]);
}

#[test]
fn self_contradictions_are_found() {
    let changes: [fn(&mut Value); 9] = [
        |window| window["batch_size"] = json!(0.5),
        |window| window["current_time"] = json!(1.0),
        |window| window["time_window"] = json!(11.0),
        |window| window["window_start"] = json!("2024-11-03T17:01:50Z"),
        |window| window["window_end"] = window["window_start"].clone(),
        |window| window["late_events"] = json!(1_000_000),
        |window| {
            window["device_stats"]["zzz"] = json!(0);
        },
        |window| window["window_start"] = json!("2023-09-12T00:45:50+00:00"),
        |window| window["batch_size"] = json!(null),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let report = changed(change).judge();
        let found: Vec<_> = report.mistakes.keys().collect();
        let expected = [Mistake::WindowInconsistent, Mistake::WindowUnreadable];
        assert!(found.iter().any(|found| expected.contains(found)), "change {number}: {found:?}");
    }
    let mut world = World::new();
    let index = newest_of_full_window(&world);
    let text = world.windows[index].text().replacen(
        "\"device_stats\":{",
        "\"device_stats\":{\"zz\":1,",
        1,
    );
    world.windows[index].set_text(text);
    let found: Vec<_> = world.judge().mistakes.into_keys().collect();
    assert!(found.contains(&Mistake::WindowInconsistent), "unsorted: {found:?}");
}

#[test]
fn an_unreadable_window_is_found() {
    for key in [None, Some(b"soon".to_vec()), Some(b"1694479551".to_vec()), Some(b"+10".to_vec())] {
        let mut world = World::new();
        let mut window = world.windows[0].clone();
        window.key = key;
        world.windows.push(window);
        world.expect(&[Mistake::WindowUnreadable]);
    }
    for value in [None, Some(b"{}".to_vec()), Some(b"".to_vec())] {
        let mut world = World::new();
        let mut window = world.windows[0].clone();
        window.value = value;
        world.windows.push(window);
        world.expect(&[Mistake::WindowUnreadable]);
    }
}

#[test]
fn users_may_be_off_a_little_and_not_more() {
    let users = |by: i64| changed(|window| add(&mut window["unique_users"], by));
    users(3).expect(&[]);
    users(-3).expect(&[]);
    users(20).expect(&[Mistake::WindowUsers]);
    users(-20).expect(&[Mistake::WindowUsers]);
}

#[test]
fn revisions_come_in_order_without_holes() {
    let hole = changed(|window| window["revision"] = json!(3));
    hole.expect(&[Mistake::WindowRevision]);

    let mut repeated = World::new();
    let index = newest_of_full_window(&repeated);
    let newest = repeated.windows[index].clone();
    repeated.windows.insert(index, newest);
    repeated.expect(&[Mistake::WindowRevision]);
    repeated.most_repeats = 1;
    repeated.expect(&[]);
    assert_eq!(repeated.judge().counts.window_repeats, 1);
    repeated.repeats_everywhere = false;
    repeated.expect(&[Mistake::WindowRevision]);

    let mut reversed = World::new();
    let index = newest_of_full_window(&reversed);
    reversed.windows.swap(index - 1, index);
    reversed.expect(&[Mistake::WindowRevision]);
    reversed.most_repeats = 1;
    reversed.expect(&[Mistake::WindowRevision]);

    let mut apart = World::new();
    let index = newest_of_full_window(&apart);
    apart.windows[index].partition = 1;
    apart.expect(&[Mistake::WindowRevision]);
}

#[test]
fn the_last_of_equal_revisions_counts() {
    let mut world = World::punctual();
    let index = newest_of_full_window(&world);
    let mut again = world.windows[index].clone();
    std::mem::swap(&mut again, &mut world.windows[index]);
    world.windows.insert(index + 1, again);
    world.most_repeats = 1;
    world.change_window(index, count_one_more);
    world.expect(&[]);
    world.windows.swap(index, index + 1);
    world.expect(&[Mistake::WindowTotal]);
}

#[test]
fn incomplete_windows_are_refused_counted_or_excused() {
    let mut world = changed(|window| window["complete"] = json!(false));
    world.expect(&[Mistake::WindowIncomplete]);
    world.expect_complete = false;
    world.expect(&[]);
    assert_eq!(world.judge().counts.windows_incomplete, 1);

    // Its first revision is one event short.
    let mut short = World::punctual();
    let index = newest_of_full_window(&short);
    short.windows.remove(index);
    short.change_window(index - 1, |window| window["complete"] = json!(false));
    short.expect_complete = false;
    short.expect(&[Mistake::WindowTotal]);
    short.allow_incomplete = true;
    short.expect(&[]);

    let mut over = changed(count_one_more);
    let index = newest_of_full_window(&over);
    over.change_window(index, |window| window["complete"] = json!(false));
    over.expect_complete = false;
    over.allow_incomplete = true;
    over.expect(&[Mistake::WindowTotal]);
}

#[test]
fn an_event_is_counted_or_late_and_never_both() {
    // An event that is late, and counted in its window, too.
    let world = World::new();
    let late = world.late[0].clone();
    let mut counted = World::empty(&plan(), &TimeZone::UTC, TimestampStyle::Naive);
    counted.predict = Some(1_000);
    for record in &world.input {
        counted.late_after_ms = if record.key == late.key { i64::MAX } else { world.late_after_ms };
        counted.process(record);
        counted.input.push(record.clone());
    }
    counted.close_windows();
    counted.expect(&[]);
    counted.late.push(late);
    for most_repeats in [0, 1, 100] {
        counted.most_repeats = most_repeats;
        let found: Vec<_> = counted.judge().mistakes.into_keys().collect();
        let is_found = |mistake| found.contains(mistake);
        let expected = [Mistake::WindowTotal, Mistake::WindowUnexpected];
        assert!(expected.iter().any(is_found), "{most_repeats}: {found:?}");
    }
}

#[test]
fn repeats_of_a_revision_are_bounded_and_never_leave_a_hole() {
    let mut world = World::new();
    let index = newest_of_full_window(&world);
    let newest = world.windows[index].clone();
    for _ in 0..3 {
        world.windows.insert(index, newest.clone());
    }
    world.most_repeats = 3;
    world.expect(&[]);
    assert_eq!(world.judge().counts.window_repeats, 3);
    world.most_repeats = 2;
    world.expect(&[Mistake::WindowRevision]);
    let mut hole = changed(|window| window["revision"] = json!(3));
    hole.most_repeats = 2;
    hole.expect(&[Mistake::WindowRevision]);
}

#[test]
fn windows_before_the_start_of_processing_must_say_that_they_are_incomplete() {
    let mut world = World::empty(&plan(), &TimeZone::UTC, TimestampStyle::Naive);
    world.plan.shares.share_late = 0.0;
    world.plan.shares.share_duplicate = 0.0;
    world.input_from = vec![250; 4];
    world.expect_complete = false;
    let mut world = World::with(world, 1_000);
    // The first event of the latest partition lies in this window; those behind it miss nothing.
    let report = world.judge();
    assert!(report.counts.unseen > 500, "{:?}", report.counts);
    assert_eq!(report.mistakes.into_keys().collect::<Vec<_>>(), [Mistake::WindowNotMarked]);
    let starts: Vec<_> = world.windows.iter().map(|window| window.key.clone()).collect();
    let first = starts[0].clone();
    for index in 0..world.windows.len() {
        if world.windows[index].key == first {
            world.change_window(index, |window| window["complete"] = json!(false));
        }
    }
    world.expect(&[]);
    assert_eq!(world.judge().counts.windows_incomplete, 1);
    let last = world.windows.len() - 1;
    world.change_window(last, |window| window["complete"] = json!(false));
    world.expect(&[Mistake::WindowIncomplete]);
    // What lies before is expected nowhere: not in the outputs either.
    world.input_from = vec![0; 4];
    let found: Vec<_> = world.judge().mistakes.into_keys().collect();
    assert!(found.contains(&Mistake::ProcessedMissing), "{found:?}");
    assert!(found.contains(&Mistake::WindowTotal), "{found:?}");
}

#[test]
fn a_thousand_values_have_names_and_the_rest_is_other() {
    let mut many = Plan { locales: 100_000, ..plan() };
    many.events_per_second_of_event_time = Some(200.0);
    let mut world = World::of(&many, 4_000, &TimeZone::UTC, TimestampStyle::Naive);
    world.expect(&[]);
    let capped = world.windows.iter().position(|window| {
        let window: Value = serde_json::from_str(window.text()).expect("JSON");
        window["location_stats"].as_object().expect("a map").len() == 1_001
    });
    let newest = capped.expect("a window with more than 1000 locales") + 1;
    let honest = world.clone();
    world.change_window(newest, |window| {
        let map = window["location_stats"].as_object_mut().expect("a map");
        add(&mut map["other"], -5);
        add(map.values_mut().next().expect("a value"), 5);
    });
    world.expect(&[Mistake::WindowMap]);

    let mut world = honest;
    world.change_window(newest, |window| {
        let map = window["location_stats"].as_object_mut().expect("a map");
        add(&mut map["other"], -1);
        map.insert("zz".to_owned(), json!(1));
    });
    world.expect(&[Mistake::WindowMap]);
}
