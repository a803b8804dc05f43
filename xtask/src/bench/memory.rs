//! The section `memory`: resident memory over time while a large backlog is worked off.

use std::time::{Duration, Instant};

use testkit::usage;

use super::{
    figures::Figures,
    statistics::mean,
    table::{Layout, Show},
    workbench::{OUTPUTS, Workbench, pause},
};

/// Bytes per second that the slow broker takes from a producer: about 200 000 enriched events.
const SLOW_BROKER_BYTES: u64 = 70_000_000;

const SLOW: &str = ", slow broker";

/// The first seconds that the means leave out.
const FIRST_S: f64 = 2.0;

pub(crate) const RESIDENT: Layout = Layout {
    corner: "",
    cases: &[
        ("exactly-once", "exactly-once"),
        ("at-least-once", "at-least-once"),
        ("exactly-once, 256 partitions", "exactly-once, 256 partitions"),
        ("at-least-once, 256 partitions", "at-least-once, 256 partitions"),
    ],
    measures: &[
        ("most_mib", "at most, MiB", Show::Spread(0)),
        ("first_half_mib", "mean of the first half", Show::Spread(0)),
        ("second_half_mib", "of the second half", Show::Spread(0)),
        ("worked_off_s", "worked off in, s", Show::Spread(0)),
    ],
};

pub(crate) fn measure(bench: &mut Workbench) -> Figures {
    let backlog = bench.plan().backlog;
    let mut figures = Figures::default();
    bench.start_broker(1);
    eprintln!("memory: producing {backlog} events");
    bench.fill("in", 8, backlog, &[]);
    bench.fill("in-256", 256, backlog, &[]);
    for (suffix, input) in [("", "in"), (", 256 partitions", "in-256"), (SLOW, "in")] {
        if suffix == SLOW {
            // Then everything that may wait for the producer does.
            slow_down(bench);
        }
        for delivery in ["exactly-once", "at-least-once"] {
            let case = format!("{delivery}{suffix}");
            eprintln!("memory: {case}");
            work_off(bench, &case, input, delivery, &mut figures);
        }
    }
    figures
}

fn slow_down(bench: &Workbench) {
    let address = bench.broker().address();
    let quota = format!("producer_byte_rate={SLOW_BROKER_BYTES}");
    let arguments = ["kafka.admin.ConfigCommand", "--bootstrap-server", &address, "--alter"];
    let clients = ["--entity-type", "clients", "--entity-default", "--add-config", &quota];
    bench.broker().script("exec", &[&arguments[..], &clients].concat());
}

fn work_off(bench: &mut Workbench, case: &str, input: &str, delivery: &str, figures: &mut Figures) {
    bench.create_like(input, &OUTPUTS);
    let group = case.replace(", ", "-").replace(' ', "-");
    let flags = ["--exit-at-end", "--delivery", delivery];
    let mut run = bench.spawn(bench.logintide(&format!("memory-{group}"), input, &flags));
    let (began, longest) = (Instant::now(), Duration::from_mins(5));
    let mut samples: Vec<(f64, f64)> = Vec::new();
    while usage::process(run.pid()).is_some_and(|usage| !usage.has_ended) {
        assert!(began.elapsed() < longest, "the backlog is not worked off\n{}", run.tail());
        if let Some(kib) = usage::resident_kib(run.pid()) {
            samples.push((began.elapsed().as_secs_f64(), kib as f64 / 1024.0));
        }
        pause(Duration::from_millis(100));
    }
    run.ends_with(0);
    bench.drop_topics("out-.*");
    let took_s = samples.last().map_or(0.0, |(at, _)| *at);
    let mean_of = |is_wanted: &dyn Fn(f64) -> bool| {
        let wanted = samples.iter().filter(|(at, _)| *at > FIRST_S && is_wanted(*at));
        mean(&wanted.map(|(_, mib)| *mib).collect::<Vec<_>>())
    };
    let most = samples.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    figures.push(case, "worked_off_s", took_s);
    figures.push(case, "most_mib", most);
    let halves = [
        ("first_half_mib", mean_of(&|at| at < took_s / 2.0)),
        ("second_half_mib", mean_of(&|at| at >= took_s / 2.0)),
    ];
    // A backlog that was worked off at once has none.
    for (measure, mib) in halves.into_iter().filter_map(|(name, mean)| Some((name, mean?))) {
        figures.push(case, measure, mib);
    }
}
