//! A run's folder under `benches/runs/`: what it was made on and with, and a file of figures for
//! each section.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{
    figures::Figures,
    host::{self, Host},
    workbench::{self, Programs},
};
use crate::shell;

/// `run.json`. What an old run did not record is left out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// Of logintide; with a + where its sources were changed.
    pub(crate) commit: String,
    /// As released, or the profile it was built with.
    build: String,
    command: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kafka: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    librdkafka: Option<String>,
    /// Options of the broker's Java.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broker_heap: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    pub(crate) sections: BTreeMap<String, Conditions>,
    /// The folder's name.
    #[serde(skip)]
    pub(crate) name: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    cores: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_gib: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
}

/// How a section was measured.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conditions {
    pub(crate) rounds: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disturbance: Option<Disturbance>,
    /// The text that stood with the figures of an old run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// See `Host`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disturbance {
    measured: u32,
    repeated: u32,
    disturbed: u32,
}

impl Conditions {
    pub(crate) fn new(rounds: u32, events: Option<u64>, host: &Host) -> Self {
        let Host { measured, repeated, disturbed } = *host;
        let disturbance = Disturbance { measured, repeated, disturbed };
        Self { rounds, events, disturbance: (measured > 0).then_some(disturbance), text: None }
    }

    /// In half a line.
    pub(crate) fn summary(&self) -> String {
        let rounds = match self.rounds {
            1 => "one round".to_owned(),
            rounds => format!("{rounds} rounds"),
        };
        match &self.disturbance {
            Some(Disturbance { measured, disturbed, .. }) => {
                format!("{rounds}, {disturbed} of {measured} disturbed")
            }
            None => rounds,
        }
    }
}

impl Machine {
    fn this() -> anyhow::Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
        let cpus = read("/proc/cpuinfo")?;
        let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = read("/proc/meminfo")?;
        let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
        Ok(Self {
            cpu: cpu.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned()),
            cores: host::processors(),
            memory_gib: kib.map(|kib| (kib + (1 << 19)) >> 20),
            kernel: Some(read("/proc/sys/kernel/osrelease")?.trim().to_owned()),
        })
    }

    /// The processor's name as part of a folder's: "Intel(R) Xeon(R) Processor @ 2.50GHz" is
    /// intel-xeon.
    pub(crate) fn slug(&self) -> String {
        let name = self.cpu.replace("(R)", " ").replace("(TM)", " ").to_lowercase();
        let name = name.split('@').next().unwrap_or_default();
        let words = name.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !["", "processor", "cpu"].contains(word));
        words.take(4).collect::<Vec<_>>().join("-")
    }
}

/// Where the runs are.
pub(crate) fn folder() -> PathBuf {
    shell::root().join("benches/runs")
}

