//! Which steps there are, in which lane and order.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context, bail};
use testkit::ports;

use super::{
    Arguments,
    broker::{Broker, Running},
    missing,
    pool::{self, Job},
    programs::{self, TestProgram},
    steps::Steps,
};
use crate::{check_readme, shell};

/// The tests can kill the program at every step of its protocol; a release has no such places.
const FEATURES: &[&str] = &["--features", "test-support"];
/// Random histories of each delivery mode: in the ordinary checks, and where time does not matter.
const HISTORIES: u32 = 50_000;
const MORE_HISTORIES: u32 = 150_000;
/// Tests that start and stop a broker of their own with `scripts/kafka-local`, whatever the rest
/// uses. They take the longest, so they begin first.
const OWN_BROKER_TESTS: [&str; 2] = ["outage::", "security::"];
/// Tests that take longer than about 20 s each, by the module they are in: see tests/kafka/main.rs.
const FAULT_TESTS: &str = "faults::";
/// Tests that look at the dashboard in a browser.
const BROWSER_TESTS: &str = "dashboard::";
/// Programs of tests that run at the same time without a broker: each has two threads, and some
/// wait for a mock of one.
const PROGRAMS_AT_ONCE: usize = 2;
/// Fault tests that run at the same time: they stop brokers of their own, which costs more.
const FAULTS_AT_ONCE: usize = 3;

pub(super) struct Plan<'a> {
    pub(super) steps: &'a Steps,
    pub(super) scratch: &'a Path,
    pub(super) broker: Broker,
    pub(super) arguments: Arguments,
    /// This program, where no build replaces it.
    pub(super) tool: PathBuf,
}

/// The tests against a broker, sorted by when they run.
struct Suite {
    /// In the ordinary suite.
    ordinary: Vec<(usize, String)>,
    faults: Vec<(usize, String)>,
    /// Not run, for want of a browser.
    browser: Vec<String>,
}

