//! What the seed predicts of the input.

use clap::Parser as _;
use jiff::tz::TimeZone;

use super::{
    super::report::Mistake,
    world::{Owned, World, plan},
};
use crate::{
    Failure, Stop,
    args::{Cli, Command, TimestampStyle},
    generate::{Generator, Plan, event_no_of},
};

/// Mistakes of the input alone: outputs are not looked at.
fn input_mistakes(world: &World) -> Vec<(Mistake, u64)> {
    let report = world.judge();
    let of_input = report.mistakes.iter().filter(|(mistake, _)| **mistake <= Mistake::InputForeign);
    of_input.map(|(mistake, found)| (*mistake, found.count)).collect()
}

fn find(world: &World, event_no: u64) -> usize {
    let seed = super::world::SEED;
    let number = |record: &Owned| event_no_of(seed, record.key.as_deref().expect("a key"));
    world.input.iter().position(|record| number(record) == Some(event_no)).expect("there")
}

#[test]
fn the_input_is_predicted_with_and_without_trace_fields_and_start_time() {
    assert_eq!(input_mistakes(&World::new()), []);
    let bare = Plan { bare: true, ..plan() };
    let world = World::of(&bare, 500, &TimeZone::UTC, TimestampStyle::Naive);
    world.expect(&[]);
    let required = Plan { required_only: true, ..plan() };
    World::of(&required, 500, &TimeZone::UTC, TimestampStyle::Naive).expect(&[]);
    let known = Plan { start_time: Some(super::world::START_S), ..plan() };
    let mut world = World::of(&known, 500, &TimeZone::UTC, TimestampStyle::Naive);
    world.expect(&[]);
    world.plan.start_time = Some(super::world::START_S + 1);
    assert!(matches!(input_mistakes(&world)[..], [(Mistake::InputWrong, 400..)]));
}

#[test]
fn the_input_of_a_population_is_predicted() {
    let cli = Cli::try_parse_from(["loadgen", "produce", "--population", "default"]);
    let Command::Produce(args) = cli.expect("well-formed").command else { panic!("another") };
    let start_time = Some(super::world::START_S);
    let people = Plan { population: args.plan.population, start_time, ..plan() };
    let mut world = World::of(&people, 1_000, &TimeZone::UTC, TimestampStyle::Naive);
    world.expect(&[]);
    world.plan.population = None;
    assert!(matches!(input_mistakes(&world)[..], [(Mistake::InputWrong, 800..)]));
}

#[test]
fn a_population_is_predicted_from_a_known_start_only() {
    let cli = Cli::try_parse_from(["loadgen", "verify", "--seed", "1", "--population", "default"]);
    let Command::Verify(args) = cli.expect("well-formed").command else { panic!("another") };
    let refused = super::super::judge(&args, &Stop::default());
    let Err(Failure::Usage(message)) = refused else { panic!("no start time") };
    assert!(message.contains("--start-time"), "{message}");
}

#[test]
fn a_lost_a_doubled_a_changed_and_a_foreign_record_are_found() {
    let mut world = World::new();
    world.input.remove(find(&world, 77));
    assert_eq!(input_mistakes(&world), [(Mistake::InputMissing, 1)]);

    let mut world = World::new();
    let mut again = world.input[find(&world, 77)].clone();
    again.offset = 100_000;
    world.input.push(again);
    assert_eq!(input_mistakes(&world), [(Mistake::InputDoubled, 1)]);

    let honest = World::of(&plan(), 100, &TimeZone::UTC, TimestampStyle::Naive);
    for event_no in 0..100 {
        let mut world = honest.clone();
        let index = find(&world, event_no);
        let record = &mut world.input[index];
        let mut value = record.value.take().unwrap_or_default();
        value.push(b' ');
        record.value = Some(value);
        assert_eq!(input_mistakes(&world), [(Mistake::InputWrong, 1)], "event {event_no}");
    }

    let mut world = World::new();
    let index = find(&world, 77);
    world.input[index].key = Some(b"another".to_vec());
    let found = input_mistakes(&world);
    assert_eq!(found, [(Mistake::InputMissing, 1), (Mistake::InputForeign, 1)]);
}

#[test]
fn more_or_fewer_events_than_produced_are_found() {
    let mut world = World::new();
    world.predict = Some(990);
    assert_eq!(input_mistakes(&world), [(Mistake::InputForeign, 10)]);
    world.predict = Some(1_010);
    assert_eq!(input_mistakes(&world), [(Mistake::InputMissing, 10)]);
}

#[test]
fn aborted_transactions_must_not_be_seen() {
    let mut plan = plan();
    plan.shares.share_aborted = 0.3;
    let mut world = World::of(&plan, 2_000, &TimeZone::UTC, TimestampStyle::Naive);
    let generator = Generator::new(&plan, 0, 4).expect("a valid plan");
    let aborted = (0..2_000).filter(|event_no| generator.is_aborted(*event_no)).count() as u64;
    assert!(aborted > 100);
    assert_eq!(input_mistakes(&world), [(Mistake::InputWrong, aborted)]);
    let seed = super::world::SEED;
    world.input.retain(|record| {
        let key = record.key.as_deref().expect("a key");
        !generator.is_aborted(event_no_of(seed, key).expect("of this seed"))
    });
    assert_eq!(input_mistakes(&world), []);
}
