//! The instances of a crash test: what is done to them, and whether they have done everything.

use std::{path::PathBuf, process::ExitStatus, time::Instant};

use anyhow::bail;
use serde_json::Value;
use testkit::{Instance, Scenario, interrupt};

use super::plan::{Kind, Mishap, PAUSE};

/// logintide's line once it reads.
const READS: &str = " reading partitions=";
/// What it says when it is stopped while its last epoch cannot be committed: in a rebalance.
const NOTHING_LOST: &str = "nothing is lost: its events are read again at the next start";

/// All instances, each running except while something is done to it.
pub(super) struct Fleet {
    instances: Vec<Instance>,
    /// Flags of every run.
    flags: Vec<String>,
    /// The last launch, or the end of the last pause.
    launched: Instant,
}

impl Fleet {
    /// Instances that do not run yet.
    pub(super) fn new(count: usize, flags: Vec<String>) -> Self {
        let instances = (1..=count).map(|number| Instance::new(&format!("i{number}"))).collect();
        Self { instances, flags, launched: Instant::now() }
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.instances.iter().map(Instance::name).collect()
    }

    /// What the time until the next mishap counts from.
    pub(super) fn launched(&self) -> Instant {
        self.launched
    }

    pub(super) fn launch(
        &mut self,
        scenario: &Scenario,
        instance: usize,
        workers: u64,
        leaves: bool,
    ) {
        let workers = workers.to_string();
        let mut flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        flags.extend(["--workers", &workers]);
        if leaves {
            flags.push("--leave-on-stop");
        }
        self.instances[instance].start(scenario, &flags);
        self.launched = Instant::now();
    }

    /// Whether the run of an instance has begun to read.
    pub(super) fn reads(&self, instance: usize) -> bool {
        self.instances[instance].served().log().contains(READS)
    }

    /// Does it; returns what is remarkable. After all but a pause the instance does not run.
    pub(super) fn inflict(
        &mut self,
        scenario: &Scenario,
        mishap: &Mishap,
    ) -> anyhow::Result<&'static str> {
        let instance = &mut self.instances[mishap.instance];
        match mishap.kind {
            Kind::Kill => instance.kill(),
            Kind::LoseState => {
                instance.kill();
                instance.lose_state(scenario);
            }
            Kind::Pause => {
                instance.pause();
                interrupt::sleep(PAUSE);
                instance.resume();
                self.launched = Instant::now();
            }
            Kind::Stop | Kind::Leave => {
                let log = instance.served().log_file().to_owned();
                let status = instance.terminate();
                if status.success() {
                    return Ok("");
                }
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                if status.code() != Some(1) || !said.contains(NOTHING_LOST) {
                    bail!("{} was stopped and ended with {status}", instance.name());
                }
                return Ok("; its last epoch was not committed");
            }
        }
        Ok("")
    }

    /// The instance that has ended by itself.
    pub(super) fn ended(&mut self) -> Option<(String, ExitStatus)> {
        self.instances.iter_mut().filter(|it| it.is_running()).find_map(|instance| {
            let status = instance.served_mut().ended()?;
            Some((instance.name().to_owned(), status))
        })
    }

    /// What is still to be done, as the instances say; `None`: every record is read and every
    /// window closed.
    pub(super) fn unfinished(&self, records: u64) -> Option<String> {
        let (mut known, mut at_end) = (0, 0);
        for instance in &self.instances {
            let answer = instance.served().get("/api/v1/status");
            let status = answer.and_then(|text| serde_json::from_str(&text).ok());
            match progress(&status.unwrap_or_default(), records) {
                Ok(of_instance) => {
                    known = of_instance.known;
                    at_end += of_instance.at_end;
                }
                Err(what) => return Some(format!("{} {what}", instance.name())),
            }
        }
        (at_end != known).then(|| format!("{at_end} of {known} partitions are at their end"))
    }

    /// SIGTERM to each, and an orderly end.
    pub(super) fn stop(&mut self) {
        self.instances.iter_mut().for_each(Instance::stop);
    }

    /// The log of each instance's last run.
    pub(super) fn logs(&self, scenario: &Scenario) -> Vec<PathBuf> {
        self.instances.iter().filter_map(|instance| instance.log_file(scenario)).collect()
    }
}

/// Partitions of an instance.
#[derive(Debug, PartialEq)]
struct Progress {
    /// Those that the group has.
    known: usize,
    /// Those that this instance has read to their end.
    at_end: usize,
}

/// What the status of an instance says; the error is what is still to be done.
fn progress(status: &Value, records: u64) -> Result<Progress, String> {
    let snapshot = &status["snapshot"];
    let Some(partitions) = snapshot["partitions"].as_array() else {
        return Err("has no answer".to_owned());
    };
    let read = snapshot["totals"]["events_in"].as_u64().unwrap_or_default();
    if read != records {
        return Err(format!("knows of {read} records that are read, of {records}"));
    }
    let open = snapshot["open_window_count"].as_u64().unwrap_or_default();
    if open > 0 {
        return Err(format!("knows of {open} open windows"));
    }
    let is_at_end =
        |partition: &&Value| partition["owned"] == true && partition["lag_records"] == 0;
    Ok(Progress { known: partitions.len(), at_end: partitions.iter().filter(is_at_end).count() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_has_done_everything_when_all_is_read_and_closed() {
        let status = |read: u64, open: u64| {
            json!({"snapshot": {
                "totals": {"events_in": read},
                "open_window_count": open,
                "partitions": [
                    {"owned": true, "lag_records": 0},
                    {"owned": true, "lag_records": 2},
                    {"owned": true, "lag_records": null},
                    {"owned": false, "lag_records": null},
                ],
            }})
        };
        let told = |status: &Value| progress(status, 7);
        assert_eq!(told(&status(7, 0)), Ok(Progress { known: 4, at_end: 1 }));
        assert_eq!(told(&status(7, 3)), Err("knows of 3 open windows".to_owned()));
        let few = "knows of 6 records that are read, of 7";
        assert_eq!(told(&status(6, 0)), Err(few.to_owned()));
        assert_eq!(told(&Value::Null), Err("has no answer".to_owned()));
    }
}
