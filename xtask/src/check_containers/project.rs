//! The compose file as one project in an engine.
//!
//! Holds: it has a name of its own, so that `remove` touches nothing else.

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value;
use testkit::interrupt;

use super::{
    engine::Engine,
    run_logged,
    stand_ins::{self, VARIABLES},
};
use crate::{deploy_tools, shell};

const NAME: &str = "logintide-check";
/// Lines of each service's log that a failure shows.
const LOG_LINES: &str = "20";

/// Where images come from that are not built here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Images {
    /// They are pulled, as the files name them.
    Pulled,
    StandIns,
}

pub(super) struct Project<'a> {
    pub(super) engine: &'a Engine,
    pub(super) images: Images,
    pub(super) quick: bool,
    work_dir: PathBuf,
}

impl<'a> Project<'a> {
    pub(super) fn new(engine: &'a Engine, images: Images, quick: bool, work_dir: &Path) -> Self {
        Self { engine, images, quick, work_dir: work_dir.to_owned() }
    }

    /// `docker compose` on the project.
    pub(super) fn compose(&self, arguments: &[&str]) -> Command {
        let mut compose = self.engine.compose();
        compose.args(["--project-name", NAME, "--file", "docker-compose.yml"]).args(arguments);
        // The machine is shared with what looks at it.
        compose.env("LOADGEN_RATE", "50");
        if self.quick {
            compose.env("BUILD_FLAGS", "--quick");
        }
        if let Ok(commit) = deploy_tools::output(shell::command("git").args(["rev-parse", "HEAD"]))
        {
            compose.env("LOGINTIDE_COMMIT", commit.trim());
        }
        if self.images == Images::StandIns {
            compose.envs(VARIABLES);
        }
        compose
    }

    /// Runs a command of compose, its output in a file of this name.
    pub(super) fn run(&self, log: &str, arguments: &[&str]) -> anyhow::Result<()> {
        run_logged(&mut self.compose(arguments), &self.work_dir.join(format!("{log}.log")))
    }

    /// What `docker` prints.
    pub(super) fn docker(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let printed = deploy_tools::output(self.engine.docker().args(arguments))?;
        Ok(printed.trim().to_owned())
    }

    /// The container of a service, whether it runs or not.
    pub(super) fn container(&self, service: &str) -> anyhow::Result<String> {
        let id = deploy_tools::output(&mut self.compose(&["ps", "--all", "--quiet", service]))?;
        ensure!(!id.trim().is_empty(), "{service} has no container");
        Ok(id.trim().to_owned())
    }

    /// What the engine says of a service's container.
    pub(super) fn inspect(&self, service: &str) -> anyhow::Result<Value> {
        let text = self.docker(&["container", "inspect", &self.container(service)?])?;
        let all: Value = serde_json::from_str(&text).context("docker inspect")?;
        Ok(all[0].clone())
    }

    /// The port of this machine that leads to the HTTP port of the first logintide.
    pub(super) fn http_port(&self) -> anyhow::Result<u16> {
        let address = deploy_tools::output(&mut self.compose(&["port", "logintide", "9464"]))?;
        let (_, port) = address.trim().rsplit_once(':').context("docker compose port")?;
        port.parse().with_context(|| format!("docker compose port prints {address:?}"))
    }

    /// What a command in a service's container prints.
    pub(super) fn exec(&self, service: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let container = self.container(service)?;
        self.docker(&[&["exec", &container], arguments].concat())
    }

    /// The log of a service since its container's last start.
    pub(super) fn log(&self, service: &str) -> anyhow::Result<String> {
        let started = self.inspect(service)?["State"]["StartedAt"].clone();
        let started = started.as_str().context("a container has a start")?.to_owned();
        let mut docker = self.engine.docker();
        docker.args(["logs", "--since", &started, &self.container(service)?]);
        let output = docker.output().context("docker logs")?;
        Ok(testkit::text(&output))
    }

    /// Waits until the engine finds the service in this state of health.
    pub(super) fn wait_for_health(
        &self,
        service: &str,
        state: &str,
        within: Duration,
    ) -> anyhow::Result<Duration> {
        wait(&format!("{service} is not {state}"), within, || {
            Ok(self.inspect(service)?["State"]["Health"]["Status"] == state)
        })
    }

    /// Shows the end of what each service said.
    pub(super) fn print_logs(&self) {
        if let Ok(logs) = deploy_tools::output(&mut self.compose(&["logs", "--tail", LOG_LINES])) {
            eprintln!("{logs}");
        }
    }

    /// Removes containers, networks and volumes, and expects that nothing is left.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        deploy_tools::output(&mut self.compose(&["down", "--volumes", "--remove-orphans"]))?;
        let label = format!("label=com.docker.compose.project={NAME}");
        for list in [
            ["container", "ls", "--all", "--quiet", "--filter", &label].as_slice(),
            &["network", "ls", "--quiet", "--filter", &label],
            &["volume", "ls", "--quiet", "--filter", &label],
        ] {
            let left = self.docker(list)?;
            ensure!(left.is_empty(), "{} still lists {left}", list[0]);
        }
        if self.engine.stays() {
            let mut images = vec!["logintide:local", "loadgen:local"];
            if self.images == Images::StandIns {
                images.extend(stand_ins::IMAGES);
            }
            self.docker(&[&["image", "rm"], images.as_slice()].concat())?;
        }
        Ok(())
    }
}

/// Waits until it is so; says how long that took.
pub(super) fn wait(
    otherwise: &str,
    within: Duration,
    mut reached: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    while !reached()? {
        interrupt::check();
        ensure!(began.elapsed() < within, "{otherwise} after {within:?}");
        thread::sleep(Duration::from_millis(500));
    }
    Ok(began.elapsed())
}