impl Plan<'_> {
    /// The ordinary checks, with what `--all` adds.
    pub(super) fn all(&self) -> anyhow::Result<()> {
        self.fetch_kafka()?;
        thread::scope(|scope| {
            let released = scope.spawn(|| self.released());
            let checked = self.checked();
            let released = released.join().expect("a lane does not panic");
            checked.and(released)
        })
    }

    /// The lane of what is built as a release. It takes the time that the others leave.
    fn released(&self) -> anyhow::Result<()> {
        if !self.arguments.all {
            return Ok(());
        }
        let steps = self.steps;
        if missing("bench")?.contains("valgrind") {
            steps.left_out("instructions per event", "no valgrind: scripts/setup --bench");
        } else {
            steps.run("instructions per event", &mut nice(&self.tool(["instructions"])))?;
        }
        if self.broker != Broker::Local {
            steps.left_out("commands of the README", "they start a broker: Java and Maven");
        } else if ports::is_taken(check_readme::BROKER_PORT) {
            steps.left_out("commands of the README", "port 9092 is taken");
        } else {
            let mut command = nice(&self.tool(["check-readme", "--target"]));
            steps.run("commands of the README", command.arg(shell::target_dir()))?;
        }
        Ok(())
    }

    /// Formatting and lints; then what is built once for all tests, and the two lanes of them.
    fn checked(&self) -> anyhow::Result<()> {
        let steps = self.steps;
        if self.arguments.only.is_none() {
            steps.run("formatting", &mut shell::cargo(["fmt", "--all", "--check"]))?;
            let mut lints = shell::cargo(["clippy", "--workspace", "--all-targets", "--locked"]);
            steps.run("lints", lints.args(FEATURES).args(["--", "-D", "warnings"]))?;
            let mut image = shell::cargo(["clippy", "--locked", "--no-default-features"]);
            steps.run("lints of the image's build", image.args(["--", "-D", "warnings"]))?;
        }
        let programs = self.build()?;
        let suite = self.suite(&programs)?;
        let running = match self.broker {
            Broker::None => None,
            _ => Some(self.start_broker()?),
        };
        thread::scope(|scope| {
            let kafka = scope.spawn(|| self.with_broker(&programs, &suite, running.as_ref()));
            let unit = match self.arguments.only {
                Some(_) => Ok(()),
                None => self.without_broker(&programs, running.as_ref()),
            };
            let kafka = kafka.join().expect("a lane does not panic");
            unit.and(kafka)
        })
    }

    fn build(&self) -> anyhow::Result<Vec<TestProgram>> {
        let mut messages = String::new();
        self.steps.step("build", |log| {
            messages = programs::build(FEATURES, log)?;
            Ok(())
        })?;
        programs::read(&messages)
    }

    /// The lane of what computes.
    fn without_broker(
        &self,
        programs: &[TestProgram],
        running: Option<&Running>,
    ) -> anyhow::Result<()> {
        let steps = self.steps;
        steps.step("unit and mock tests", |log| {
            let jobs = programs.iter().map(|program| Job {
                name: program.name.clone(),
                command: unchanged_snapshots(program.command(["--quiet"])),
            });
            pool::run(jobs.collect(), PROGRAMS_AT_ONCE, self.scratch, log)
        })?;
        let mut doc_tests = shell::cargo(["test", "--doc", "--workspace", "--locked"]);
        steps.run("doc tests", doc_tests.args(FEATURES))?;
        let mut docs = shell::cargo(["doc", "--workspace", "--no-deps", "--locked"]);
        steps.run("docs", docs.args(FEATURES).env("RUSTDOCFLAGS", "-D warnings"))?;
        if !self.arguments.all {
            return Ok(());
        }
        self.histories(programs, HISTORIES)?;
        // On the pinned stable compiler, and without the coverage that only running them needs.
        let mut fuzz = shell::cargo(["check", "--manifest-path", "fuzz/Cargo.toml", "--locked"]);
        fuzz.arg("--target-dir").arg(shell::target_dir());
        steps.run("fuzz targets compile", &mut fuzz)?;
        if self.arguments.setup_deploy {
            // Their absence does not hide: the next step lists what it leaves out.
            let mut setup = nice(&shell::command("scripts/setup"));
            if steps.run_optional("deployment tools", setup.arg("--deploy"))? {
                steps.remark("not all tools for the deployment files are there");
            }
        }
        self.deployment(running)
    }

    /// Random histories of the program on a simulated Kafka, so many of each delivery mode.
    fn histories(&self, programs: &[TestProgram], each: u32) -> anyhow::Result<()> {
        let simulation = programs.iter().find(|program| program.name == "simulation");
        let simulation = simulation.context("there is a test program simulation")?;
        // Says how many of each mode it ran. It computes all the time: what waits for a broker goes
        // first.
        let mut command = nice(&simulation.command(["histories", "--nocapture"]));
        command.env("LOGINTIDE_HISTORIES", each.to_string());
        self.steps.run(&format!("2 x {each} histories"), &mut command)?;
        Ok(())
    }

    /// The files under deploy/.
    fn deployment(&self, running: Option<&Running>) -> anyhow::Result<()> {
        let mut command = self.tool(["check-deploy"]);
        if let Some(running) = running {
            command.env("KAFKA_BROKERS", running.address());
        }
        let text = self.steps.run("deployment files", &mut command)?;
        for name in text.lines().filter_map(|line| line.strip_prefix("left out  ")) {
            self.steps.remark(&format!("left out: {name}"));
        }
        Ok(())
    }

    /// The lane of what waits for a broker.
    fn with_broker(
        &self,
        programs: &[TestProgram],
        suite: &Suite,
        running: Option<&Running>,
    ) -> anyhow::Result<()> {
        let steps = self.steps;
        let names = |tests: &[(usize, String)]| {
            tests.iter().map(|(_, name)| format!("  {name}")).collect::<Vec<_>>().join("\n")
        };
        let title = format!("Kafka suite ({})", suite.ordinary.len());
        let faults = format!("fault tests ({})", suite.faults.len());
        let Some(running) = running else {
            println!("\n==== left out, as they need a broker:\n{}", names(&suite.ordinary));
            steps.left_out(&title, "--without-kafka");
            steps.left_out(&faults, "--without-kafka");
            return Ok(());
        };
        steps.step(&title, |log| {
            let mut jobs = self.jobs(programs, &suite.ordinary, running);
            if self.arguments.only.is_none() {
                // It takes as long as the longest tests.
                jobs.insert(0, self.kills(5, 100_000, "exactly-once", running));
            }
            pool::run(jobs, self.arguments.at_once, self.scratch, log)
        })?;
        if !suite.browser.is_empty() {
            steps.left_out("dashboard tests", "no Chromium with its driver: scripts/setup");
            suite.browser.iter().for_each(|name| steps.remark(&format!("left out: {name}")));
        }
        steps.left_out(&faults, "slow: scripts/test --faults");
        suite.faults.iter().for_each(|(_, name)| steps.remark(&format!("left out: {name}")));
        Ok(())
    }

    /// What `--faults` runs.
    pub(super) fn faults(&self) -> anyhow::Result<()> {
        self.fetch_kafka()?;
        let steps = self.steps;
        let programs = self.build()?;
        let suite = self.suite(&programs)?;
        let running = self.start_broker()?;
        steps.step(&format!("fault tests ({})", suite.faults.len()), |log| {
            let jobs = self.jobs(&programs, &suite.faults, &running);
            pool::run(jobs, FAULTS_AT_ONCE, self.scratch, log)
        })?;
        for delivery in ["exactly-once", "at-least-once"] {
            let mut job = self.kills(30, 500_000, delivery, &running);
            steps.run(&job.name, &mut job.command)?;
        }
        self.histories(&programs, MORE_HISTORIES)?;
        let mut benches = shell::cargo(["bench", "--workspace", "--no-run", "--locked"]);
        steps.run("benchmarks compile", &mut benches)?;
        let mut fuzz = shell::cargo(["build", "--manifest-path", "fuzz/Cargo.toml", "--locked"]);
        fuzz.arg("--target-dir").arg(shell::target_dir());
        steps.run("fuzz targets build", &mut fuzz)?;
        steps.run("fuzzing", &mut self.tool(["fuzz", "--seconds", "60"]))?;
        Ok(())
    }

    /// Downloads first: that Kafka cannot be had should not come out after the long compilation.
    fn fetch_kafka(&self) -> anyhow::Result<()> {
        if self.broker == Broker::Local {
            let mut fetch = shell::command("scripts/kafka-local");
            self.steps.run("fetch Kafka", fetch.arg("fetch"))?;
        }
        Ok(())
    }

    fn start_broker(&self) -> anyhow::Result<Running> {
        let folder = self.tests_folder();
        std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let running = self.broker.start()?;
        println!("broker: {}", running.address());
        Ok(running)
    }

    /// Where tests have their temporary folders.
    fn tests_folder(&self) -> std::path::PathBuf {
        self.scratch.join("tmp")
    }

    fn suite(&self, programs: &[TestProgram]) -> anyhow::Result<Suite> {
        let browser = missing("browser")?.is_empty();
        let own = self.broker == Broker::Local || missing("kafka")?.is_empty();
        let only = self.arguments.only.as_deref();
        let faults_too = only.is_some_and(|only| only.contains("faults"));
        let mut suite = Suite { ordinary: Vec::new(), faults: Vec::new(), browser: Vec::new() };
        let mut without_java = 0;
        for (number, program) in programs.iter().enumerate() {
            // The child process of a test beside it is no test of a broker.
            for name in program.ignored()?.into_iter().filter(|name| !name.contains("child::")) {
                let is_own = OWN_BROKER_TESTS.iter().any(|module| name.starts_with(module));
                if only.is_some_and(|only| !name.contains(only)) {
                } else if name.contains(FAULT_TESTS) && !faults_too {
                    suite.faults.push((number, name));
                } else if name.starts_with(BROWSER_TESTS) && !browser {
                    suite.browser.push(name);
                } else if is_own && !own {
                    without_java += 1;
                } else {
                    suite.ordinary.push((number, name));
                }
            }
        }
        if without_java > 0 && self.broker != Broker::None {
            let reason = "they stop brokers of their own: scripts/setup";
            self.steps.left_out(&format!("outage, security ({without_java})"), reason);
        }
        // An empty suite would pass; one that exists and lists nothing is a mistake of attributes.
        if suite.ordinary.is_empty() || (suite.faults.is_empty() && only.is_none()) {
            bail!("no test is #[ignore]d, or none is in a module faults, or --only names none");
        }
        let first = |name: &str| OWN_BROKER_TESTS.iter().any(|module| name.starts_with(module));
        suite.ordinary.sort_by_key(|(_, name)| !first(name));
        Ok(suite)
    }

    fn jobs(
        &self,
        programs: &[TestProgram],
        tests: &[(usize, String)],
        running: &Running,
    ) -> Vec<Job> {
        let job = |(program, name): &(usize, String)| {
            let mut command = programs[*program].command(["--ignored", "--exact", name]);
            command.env("TMPDIR", self.tests_folder()).env("KAFKA_BROKERS", running.address());
            Job { name: name.clone(), command: unchanged_snapshots(command) }
        };
        tests.iter().map(job).collect()
    }

    /// Kills at random moments; the judge recounts.
    fn kills(&self, kills: u32, count: u32, delivery: &str, running: &Running) -> Job {
        let mut command = self.tool(["crash-test", "--delivery", delivery]);
        command.args(["--kills", &kills.to_string(), "--count", &count.to_string(), "--bin-dir"]);
        command.arg(shell::target_dir().join("debug")).env("KAFKA_BROKERS", running.address());
        Job { name: format!("{kills} kills, {delivery}"), command }
    }

    /// Another command of this tool, in a process of its own.
    fn tool<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = shell::command(&self.tool.to_string_lossy());
        command.args(arguments);
        command
    }
}

/// A snapshot that differs fails its test and is not written down as a new one.
fn unchanged_snapshots(mut command: Command) -> Command {
    command.env("INSTA_UPDATE", "no").env("INSTA_FORCE_PASS", "0");
    command
}

/// Copies this program: the build of the workspace replaces the one that runs.
///
/// # Errors
/// It cannot be copied.
pub(super) fn copy_of_this_tool(folder: &Path) -> anyhow::Result<PathBuf> {
    let copy = folder.join("xtask");
    let program = env::current_exe().context("the path of this program")?;
    std::fs::copy(program, &copy).context("a copy of this program")?;
    Ok(copy)
}

/// The command at a lower priority than the tests.
fn nice(command: &Command) -> Command {
    let mut nice = shell::command("nice");
    nice.args(["-n", "10"]).arg(command.get_program()).args(command.get_args());
    nice
}
