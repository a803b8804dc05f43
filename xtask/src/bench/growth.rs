//! The section `growth`: rate and memory against partitions, event size and users, and single
//! figures for unusual settings.

use super::{
    figures::Figures,
    measure::Job,
    plot::Plot,
    table::{Layout, Show},
    workbench::Workbench,
};

/// Bytes that one filled topic may take on disk.
const TOPIC_BYTES: u64 = 1_500_000_000;

pub(crate) const SETTINGS: Layout = Layout {
    corner: "",
    cases: &[
        ("plain", "plain"),
        ("1 000 locales", "1 000 locales"),
        ("window 1s", "window 1s"),
        ("window 1h", "window 1h"),
        ("late 20 percent", "20 % late"),
        ("slow path 20 percent", "20 % slow path"),
    ],
    measures: POINT,
};

/// What a point of these sections shows.
pub(crate) const POINT: &[(&str, &str, Show)] = &[
    ("steady_k_per_s", "steady, k/s", Show::Median(0)),
    ("own_us", "own CPU, µs", Show::Median(2)),
];

pub(crate) const PARTITIONS: Plot = Plot {
    name: "partitions",
    title: "Rate and memory against partitions",
    points: "partitions of the input",
};
pub(crate) const SIZES: Plot = Plot {
    name: "size",
    title: "Rate and memory against the size of an event",
    points: "bytes per event",
};
pub(crate) const USERS: Plot =
    Plot { name: "users", title: "Rate and memory against distinct users", points: "users" };

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let events = bench.plan().events;
    let mut figures = Figures::default();
    bench.start_broker(1);
    bench.warm(events)?;
    let mut points = Points { bench, figures: &mut figures };
    for partitions in [1, 4, 16, 64, 256] {
        let case = format!("partitions {partitions}");
        points.measure(&case, partitions, &[], Job::new(events))?;
    }
    for size in [100, 215, 1024, 4096, 16384] {
        let bytes = size.to_string();
        let flags: &[&str] = match size {
            100 => &["--required-only", "--event-size", "100"],
            // What the seven fields take.
            215 => &[],
            _ => &["--event-size", &bytes],
        };
        let job = Job::new((TOPIC_BYTES / size).min(events));
        points.measure(&format!("size {size}"), 8, flags, job)?;
    }
    for users in ["1000", "10000", "100000", "1000000", "10000000"] {
        let flags = ["--users", users, "--zipf", "0"];
        points.measure(&format!("users {users}"), 8, &flags, Job::new(events))?;
    }
    let settings: [(&str, &[&str], &[&str]); 6] = [
        ("plain", &[], &[]),
        ("1 000 locales", &["--locales", "1000"], &[]),
        ("window 1s", &[], &["--window", "1s"]),
        ("window 1h", &[], &["--window", "1h"]),
        ("late 20 percent", &["--share-late", "0.2"], &[]),
        ("slow path 20 percent", &["--share-odd", "0.2"], &[]),
    ];
    for (case, produce, flags) in settings {
        points.measure(case, 8, produce, Job { flags, ..Job::new(events) })?;
    }
    Ok(figures)
}

/// Measures cases, each with an input of its own.
pub(crate) struct Points<'a> {
    pub(crate) bench: &'a mut Workbench,
    pub(crate) figures: &'a mut Figures,
}

impl Points<'_> {
    /// In each round anew; the input has so many partitions, and loadgen produces it with these
    /// flags.
    pub(crate) fn measure(
        &mut self,
        case: &str,
        partitions: u16,
        produce: &[&str],
        job: Job<'_>,
    ) -> anyhow::Result<()> {
        eprintln!("{case}");
        self.bench.fill("in", partitions, job.events, produce);
        for round in 1..=self.bench.plan().rounds {
            job.run(self.bench, round)?.add_to(self.figures, case);
        }
        self.bench.drop_topics("in");
        Ok(())
    }
}