impl Run {
    /// A run that measures these programs now.
    pub(crate) fn begin(programs: &Programs, is_released: bool) -> anyhow::Result<Self> {
        let mut logintide = shell::command(&programs.path("logintide").to_string_lossy());
        let version = shell::output(logintide.arg("--version"))?;
        let after = |word: &str| {
            let (_, rest) = version.split_once(word)?;
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || ".+".contains(c))).next()
        };
        let commit = after("commit ").context("logintide --version names no commit")?;
        let changed = if commit.ends_with('+') { "+" } else { "" };
        let short = &commit[..commit.len().min(7)];
        let commit = format!("{}{changed}", short.trim_end_matches('+'));
        let pom = fs::read_to_string(shell::root().join("scripts/kafka/pom.xml"))?;
        let kafka = pom.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
        Ok(Self {
            kafka: kafka.map(|(version, _)| version.to_owned()),
            librdkafka: after("librdkafka ").map(str::to_owned),
            broker_heap: Some(workbench::broker_heap()),
            ..Self::of(commit, if is_released { "as released" } else { "dist profile" })?
        })
    }

    /// A run that measures nothing but this program, which was built so.
    pub(crate) fn begin_alone(build: &str) -> anyhow::Result<Self> {
        let mut git = shell::command("git");
        git.args(["describe", "--always", "--exclude=*", "--abbrev=7", "--dirty=+"]);
        Self::of(shell::output(&mut git)?.trim().to_owned(), build)
    }

    fn of(commit: String, build: &str) -> anyhow::Result<Self> {
        let words: Vec<_> = std::env::args().skip(1).collect();
        Ok(Self {
            date: shell::output(shell::command("date").args(["-u", "+%F"]))?.trim().to_owned(),
            machine: Machine::this()?,
            commit,
            build: build.to_owned(),
            command: format!("cargo xtask {}", words.join(" ")),
            kafka: None,
            librdkafka: None,
            broker_heap: None,
            note: None,
            sections: BTreeMap::new(),
            name: String::new(),
        })
    }

    /// Makes a folder for the run that no other run has.
    fn create_folder(&mut self) -> anyhow::Result<()> {
        let commit = self.commit.trim_end_matches('+');
        let name = format!("{}-{}-{commit}", self.date, self.machine.slug());
        fs::create_dir_all(folder())?;
        let more = (2..).map(|number| format!("{name}-{number}"));
        for name in std::iter::once(name.clone()).chain(more) {
            match fs::create_dir(folder().join(&name)) {
                Ok(()) => {
                    self.name = name;
                    break;
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context("cannot make the run's folder"),
            }
        }
        Ok(())
    }

    /// The run's own folder, once it has a section.
    pub(crate) fn folder(&self) -> PathBuf {
        folder().join(&self.name)
    }

    /// Adds a section that was measured, and writes its figures and `run.json`.
    pub(crate) fn add_section(
        &mut self,
        name: &str,
        conditions: Conditions,
        figures: &Figures,
    ) -> anyhow::Result<()> {
        // Not before there is something to write: an interrupted run leaves nothing.
        if self.name.is_empty() {
            self.create_folder()?;
        }
        self.sections.insert(name.to_owned(), conditions);
        figures.write(&self.folder().join(format!("{name}.tsv")))?;
        let path = self.folder().join("run.json");
        let text = serde_json::to_string_pretty(self).context("a run as JSON")?;
        fs::write(&path, text + "\n").with_context(|| path.display().to_string())
    }

    pub(crate) fn read(name: &str) -> anyhow::Result<Self> {
        let path = folder().join(name).join("run.json");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let run: Self = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Self { name: name.to_owned(), ..run })
    }

    /// The figures of a section.
    pub(crate) fn figures(&self, section: &str) -> anyhow::Result<Figures> {
        Figures::read(&folder().join(&self.name).join(format!("{section}.tsv")))
    }

    pub(crate) fn conditions(&self, section: &str) -> anyhow::Result<&Conditions> {
        let conditions = self.sections.get(section);
        conditions.with_context(|| format!("the run {} has no section {section}", self.name))
    }

    /// The folder, from another folder of the project.
    pub(crate) fn link(&self, from: &str) -> String {
        let up = "../".repeat(Path::new(from).components().count());
        format!("{up}benches/runs/{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_after_its_processor() {
        for (cpu, slug) in [
            ("Intel(R) Xeon(R) Processor @ 2.50GHz", "intel-xeon"),
            ("AMD EPYC", "amd-epyc"),
            ("AMD Ryzen 9 5950X 16-Core Processor", "amd-ryzen-9-5950x"),
        ] {
            let machine = Machine { cpu: cpu.to_owned(), ..Machine::this().expect("a machine") };
            assert_eq!(machine.slug(), slug);
        }
    }

    #[test]
    fn every_run_can_be_read() {
        let mut sections = 0;
        for entry in fs::read_dir(folder()).expect("there are runs").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let run = Run::read(&name).expect("a run");
            assert!(name.starts_with(&run.date), "{name} is of {}", run.date);
            for section in run.sections.keys() {
                run.figures(section).expect("figures");
                sections += 1;
            }
            let files = fs::read_dir(entry.path()).expect("the run's folder").count();
            assert_eq!(files, run.sections.len() + 1, "{name}: run.json and a file per section");
        }
        assert!(sections > 10, "{sections}");
    }
}
