//! The course of a crash test: production, mishaps, the end of all instances, the judge.

use std::{
    fs,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use testkit::{KafkaLocal, Process, Scenario, interrupt, process};

use super::{
    Arguments, Delivery,
    fleet::Fleet,
    plan::{Kind, Mishap, Plan, SESSION, Since, Terms},
    table::Table,
};

/// Seconds of event time that all events span: enough windows to close during the kills, and more
/// than the allowed lateness, so that windows are given up as well.
const EVENT_SPAN_S: u64 = 900;
/// What makes windows be revised, events come too late, and every path of the parser be used.
const SHARES: [&str; 8] = [
    "--share-odd",
    "0.1",
    "--share-late",
    "0.02",
    "--share-duplicate",
    "0.02",
    "--share-poison",
    "0.01",
];
/// How often the end of a process is looked for.
const POLL: Duration = Duration::from_millis(100);
/// The same for the moment that a mishap counts from.
const MOMENT_POLL: Duration = Duration::from_millis(20);
/// How long the instances may take for the rest, once nothing is produced any more.
const REST: Duration = Duration::from_mins(2);
/// Silence after which the last windows close. Production never pauses for so long.
const IDLE_TIMEOUT: &str = "3s";

/// Everything of one crash test. Dropped without `exact`, it keeps its folder.
pub(super) struct Runs {
    arguments: Arguments,
    plan: Plan,
    fleet: Fleet,
    scenario: Scenario,
    /// The broker, unless one was given.
    kafka: Option<KafkaLocal>,
    deadline: Instant,
    exact: bool,
}

impl Runs {
    /// Copies the programs and finds or starts the broker.
    pub(super) fn prepare(
        arguments: Arguments,
        programs: &Path,
        began: Instant,
    ) -> anyhow::Result<Self> {
        let plan = Plan::draw(&Terms {
            seed: arguments.seed,
            mishaps: arguments.kills,
            instances: arguments.instances as usize,
            workers: arguments.workers.clone(),
            lose_state: arguments.lose_state,
            with_pauses: arguments.pause,
        });
        let given = arguments.brokers.clone().filter(|brokers| !brokers.is_empty());
        let (kafka, brokers) = if let Some(brokers) = given {
            (None, brokers)
        } else {
            let kafka = KafkaLocal::new(1);
            kafka.start();
            let address = kafka.address();
            (Some(kafka), address)
        };
        let topics = format!("crash-{}", arguments.seed);
        let scenario = Scenario::on(&topics, brokers.clone());
        if kafka.is_some() {
            eprintln!("broker: {brokers}");
        } else {
            let topics = scenario.topic("*");
            eprintln!("broker: {brokers} (given); the topics {topics} stay there");
        }
        // Copies: all runs are of the same build, whatever is built meanwhile.
        let copies = scenario.dir.path().join("bin");
        fs::create_dir(&copies).context("the folder for programs")?;
        for name in ["logintide", "loadgen"] {
            fs::copy(programs.join(name), copies.join(name)).context(name)?;
        }
        let scenario = scenario.with_programs(&copies);
        let deadline = began + Duration::from_secs(arguments.max_seconds);
        let fleet = Fleet::new(arguments.instances as usize, flags_of_all(&arguments));
        Ok(Self { arguments, plan, fleet, scenario, kafka, deadline, exact: false })
    }

    /// # Errors
    /// A step failed, or the outputs are not exact: the logs' ends were shown then.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        eprintln!("{}", self.plan);
        let mut producer = self.start_production()?;
        let mut table = Table::new(&self.fleet.names());
        for (instance, workers) in self.plan.first_workers.clone().into_iter().enumerate() {
            let leaves = self.plan.leaves(instance, 0);
            self.fleet.launch(&self.scenario, instance, workers, leaves);
        }
        let (began, mishaps) = (Instant::now(), self.plan.mishaps.clone());
        let mut in_time = 0;
        for (done, mishap) in (1..).zip(&mishaps) {
            self.await_moment(mishap)?;
            let at = began.elapsed();
            let note = self.fleet.inflict(&self.scenario, mishap)?;
            in_time += usize::from(producer.ended().is_none());
            table.count(mishap);
            eprintln!(
                "mishap {done:3} of {} at {}: {}{note}",
                mishaps.len(),
                seconds(at),
                self.named(mishap)
            );
            if mishap.kind != Kind::Pause {
                let leaves = self.plan.leaves(mishap.instance, done);
                self.fleet.launch(&self.scenario, mishap.instance, mishap.workers, leaves);
            }
        }
        self.await_success(&mut producer, "loadgen produce failed")?;
        let rest = self.await_rest()?;
        self.fleet.stop();
        println!("{table}");
        self.judge(rest)?;
        if in_time < mishaps.len() {
            let late = mishaps.len() - in_time;
            eprintln!(
                "note: the events came to an end before {late} of the mishaps; the machine is \
                 slow, or others use it"
            );
        }
        self.exact = true;
        Ok(())
    }

    /// For the line about a mishap.
    fn named(&self, mishap: &Mishap) -> String {
        let Mishap { instance, kind, since, after, workers } = mishap;
        let name = self.fleet.names()[*instance];
        let follows = match kind {
            Kind::Pause => String::new(),
            _ => format!("; {workers} workers follow"),
        };
        format!("{name} {kind}, {} after {since}{follows}", seconds(*after))
    }

    fn event_flags(&self) -> Vec<String> {
        let rate = self.arguments.count / EVENT_SPAN_S + 1;
        let numbers = [
            "--seed".to_owned(),
            self.arguments.seed.to_string(),
            "--events-per-second-of-event-time".to_owned(),
            rate.to_string(),
        ];
        numbers.into_iter().chain(SHARES.map(str::to_owned)).collect()
    }

    fn start_production(&self) -> anyhow::Result<Process> {
        // The topic first: logintide would create it with partitions of its own choice. With -1 it
        // has as many replicas as the broker's default.
        let create = self.scenario.produce_command(&["--replication=-1", "--count", "0"]);
        let mut create = self.spawn(create, "create-topic");
        self.await_success(&mut create, "the input topic could not be created")?;
        let count = self.arguments.count;
        let rate = count * 1_000 / (self.plan.expected().as_millis() as u64) + 1;
        eprintln!("producing {count} events, {rate} per second");
        let mut produce = self.scenario.produce_command(&[]);
        produce.args(["--count", &count.to_string(), "--rate", &rate.to_string()]);
        produce.args(self.event_flags());
        Ok(self.spawn(produce, "produce"))
    }

    fn await_moment(&mut self, mishap: &Mishap) -> anyhow::Result<()> {
        let mut from = self.fleet.launched();
        if mishap.since == Since::Reading {
            while !self.fleet.reads(mishap.instance) {
                self.check_alive()?;
                interrupt::sleep(MOMENT_POLL);
            }
            from = Instant::now();
        }
        while from.elapsed() < mishap.after {
            self.check_alive()?;
            interrupt::sleep(MOMENT_POLL);
        }
        self.check_alive()
    }

    /// Waits until everything is read and every window closed. What is still to be done if that
    /// does not come.
    fn await_rest(&mut self) -> anyhow::Result<Option<String>> {
        let began = Instant::now();
        loop {
            self.check_alive()?;
            let unfinished = self.fleet.unfinished(self.arguments.count);
            if unfinished.is_none() {
                eprintln!(
                    "all is read and closed {} after the last event",
                    seconds(began.elapsed())
                );
            }
            if unfinished.is_none() || began.elapsed() > REST {
                return Ok(unfinished);
            }
            interrupt::sleep(POLL);
        }
    }

    /// Recounts everything, whatever the instances have left undone.
    fn judge(&self, unfinished: Option<String>) -> anyhow::Result<()> {
        let mut verify = self.scenario.verify_command(&["--expect-complete"]);
        verify.args(["--count", &self.arguments.count.to_string()]).args(self.event_flags());
        if self.arguments.delivery == Delivery::AtLeastOnce {
            verify.arg("--allow-duplicates");
        }
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(unfinished.map(|what| format!("not finished after {REST:?}: {what}")));
        for (name, command) in [("verify", verify), ("settled", self.scenario.settled_command())] {
            let mut judge = self.spawn(command, name);
            let status = self.await_end(&mut judge)?;
            print!("{}", judge.log());
            if !status.success() {
                wrong.push(format!("{status} of loadgen {name}"));
            }
        }
        if !wrong.is_empty() {
            self.show_runs();
            bail!("NOT EXACT after {} mishaps: {}", self.plan.mishaps.len(), wrong.join("; "));
        }
        Ok(())
    }

    // ---- processes ------------------------------------------------------------------------------

    fn spawn(&self, command: Command, name: &str) -> Process {
        Process::spawn(command, self.scenario.dir.path().join(name).with_extension("log"))
    }

    fn check_time(&self) -> anyhow::Result<()> {
        if Instant::now() >= self.deadline {
            self.show_runs();
            bail!("not done within --max-seconds {}", self.arguments.max_seconds);
        }
        Ok(())
    }

    fn check_alive(&mut self) -> anyhow::Result<()> {
        self.check_time()?;
        if let Some((name, status)) = self.fleet.ended() {
            self.show_runs();
            bail!("{name} ended by itself ({status})");
        }
        Ok(())
    }

    fn await_end(&self, process: &mut Process) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = process.ended() {
                return Ok(status);
            }
            self.check_time()?;
            interrupt::sleep(POLL);
        }
    }

    fn await_success(&self, process: &mut Process, otherwise: &str) -> anyhow::Result<()> {
        let status = self.await_end(process)?;
        if !status.success() {
            show_end(process.log_file());
            bail!("{otherwise} ({status})");
        }
        Ok(())
    }

    /// Shows how the log of each instance ends.
    fn show_runs(&self) {
        self.fleet.logs(&self.scenario).iter().for_each(|log| show_end(log));
    }

    /// Keeps logs and state, but not the programs.
    fn keep(&mut self) {
        if let Some(kafka) = &self.kafka {
            // The broker's log goes with its folder. What cannot be copied is not the failure.
            let folder = self.scenario.dir.path();
            let _ = fs::copy(kafka.folder().join("broker.log"), folder.join("broker.log"));
        }
        let _ = fs::remove_dir_all(self.scenario.dir.path().join("bin"));
        self.scenario.dir.disable_cleanup(true);
        eprintln!("logs and state are kept: {}", self.scenario.dir.path().display());
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        if !self.exact && !interrupt::requested() {
            self.keep();
        }
    }
}

fn flags_of_all(arguments: &Arguments) -> Vec<String> {
    let delivery = arguments.delivery.to_string();
    let mut flags = vec!["--delivery", &delivery, "--idle-timeout", IDLE_TIMEOUT];
    let session = format!("{}s", SESSION.as_secs());
    if arguments.instances > 1 || arguments.pause {
        flags.extend(["--session-timeout", &session]);
    }
    flags.into_iter().map(str::to_owned).collect()
}

fn show_end(log: &Path) {
    eprintln!("==== the end of {}\n{}", log.display(), process::tail(log));
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03} s", duration.as_secs(), duration.subsec_millis())
}
