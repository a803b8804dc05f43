//! A processor at work while something breaks: events come in the background, and at the end the
//! judge counts.

use std::time::Duration;

use testkit::{Process, Scenario, Served};

/// Epochs that must be committed before anything breaks: processing is under way then.
const WARM_UP_EPOCHS: f64 = 3.0;

/// Flags for 5 000 events of one window whose time is long past: it closes once all is quiet.
pub(crate) const ONE_WINDOW: &[&str] = &[
    "--start-time",
    "2024-11-02T15:00:01Z",
    "--events-per-second-of-event-time",
    "1000",
    "--disorder",
    "0s",
];

pub(crate) struct Work {
    pub(crate) scenario: Scenario,
    pub(crate) running: Served,
    produced: Process,
}

impl Work {
    /// Produces so many events per second until `end`, and processes them with these flags. Returns
    /// once both are under way.
    pub(crate) fn begin(scenario: Scenario, rate: u32, flags: &[&str]) -> Self {
        Self::begin_with(scenario, &["--rate", &rate.to_string()], flags)
    }

    /// As `begin`, with any flags of `loadgen produce`.
    pub(crate) fn begin_with(scenario: Scenario, produce: &[&str], flags: &[&str]) -> Self {
        let produced = scenario.producing(&[&["--seed", "81"], produce].concat());
        let running = scenario.serve(flags);
        let mut work = Self { scenario, running, produced };
        work.running.wait_for_epochs(WARM_UP_EPOCHS);
        work.wait_for("logintide_events_in_total", |n| n > 0.0);
        work.assert_under_way();
        work
    }

    pub(crate) fn port(&self) -> u16 {
        self.running.port()
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        let value = self.running.metric(name);
        value.unwrap_or_else(|| panic!("no {name}: not running?\n{}", self.running.tail()))
    }

    pub(crate) fn wait_for(&self, name: &str, reached: impl Fn(f64) -> bool) -> Duration {
        self.running.wait_for(name, reached)
    }

    /// Events of committed epochs.
    pub(crate) fn read(&self) -> u64 {
        self.metric("logintide_events_in_total") as u64
    }

    /// How often the log says that an epoch was rolled back, also as its partitions were lost.
    pub(crate) fn left_epochs(&self) -> usize {
        self.running.log().matches("rolled back").count()
    }

    pub(crate) fn wait_left_epochs(&self, at_least: usize) {
        self.running.until("epochs rolled back", || (self.left_epochs() >= at_least).then_some(()));
    }

    pub(crate) fn rollbacks(&self) -> f64 {
        self.metric("logintide_epoch_rollbacks_total")
    }

    /// Waits until further epochs with events are committed, by the same process.
    pub(crate) fn goes_on(&self) -> Duration {
        let read = self.read();
        self.wait_for("logintide_events_in_total", |n| n as u64 > read)
    }

    /// That the fault comes while events are coming.
    pub(crate) fn assert_under_way(&mut self) {
        let ended = self.produced.ended();
        assert!(ended.is_none(), "loadgen produce: {ended:?}\n{}", self.produced.tail());
    }

    /// Production ends; all of it is read by the process that saw the faults. Returns how much.
    pub(crate) fn drain(&mut self) -> u64 {
        self.assert_under_way();
        self.produced.signal("-TERM");
        self.produced.ends_with(0);
        let log = self.produced.log();
        let sent = log.lines().find_map(|line| line.strip_prefix("sent ")?.split(' ').next());
        let sent: u64 = sent.and_then(|sent| sent.parse().ok()).expect("loadgen says how many");
        let rest = self.wait_for("logintide_events_in_total", |n| n as u64 >= sent);
        println!("{sent} events; the rest took {rest:?}; {} rollbacks", self.rollbacks());
        sent
    }

    /// The process stops in good order; what is still open closes in another one. The judge must
    /// find nothing missing, doubled or wrong.
    pub(crate) fn end(self, sent: u64) {
        assert_eq!(self.read(), sent, "events are counted twice\n{}", self.running.tail());
        let Self { scenario, running, .. } = self;
        running.stop();
        scenario.start(&["--exit-at-end"]).ends_with(0);
        println!("{}", scenario.verify(&["--expect-complete"]));
    }

    pub(crate) fn drain_and_end(mut self) {
        let sent = self.drain();
        self.end(sent);
    }
}
