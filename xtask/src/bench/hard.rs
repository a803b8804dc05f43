//! The section `hard`: cases that must stay fast.

use std::time::{Duration, Instant};

use super::{
    figures::Figures,
    growth::{POINT, Points},
    measure::Job,
    starts::Lines,
    table::{Layout, Show},
    workbench::{OUTPUTS, Workbench, pause},
};

pub(crate) const CASES: Layout = Layout {
    corner: "",
    cases: &[
        ("plain", "plain"),
        ("one user", "one user"),
        ("one partition ten times as busy", "one busy"),
        ("all slow path", "slow path"),
        ("all dead letters", "dead letters"),
        ("64 KiB events", "64 KiB"),
        ("behind garbage", "good behind"),
        ("without garbage", "good alone"),
    ],
    measures: POINT,
};

pub(crate) const BACKLOG: Layout = Layout {
    corner: "",
    cases: &[("backlog", "a backlog, and 20 000 events/s on top")],
    measures: &[("caught_up_s", "worked off in, s", Show::Spread(1))],
};

/// Events per second on top of a backlog.
const ON_TOP_PER_S: u64 = 20_000;

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let events = bench.plan().events;
    let mut figures = Figures::default();
    bench.start_broker(1);
    bench.warm(events)?;
    let job = || Job::new(events);
    let mut points = Points { bench, figures: &mut figures };
    points.measure("plain", 8, &[], job())?;
    points.measure("one user", 8, &["--users", "1"], job())?;
    points.measure("all slow path", 8, &["--share-odd", "1"], job())?;
    let watched = OUTPUTS[2];
    points.measure("all dead letters", 8, &["--share-poison", "1"], Job { watched, ..job() })?;
    points.measure("64 KiB events", 8, &["--event-size", "65000"], Job::new(20_000))?;
    let busy = ["--partition-shares", "10,1"];
    points.measure("one partition ten times as busy", 8, &busy, job())?;
    points.measure("plain again", 8, &[], job())?;
    garbage(bench, &mut figures)?;
    backlog(bench, &mut figures)?;
    Ok(figures)
}

/// A flood of garbage, and good events behind it: in one partition, so that all of them are behind
/// it. So many dead letters that they take longer than the good ones, and not so many gigabytes
/// that the broker has to find new pages for what follows, which makes it slower whoever sends it.
fn garbage(bench: &mut Workbench, figures: &mut Figures) -> anyhow::Result<()> {
    let (good, dead) = (bench.plan().events / 2, bench.plan().events / 6);
    eprintln!("good events with and without garbage before them");
    bench.fill("behind-garbage", 1, dead, &["--share-poison", "1"]);
    for topic in ["behind-garbage", "without-garbage"] {
        bench.fill(topic, 1, good, &[]);
    }
    for round in 1..=bench.plan().rounds {
        // What grows are the good ones: they come only once the garbage is through.
        for topic in ["behind-garbage", "without-garbage"] {
            let measured = Job::new(good).input(topic).run(bench, round)?;
            // The rest is of the garbage as well.
            measured.add_rate_to(figures, &topic.replace('-', " "));
        }
    }
    bench.drop_topics(".*-garbage");
    Ok(())
}

/// A backlog, and events on top of it while it is worked off.
fn backlog(bench: &mut Workbench, figures: &mut Figures) -> anyhow::Result<()> {
    let events = bench.plan().events;
    eprintln!("a backlog of {events} events, and {ON_TOP_PER_S} a second on top");
    bench.fill("in", 8, events, &[]);
    bench.create_like("in", &OUTPUTS);
    let flags = ["--delivery", "at-least-once", "--stats-interval", "1s", "--log-format", "json"];
    let mut command = bench.logintide("backlog", "in", &flags);
    command.env("LOGINTIDE_LOG", "info,librdkafka=off");
    let mut run = bench.spawn(command);
    let mut produce = bench.loadgen("produce");
    produce.args(["--topic", "in", "--rate", &ON_TOP_PER_S.to_string(), "--duration", "30s"]);
    produce.args(["--run-length", "200", "--seed", "2"]);
    let mut produce = bench.spawn(produce);
    let deadline = Instant::now() + Duration::from_mins(1);
    let caught_up_s = loop {
        assert!(Instant::now() < deadline, "the backlog is not worked off\n{}", run.tail());
        assert!(run.ended().is_none(), "logintide ended\n{}", run.tail());
        pause(Duration::from_millis(100));
        let lines = Lines::parse(&run.log());
        // Caught up: less than a second's worth behind.
        let read: u64 = lines.numbers(Lines::STATISTICS, "events").iter().sum();
        let lag = lines.numbers(Lines::STATISTICS, "lag").last().copied();
        if read >= events && lag.is_some_and(|lag| lag < ON_TOP_PER_S) {
            break lines.ms_between(Lines::READING, Lines::STATISTICS)? / 1e3;
        }
    };
    figures.push("backlog", "caught_up_s", caught_up_s);
    produce.ends_with(0);
    run.stop();
    bench.drop_topics("out-.*|in");
    Ok(())
}
