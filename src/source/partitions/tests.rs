//! What the table says of positions, idleness, bounds and pauses.

use super::*;
use crate::ids::WindowStart;

const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);
const RULES: WindowRules =
    WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 };

/// How long a transaction may be open.
const TRANSACTION: Duration = Duration::from_mins(1);

fn two(now: Instant) -> Partitions {
    let mut partitions = Partitions::default();
    let held = partitions.own(&[(P0, Offset(5)), (P1, Offset(0))], 2, now);
    assert_eq!(held, []);
    partitions
}

/// A question at this moment.
fn align(partitions: &mut Partitions, times: &Times) -> (Vec<PartitionId>, Vec<PartitionId>) {
    partitions.align(times, &Elsewhere::default(), &RULES, TRANSACTION)
}

fn asked(at: Instant) -> Asked {
    Asked { at, wall: EventTimeMs(1_000) }
}

#[test]
fn records_read_before_or_unowned_are_dropped() {
    let now = Instant::now();
    let mut partitions = two(now);
    assert_eq!(partitions.record(P0, 4, false, now), Admission::Drop);
    assert_eq!(partitions.record(P0, 5, false, now), Admission::Take);
    assert_eq!(partitions.record(P0, 5, false, now), Admission::Drop);
    assert_eq!(partitions.record(P0, 9, true, now), Admission::Take);
    assert_eq!(partitions.record(PartitionId(2), 0, false, now), Admission::Drop);
    let cuts = partitions.cut(now, Duration::ZERO, |_| None);
    assert_eq!((cuts[0].routed, cuts[0].tombstones), (1, 1));
    assert_eq!(cuts[0].progress.next_offset, Offset(10));
}

#[test]
fn nothing_behind_what_could_not_be_read_is_taken() {
    let now = Instant::now();
    let mut partitions = two(now);
    partitions.doubt(P0);
    assert_eq!(partitions.record(P0, 6, false, now), Admission::Drop);
    partitions.end(P0, Offset(7));
    assert_eq!(partitions.positions()[&P0], Offset(5), "it stands there until that is judged");
    assert_eq!(partitions.record(P1, 0, false, now), Admission::Take);
}

#[test]
fn idle_needs_the_end_silence_and_a_broker_that_answers() {
    let start = Instant::now();
    let timeout = Duration::from_secs(10);
    let mut partitions = two(start);
    let at = |after: u64| start + Duration::from_secs(after);
    let idle = |partitions: &mut Partitions, after: u64| {
        partitions.cut(at(after), timeout, |_| None)[0].progress.idle_as_of.is_some()
    };
    partitions.answered(&[(P0, Offset(0))], asked(at(60)));
    assert!(!idle(&mut partitions, 60), "not at the end");
    partitions.end(P0, Offset(5));
    let mut partitions = two(start);
    partitions.end(P0, Offset(5));
    assert_eq!(partitions.to_probe(at(9), timeout, None), [], "not silent for long enough");
    assert!(!idle(&mut partitions, 20), "nobody has answered");
    assert_eq!(partitions.to_probe(at(10), timeout, None), [P0]);
    partitions.answered(&[(P0, Offset(5))], asked(at(10)));
    assert!(idle(&mut partitions, 10));
    assert_eq!(partitions.to_probe(at(19), timeout, None), []);
    assert_eq!(partitions.to_probe(at(20), timeout, None), [P0], "asked again");
    assert!(idle(&mut partitions, 29));
    assert!(!idle(&mut partitions, 31), "the broker is away");
    partitions.answered(&[(P0, Offset(5))], asked(at(32)));
    partitions.fetch_failed(None);
    assert!(!idle(&mut partitions, 33), "cannot be fetched");
    partitions.answered(&[(P0, Offset(5))], asked(at(34)));
    partitions.record(P0, 5, false, at(35));
    assert!(!idle(&mut partitions, 60), "has more than its end");
}

#[test]
fn a_partition_is_idle_as_of_the_question_and_asked_again_for_a_window() {
    let start = Instant::now();
    let timeout = Duration::from_secs(10);
    let now = start + timeout;
    let mut partitions = two(start);
    partitions.end(P0, Offset(5));
    partitions.answered(&[(P0, Offset(5))], asked(now));
    let later = now + Duration::from_secs(5);
    let as_of = partitions.cut(later, timeout, |_| None)[0].progress.idle_as_of;
    assert_eq!(as_of, Some(EventTimeMs(1_000)), "not as of the cut");
    let to_probe = |closed| partitions.to_probe(later, timeout, closed);
    assert_eq!(to_probe(None), [], "no window is to be closed");
    assert_eq!(to_probe(Some(EventTimeMs(1_000))), [], "the answer covers it");
    assert_eq!(to_probe(Some(EventTimeMs(1_001))), [P0]);
}

