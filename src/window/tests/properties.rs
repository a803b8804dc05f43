//! Random logs, epoch cuts, rollbacks and crashes against the naive model.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, prelude::*};

use super::{
    super::{Completeness, EpochInput, Partial, PartitionProgress, WindowRules},
    pipeline::{Outcome, PARTITIONS, Pipeline},
    reopened,
};
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, WindowStart};

#[derive(Debug, Clone)]
enum Step {
    /// Events are read from a partition.
    Read { partition: usize, events: usize },
    /// An epoch ends.
    Cut {
        idle: u8,
        /// How old the answers are, per number of the partition.
        age_ms: i64,
        wait_ms: i64,
        workers: usize,
        new_horizon: bool,
        outcome: Outcome,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Commit),
        2 => Just(Outcome::Rollback),
        1 => Just(Outcome::CrashCommitted),
        1 => Just(Outcome::CrashLost),
    ];
    prop_oneof![
        3 => (0..PARTITIONS, 1..8_usize)
            .prop_map(|(partition, events)| Step::Read { partition, events }),
        2 => (any::<u8>(), 0..20_i64, 0..40_i64, 1..4_usize, any::<bool>(), outcome).prop_map(
            |(idle, age_ms, wait_ms, workers, new_horizon, outcome)| {
                // One epoch in four finds everything idle.
                let idle = if idle >= 192 { 0xff } else { idle };
                Step::Cut { idle, age_ms, wait_ms, workers, new_horizon, outcome }
            }
        ),
    ]
}

fn completeness() -> impl Strategy<Value = Completeness> {
    let start = (0..10_i64).prop_map(|n| WindowStart(n * 10));
    prop_oneof![
        3 => Just(Completeness::FromStart),
        2 => proptest::option::of(start.clone())
            .prop_map(|at_least| Completeness::UntilFirstEvent { at_least }),
        1 => start.prop_map(Completeness::After),
    ]
}

fn rules() -> impl Strategy<Value = WindowRules> {
    (0..15_i64, 0..60_i64).prop_map(|(grace_ms, allowed_lateness_ms)| WindowRules {
        size_ms: 10,
        grace_ms,
        allowed_lateness_ms,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn agrees_with_the_model_through_rollbacks_and_crashes(
        rules in rules(),
        starts in vec(completeness(), PARTITIONS),
        jitter in vec(any::<i16>(), 64),
        steps in vec(step(), 1..50),
    ) {
        let mut pipeline = Pipeline::new(rules, &starts, jitter);
        for step in steps {
            match step {
                Step::Read { partition, events } => pipeline.read(partition, events),
                Step::Cut { idle, age_ms, wait_ms, workers, new_horizon, outcome } => {
                    pipeline.now_ms += wait_ms;
                    let idle = (0..PARTITIONS as i32)
                        .filter(|p| idle >> p & 1 == 1)
                        .map(|p| {
                            let age_ms = age_ms * i64::from(p);
                            (PartitionId(p), EventTimeMs(pipeline.now_ms - age_ms))
                        })
                        .collect();
                    let in_force = pipeline.in_force;
                    let next = pipeline.windows.horizon().max(in_force);
                    let barrier = if new_horizon { next } else { in_force };
                    pipeline.cut(&idle, workers, barrier, false, outcome)?;
                }
            }
        }
        pipeline.cut(&BTreeMap::new(), 2, pipeline.in_force, true, Outcome::Commit)?;
        prop_assert_eq!(pipeline.windows.open_windows(), 0);
        pipeline.check_conservation()?;
    }

    #[test]
    fn neither_the_split_among_workers_nor_their_order_matters(
        jitter in vec(any::<i16>(), 64),
        counts in vec(0..30_usize, PARTITIONS),
        workers in 1..6_usize,
    ) {
        let rules = WindowRules { size_ms: 10, grace_ms: 5, allowed_lateness_ms: 1000 };
        let starts = [Completeness::UntilFirstEvent { at_least: None }; PARTITIONS];
        let mut changes = Vec::new();
        for (workers, reverse) in [(1, false), (workers, false), (workers, true)] {
            let mut pipeline = Pipeline::new(rules, &starts, jitter.clone());
            for (partition, events) in counts.iter().enumerate() {
                pipeline.read(partition, *events);
            }
            let mut deltas = pipeline.deltas(workers);
            if reverse {
                deltas.reverse();
            }
            let progress = |p: usize| PartitionProgress {
                partition: PartitionId(p as i32),
                next_offset: Offset(counts[p] as i64),
                idle_as_of: None,
            };
            let prepared = pipeline.windows.prepare(EpochInput {
                epoch: Epoch(1),
                deltas,
                progress: (0..PARTITIONS).map(progress).collect(),
                horizon: None,
                partitions: 0,
                now_ms: 0,
                close_all: false,
            });
            let bytes: Vec<_> = prepared.records().iter().map(|record| {
                let mut bytes = Vec::new();
                record.encode(&mut bytes, usize::MAX);
                bytes
            }).collect();
            let merge = prepared.merge.expect("it merges");
            changes.push((prepared.partitions, merge.change, merge.records, bytes));
        }
        prop_assert_eq!(&changes[0], &changes[1]);
        prop_assert_eq!(&changes[0], &changes[2]);
    }

    #[test]
    fn dropping_what_was_prepared_changes_nothing(
        jitter in vec(any::<i16>(), 64),
        first in 1..40_usize,
        second in 0..40_usize,
    ) {
        let rules = WindowRules { size_ms: 10, grace_ms: 5, allowed_lateness_ms: 30 };
        let mut pipeline = Pipeline::new(rules, &[Completeness::FromStart; PARTITIONS], jitter);
        for partition in 0..PARTITIONS {
            pipeline.read(partition, first);
        }
        pipeline.cut(&BTreeMap::new(), 1, None, false, Outcome::Commit)?;
        let before = reopened(rules, &pipeline.image);
        let sums: Vec<_> = pipeline.windows.contents().windows.values()
            .map(|window| Arc::clone(&window.sum)).collect();
        let copies: Vec<_> = sums.iter().map(|sum| Partial::clone(sum)).collect();
        pipeline.read(0, second);
        let barrier = pipeline.windows.horizon();
        pipeline.cut(&BTreeMap::new(), 2, barrier, true, Outcome::Rollback)?;
        prop_assert_eq!(before.contents(), pipeline.windows.contents());
        for (sum, copy) in sums.iter().zip(&copies) {
            prop_assert_eq!(&**sum, copy);
        }
    }
}
