//! The section `instances`: two instances with a worker each beside one with two, over one topic
//! and at a steady rate.

use super::{
    figures::Figures,
    latency,
    measure::Job,
    table::{Layout, Show},
    workbench::Workbench,
};

/// How long the group waits for its first members, so that both read from the start.
const JOIN_TOGETHER: &str = "group.initial.rebalance.delay.ms=2000";

const TWO: &[&str] = &["one", "two"];

/// Each case, its delivery, and the instances' names.
const CASES: &[(&str, &str, &[&str])] = &[
    ("at-least-once", "at-least-once", &["one"]),
    ("at-least-once, two", "at-least-once", TWO),
    ("exactly-once", "exactly-once", &["one"]),
    ("exactly-once, two", "exactly-once", TWO),
];

/// Exactly-once; the other mode's figures are in the run's file.
pub(crate) const INSTANCES: Layout = Layout {
    corner: "",
    cases: &[("exactly-once", "one, 2 workers"), ("exactly-once, two", "two, a worker each")],
    measures: &[
        ("steady_k_per_s", "steady, k/s", Show::Spread(0)),
        ("own_us", "own CPU, µs", Show::Median(2)),
        ("broker_us", "broker CPU, µs", Show::Median(2)),
        ("p50_ms", "p50, ms", Show::Median(1)),
        ("p99_ms", "p99, ms", Show::Spread(1)),
    ],
};

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let plan = bench.plan().clone();
    let mut figures = Figures::default();
    bench.start_broker_with(1, &[JOIN_TOGETHER]);
    eprintln!("instances: producing {} events", plan.events);
    bench.fill("in", 8, plan.events, &[]);
    for round in 0..=plan.rounds {
        eprintln!("instances: round {round} of {}", plan.rounds);
        for &(case, delivery, instances) in CASES {
            let flags: &[_] = &["--workers", if instances.len() == 1 { "2" } else { "1" }];
            let job = Job { delivery, flags, instances, ..Job::new(plan.events) };
            let measured = job.run(bench, round)?;
            if round > 0 {
                measured.add_to(&mut figures, case);
            }
        }
    }
    for round in 1..=plan.rounds {
        eprintln!("instances: latency, round {round} of {}", plan.rounds);
        // Enriched events of at-least-once wait for no commit, and so for no other instance.
        for &(case, delivery, instances) in CASES.iter().filter(|case| case.1 == "exactly-once") {
            latency::add_of_instances(bench, round, (case, delivery), instances, &mut figures)?;
        }
    }
    Ok(figures)
}