#[test]
fn a_partition_with_unread_records_behind_its_last_known_end_is_not_idle() {
    let start = Instant::now();
    let timeout = Duration::from_secs(10);
    let mut partitions = two(start);
    partitions.end(P0, Offset(5));
    let now = start + timeout;
    assert_eq!(partitions.answered(&[(P0, Offset(6))], asked(now)), 0);
    assert!(
        partitions.cut(now, timeout, |_| None)[0].progress.idle_as_of.is_none(),
        "one is to be fetched"
    );
    assert_eq!(partitions.answered(&[(P0, Offset(5))], asked(now)), 1);
    assert!(partitions.cut(now, timeout, |_| None)[0].progress.idle_as_of.is_some());
}

#[test]
fn the_end_event_moves_the_position_past_control_records() {
    let mut partitions = two(Instant::now());
    partitions.end(P1, Offset(3));
    assert_eq!(partitions.positions()[&P1], Offset(3));
}

#[test]
fn a_partition_far_ahead_is_paused_until_the_slowest_has_caught_up() {
    let mut partitions = two(Instant::now());
    let times = |p0: i64, p1: Option<i64>| Times {
        watermarks: [(P0, Some(p0)), (P1, p1)]
            .into_iter()
            .filter_map(|(p, time)| Some((p, EventTimeMs(time?))))
            .collect(),
        lowest_open: Some(WindowStart(0)),
        ..Times::default()
    };
    assert_eq!(align(&mut partitions, &times(300_000, None)), (vec![], vec![]));
    assert_eq!(align(&mut partitions, &times(400_000, None)), (vec![P0], vec![]));
    assert_eq!(align(&mut partitions, &times(400_000, Some(50))), (vec![], vec![]));
    assert_eq!(align(&mut partitions, &times(400_000, Some(200_000))), (vec![], vec![P0]));
}

#[test]
fn a_partition_at_its_end_holds_nobody_back() {
    let mut partitions = two(Instant::now());
    partitions.end(P1, Offset(0));
    let times = Times {
        watermarks: vec![(P0, EventTimeMs(900_000)), (P1, EventTimeMs(0))],
        ..Times::default()
    };
    assert_eq!(align(&mut partitions, &times), (vec![], vec![]));
}

#[test]
fn lag_counts_to_the_end_of_the_log_or_is_unknown() {
    let now = Instant::now();
    let mut partitions = two(now);
    partitions.end(P0, Offset(5));
    partitions.end(P1, Offset(0));
    let ends = |p| (p == P0).then_some(Offset(9));
    let cuts = partitions.cut(now, Duration::ZERO, ends);
    assert_eq!((cuts[0].lag, cuts[1].lag), (Some(4), None), "at the end or not");
    // The end of what may be read lies behind the markers of a transaction, and so does the log's.
    partitions.end(P0, Offset(9));
    assert!(partitions.has_news());
    assert_eq!(partitions.cut(now, Duration::ZERO, ends)[0].lag, Some(0));
    assert!(!partitions.has_news());
    partitions.observe(|p| (p == P0).then_some(Offset(10)));
    assert!(partitions.has_news(), "an open transaction has a record, and nothing else moves");
}

#[test]
fn a_partition_whose_records_an_open_transaction_hides_is_not_idle() {
    let start = Instant::now();
    let timeout = Duration::from_secs(10);
    let now = start + timeout;
    let mut partitions = two(start);
    partitions.end(P0, Offset(5));
    partitions.answered(&[(P0, Offset(5))], asked(now));
    let idle = |partitions: &mut Partitions, end| {
        let cut = partitions.cut(now, timeout, |_| Some(Offset(end)))[0];
        (cut.progress.idle_as_of.is_some(), cut.held)
    };
    assert_eq!(idle(&mut partitions, 5), (true, false));
    assert_eq!(idle(&mut partitions, 7), (false, false), "not known to be held yet");
    partitions.hold(P0, Offset(5), false);
    assert!(partitions.has_news());
    assert_eq!(idle(&mut partitions, 7), (false, true));
    partitions.hold(P0, Offset(5), true);
    assert_eq!(idle(&mut partitions, 7), (true, true), "a hanging one is not waited for");
    // Aborted: nothing comes, but the end moves past its marker.
    partitions.end(P0, Offset(8));
    assert_eq!(idle(&mut partitions, 8), (true, false));
    assert_eq!(idle(&mut partitions, 9), (false, false), "another one is not hanging");
}

