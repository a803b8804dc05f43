//! The section `scaling`: what each thread costs, and the rate on one core and on two, with more
//! workers, with more brokers.

use std::collections::HashMap;

use super::{
    figures::Figures,
    host,
    measure::{Job, Measured},
    table::{Layout, Show},
    workbench::Workbench,
};
use crate::shell;

pub(crate) const RATES: Layout = Layout {
    corner: "",
    cases: &[
        ("two_cores", "two cores"),
        ("2_workers", "2 workers"),
        ("4_workers", "4 workers"),
        ("one_core", "one core"),
        ("shared_core", "one, with the broker"),
        ("2_nodes", "2 brokers"),
        ("3_nodes", "3 brokers"),
    ],
    measures: &[
        ("steady_k_per_s", "steady, k/s", Show::Median(0)),
        ("own_us", "own CPU, µs", Show::Median(2)),
        ("broker_us", "brokers, µs", Show::Median(2)),
    ],
};

pub(crate) const THREADS: Layout = Layout {
    corner: "thread",
    cases: &[
        ("thread source", "source"),
        ("thread worker", "worker"),
        ("thread sink", "sink"),
        ("thread store", "store"),
        ("thread producer", "librdkafka, producer"),
        ("thread consumer", "librdkafka, consumer"),
        ("thread others", "others"),
    ],
    measures: &[("own_us", "CPU, µs", Show::Median(2))],
};

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let plan = bench.plan().clone();
    let job = || Job::new(plan.events);
    let mut figures = Figures::default();
    bench.start_broker(1);
    eprintln!("scaling: producing {} events", plan.events);
    bench.fill("in", 8, plan.events, &[]);
    job().run(bench, 0)?;
    for round in 1..=plan.rounds {
        eprintln!("scaling: round {round} of {}", plan.rounds);
        let measured = job().run(bench, round)?;
        measured.add_to(&mut figures, "two_cores");
        add_threads(&mut figures, &measured, plan.events);
        for workers in ["2", "4"] {
            let job = Job { flags: &["--workers", workers], ..job() };
            job.run(bench, round)?.add_to(&mut figures, &format!("{workers}_workers"));
        }
        let pinned = Job { cores: Some("0"), ..job() };
        pinned.run(bench, round)?.add_to(&mut figures, "one_core");
        pin_broker(bench, "0")?;
        pinned.run(bench, round)?.add_to(&mut figures, "shared_core");
        pin_broker(bench, &format!("0-{}", host::processors() - 1))?;
    }
    for nodes in [2, 3] {
        bench.start_broker(nodes);
        eprintln!("scaling: {nodes} brokers");
        // One replica, so that the brokers do not copy from each other as well.
        bench.fill("in", 8, plan.events, &["--replication", "1"]);
        for round in 0..=plan.rounds {
            let measured = job().run(bench, round)?;
            if round > 0 {
                measured.add_to(&mut figures, &format!("{nodes}_nodes"));
            }
        }
    }
    Ok(figures)
}

/// The broker runs on these cores only, as taskset names them.
fn pin_broker(bench: &Workbench, cores: &str) -> anyhow::Result<()> {
    for pid in bench.broker().pids() {
        let mut taskset = shell::command("taskset");
        shell::output(taskset.args(["-a", "-p", "-c", cores, &pid.to_string()]))?;
    }
    Ok(())
}

/// What each thread took per event. Of librdkafka's threads the two busiest count on their own: the
/// producer's of a broker, and the consumer's.
fn add_threads(figures: &mut Figures, measured: &Measured, events: u64) {
    let mut sums: HashMap<&str, f64> = HashMap::new();
    let mut brokers = Vec::new();
    for (name, cpu_s) in &measured.threads {
        if name.starts_with("rdk:broker") {
            brokers.push(*cpu_s);
            continue;
        }
        let own = ["source", "worker", "sink", "store"];
        // worker-0, worker-1: together.
        let known = own.iter().find(|own| name.split('-').next() == Some(own));
        *sums.entry(known.unwrap_or(&"others")).or_default() += cpu_s;
    }
    brokers.sort_by(|a, b| b.total_cmp(a));
    let mut brokers = brokers.into_iter();
    sums.insert("producer", brokers.next().unwrap_or(0.0));
    sums.insert("consumer", brokers.next().unwrap_or(0.0));
    *sums.entry("others").or_default() += brokers.sum::<f64>();
    for (case, _) in THREADS.cases {
        let name = case.trim_start_matches("thread ");
        let cpu_s = sums.get(name).copied().unwrap_or(0.0);
        figures.push(case, "own_us", cpu_s / events as f64 * 1e6);
    }
}
