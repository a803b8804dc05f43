//! A processor at work while something breaks: events come in the background, and at the end the
//! judge counts.

use std::time::Duration;

use crate::support::{Process, SOON, Scenario, free_port, metric, wait_for_metric};

/// Epochs that must be committed before anything breaks: processing is under way then.
const WARM_UP_EPOCHS: f64 = 3.0;

pub(crate) struct Work {
    pub(crate) scenario: Scenario,
    pub(crate) running: Process,
    produced: Process,
    port: u16,
    count: u32,
}

impl Work {
    /// Produces `count` events at this rate, processes them, and returns while both go on.
    pub(crate) fn begin(scenario: Scenario, count: u32, rate: u32, flags: &[&str]) -> Self {
        let produce = ["--seed", "81", "--count", &count.to_string(), "--rate", &rate.to_string()];
        Self::begin_with(scenario, count, &produce, flags)
    }

    /// As `begin`, with all flags of `loadgen produce`.
    pub(crate) fn begin_with(
        scenario: Scenario,
        count: u32,
        produce: &[&str],
        flags: &[&str],
    ) -> Self {
        let produced = scenario.producing(produce);
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let running = scenario.start(&[&["--http", &address], flags].concat());
        let work = Self { scenario, running, produced, port, count };
        work.wait_for("logintide_epochs_committed_total", |n| n >= WARM_UP_EPOCHS);
        work.wait_for("logintide_events_in_total", |n| n > 0.0);
        work
    }

    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        metric(self.port, name)
    }

    pub(crate) fn wait_for(&self, name: &str, reached: impl Fn(f64) -> bool) -> Duration {
        wait_for_metric(&self.running, self.port, name, reached)
    }

    pub(crate) fn read(&self) -> f64 {
        self.metric("logintide_events_in_total").expect("the processor runs")
    }

    pub(crate) fn rollbacks(&self) -> f64 {
        self.metric("logintide_epoch_rollbacks_total").expect("the processor runs")
    }

    /// That the fault came while events were coming, not before or after all of them.
    pub(crate) fn assert_under_way(&self) {
        let read = self.read();
        assert!(
            read > 0.0 && read < f64::from(self.count),
            "{read} of {} events were read at the fault\n{}",
            self.count,
            self.running.tail()
        );
    }

    /// Everything is read by the same process, which then stops in good order; what is still open
    /// closes in another one. The judge must find nothing missing, doubled or wrong.
    pub(crate) fn end(mut self) {
        let ended = self.produced.wait(2 * SOON);
        assert!(ended.success(), "loadgen produce: {ended}\n{}", self.produced.tail());
        let count = f64::from(self.count);
        let rest = self.wait_for("logintide_events_in_total", |n| n >= count);
        println!("read to the end {rest:?} after the last event; {} rollbacks", self.rollbacks());
        let Self { scenario, running, .. } = self;
        running.stop();
        scenario.start(&["--exit-at-end"]).ends_with(0);
        println!("{}", scenario.verify(&["--expect-complete"]));
    }
}