#[test]
fn a_bound_behind_an_open_transaction_is_waited_for_unless_that_hangs() {
    let start = Instant::now();
    let mut partitions = Partitions::default();
    let bounds = BTreeMap::from([(P0, Offset(8)), (P1, Offset(0))]);
    let held = partitions.own(&[(P0, Offset(5)), (P1, Offset(0))], 2, start);
    assert_eq!(held, []);
    partitions.observe(|p| Some(bounds[&p]));
    partitions.end(P0, Offset(5));
    partitions.hold(P0, Offset(5), true);
    assert_eq!(partitions.hanging_before_bound(), None, "there is no bound");
    partitions.bound(Some(&bounds));
    partitions.hold(P0, Offset(5), false);
    assert_eq!(partitions.hanging_before_bound(), None);
    partitions.hold(P0, Offset(5), true);
    assert_eq!(partitions.hanging_before_bound(), Some(vec![(P0, Offset(5), 3)]));
    partitions.bound(Some(&BTreeMap::from([(P0, Offset(8)), (P1, Offset(1))])));
    assert_eq!(partitions.hanging_before_bound(), None, "another one is read");
    partitions.bound(Some(&bounds));
    // Aborted or committed, the end lies behind the marker and so behind the bound.
    partitions.end(P0, Offset(9));
    assert_eq!(partitions.hanging_before_bound(), None);
    partitions.bound(None);
    assert_eq!(partitions.hanging_before_bound(), None);
}

/// A leader that moves: no fetch says where the log ends.
#[test]
fn an_end_that_is_not_known_for_a_moment_hides_as_much_as_before() {
    let start = Instant::now();
    let timeout = Duration::from_secs(10);
    let late = start + Duration::from_secs(20);
    let mut partitions = Partitions::default();
    let held = partitions.own(&[(P0, Offset(5))], 2, start);
    assert_eq!(held, []);
    partitions.end(P0, Offset(5));
    partitions.answered(&[(P0, Offset(5))], asked(late));
    partitions.observe(|_| Some(Offset(9)));
    let mut is_idle = |end: Option<Offset>| {
        partitions.cut(late, timeout, |_| end)[0].progress.idle_as_of.is_some()
    };
    assert!(!is_idle(None));
    assert!(is_idle(Some(Offset(5))), "the rest was aborted and cut off");
}

#[test]
fn others_run_ahead_of_an_open_transaction_for_as_long_as_one_lasts_and_no_further() {
    let mut partitions = two(Instant::now());
    partitions.end(P1, Offset(0));
    let times = |p0| Times {
        watermarks: vec![(P0, EventTimeMs(p0)), (P1, EventTimeMs(0))],
        ..Times::default()
    };
    partitions.observe(|p| (p == P1).then_some(Offset(1)));
    assert_eq!(align(&mut partitions, &times(360_000)), (vec![], vec![]));
    assert!(!partitions.nothing_to_read());
    assert_eq!(align(&mut partitions, &times(360_001)), (vec![P0], vec![]));
    assert!(partitions.nothing_to_read(), "a pause for a transaction's sake is no stall");
    partitions.hold(P1, Offset(0), true);
    assert_eq!(align(&mut partitions, &times(360_001)), (vec![], vec![P0]));
}

#[test]
fn a_partition_runs_no_further_ahead_of_those_of_other_instances() {
    let mut partitions = two(Instant::now());
    partitions.end(P1, Offset(0));
    let times = Times { watermarks: vec![(P0, EventTimeMs(700_000))], ..Times::default() };
    let mut elsewhere = Elsewhere::default();
    elsewhere.note(Some(EventTimeMs(390_000)));
    let aligned = partitions.align(&times, &elsewhere, &RULES, TRANSACTION);
    assert_eq!(aligned, (vec![P0], vec![]));
    elsewhere.note(Some(EventTimeMs(395_000)));
    let aligned = partitions.align(&times, &elsewhere, &RULES, TRANSACTION);
    assert_eq!(aligned, (vec![], vec![P0]), "it may be at 400 000 by now");
}

#[test]
fn a_partition_that_is_not_announced_is_held_until_it_is() {
    let now = Instant::now();
    let mut partitions = Partitions::default();
    let starts = [(P0, Offset(5)), (P1, Offset(0))];
    assert_eq!(partitions.own(&starts, 1, now), [P1]);
    assert!(!partitions.waits_for(1));
    assert!(partitions.waits_for(2));
    assert_eq!(partitions.announce(1), []);
    assert_eq!(partitions.announce(2), [P1]);
    assert!(!partitions.waits_for(2));
    assert_eq!(partitions.announce(2), [], "once");
}
