//! The runs of a crash test: production, kills, the last run, the judge.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use testkit::{KafkaLocal, Process, Scenario, interrupt, process};

use super::{
    Arguments, Delivery,
    plan::{Kill, Plan, Since},
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
/// logintide's line once it reads.
const READS: &str = " reading partitions=";
/// How often the end of a process is looked for.
const POLL: Duration = Duration::from_millis(100);
/// The same for the moment that a kill counts from.
const READS_POLL: Duration = Duration::from_millis(20);

/// Everything of one crash test. Dropped without `exact`, it keeps its folder.
pub(super) struct Runs {
    arguments: Arguments,
    plan: Plan,
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
        let plan = Plan::draw(arguments.seed, arguments.kills, &arguments.workers);
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
        let folder = scenario.dir.path();
        fs::create_dir(folder.join("logs")).context("the folder for logs")?;
        // Copies: all runs are of the same build, whatever is built meanwhile.
        let copies = folder.join("bin");
        fs::create_dir(&copies).context("the folder for programs")?;
        for name in ["logintide", "loadgen"] {
            fs::copy(programs.join(name), copies.join(name)).context(name)?;
        }
        let scenario = scenario.with_programs(&copies);
        let deadline = began + Duration::from_secs(arguments.max_seconds);
        Ok(Self { arguments, plan, scenario, kafka, deadline, exact: false })
    }

    /// # Errors
    /// A step failed, or the outputs are not exact: the logs' ends were shown then.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        eprintln!("{}", self.plan);
        let mut producer = self.start_production()?;
        let (began, kills) = (Instant::now(), self.plan.kills.len());
        let mut in_time = 0;
        for (index, kill) in self.plan.kills.iter().enumerate() {
            let number = index + 1;
            let loses = self.lose_state(number)?;
            let running = self.launch(number, kill.workers, &[]);
            let note = self.kill_at_its_moment(number, kill, running)?;
            in_time += usize::from(producer.ended().is_none());
            eprintln!(
                "kill {number:3} of {kills} at {}, {} after {}, {} workers{loses}{note}",
                seconds(began.elapsed()),
                seconds(kill.after),
                kill.since,
                kill.workers
            );
        }
        self.await_success(&mut producer, "loadgen produce failed")?;
        self.run_to_the_end(kills + 1)?;
        self.judge()?;
        if in_time < kills {
            let late = kills - in_time;
            eprintln!(
                "note: the events came to an end before {late} of the kills; the machine is slow, \
                 or others use it"
            );
        }
        self.exact = true;
        Ok(())
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

    /// Removes the state folder, if this start is one without. For the line about the kill.
    fn lose_state(&self, number: usize) -> anyhow::Result<&'static str> {
        let every = self.arguments.lose_state;
        let folder = self.scenario.state_dir();
        if every == 0 || !number.is_multiple_of(every) || !folder.exists() {
            return Ok("");
        }
        fs::remove_dir_all(folder).context("the state folder")?;
        Ok(", without the folder")
    }

    /// The run of this number, counted from 1.
    fn launch(&self, number: usize, workers: u64, flags: &[&str]) -> Process {
        let mut command = self.scenario.command("group", "state", flags);
        command.args(["--delivery", &self.arguments.delivery.to_string()]);
        command.args(["--workers", &workers.to_string()]);
        Process::spawn(command, self.run_log(number))
    }

    /// Returns how long it took until it read, for the line about the kill.
    fn kill_at_its_moment(
        &self,
        number: usize,
        kill: &Kill,
        mut running: Process,
    ) -> anyhow::Result<String> {
        let launched = Instant::now();
        let mut note = String::new();
        if kill.since == Since::Reading {
            while !running.log().contains(READS) {
                self.check_alive(number, &mut running)?;
                self.check_time()?;
                interrupt::sleep(READS_POLL);
            }
            note = format!("; it read {} after its launch", seconds(launched.elapsed()));
        }
        interrupt::sleep(kill.after);
        self.check_alive(number, &mut running)?;
        running.kill();
        Ok(note)
    }

    fn run_to_the_end(&self, number: usize) -> anyhow::Result<()> {
        let workers = self.plan.last_workers;
        let mut running = self.launch(number, workers, &["--exit-at-end"]);
        eprintln!("last run, to the end of the input, {workers} workers");
        let status = self.await_end(&mut running)?;
        if !status.success() {
            self.show_runs();
            bail!("the last run failed ({status})");
        }
        Ok(())
    }

    fn judge(&self) -> anyhow::Result<()> {
        let mut verify = self.scenario.verify_command(&["--expect-complete"]);
        verify.args(["--count", &self.arguments.count.to_string()]).args(self.event_flags());
        if self.arguments.delivery == Delivery::AtLeastOnce {
            verify.arg("--allow-duplicates");
        }
        let mut judge = self.spawn(verify, "verify");
        let status = self.await_end(&mut judge)?;
        print!("{}", judge.log());
        if !status.success() {
            self.show_runs();
            let kills = self.plan.kills.len();
            bail!("NOT EXACT after {kills} kills, {status} of loadgen verify");
        }
        Ok(())
    }

    // ---- processes ------------------------------------------------------------------------------

    fn logs(&self) -> PathBuf {
        self.scenario.dir.path().join("logs")
    }

    fn run_log(&self, number: usize) -> PathBuf {
        self.logs().join(format!("run-{number:03}.log"))
    }

    fn spawn(&self, command: Command, name: &str) -> Process {
        Process::spawn(command, self.logs().join(name).with_extension("log"))
    }

    fn check_time(&self) -> anyhow::Result<()> {
        if Instant::now() >= self.deadline {
            self.show_runs();
            bail!("not done within --max-seconds {}", self.arguments.max_seconds);
        }
        Ok(())
    }

    fn check_alive(&self, number: usize, running: &mut Process) -> anyhow::Result<()> {
        if let Some(status) = running.ended() {
            self.show_runs();
            bail!("run {number} ended by itself ({status})");
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

    /// Shows how the logs of the last run and of the one before end.
    fn show_runs(&self) {
        let logs = (1..=self.plan.kills.len() + 1).map(|number| self.run_log(number));
        let logs: Vec<_> = logs.filter(|log| log.exists()).collect();
        logs[logs.len().saturating_sub(2)..].iter().for_each(|log| show_end(log));
    }

    /// Keeps logs and state, but not the programs.
    fn keep(&mut self) {
        if let Some(kafka) = &self.kafka {
            // The broker's log goes with its folder. What cannot be copied is not the failure.
            let _ = fs::copy(kafka.folder().join("broker.log"), self.logs().join("broker.log"));
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

fn show_end(log: &Path) {
    eprintln!("==== the end of {}\n{}", log.display(), process::tail(log));
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03} s", duration.as_secs(), duration.subsec_millis())
}
