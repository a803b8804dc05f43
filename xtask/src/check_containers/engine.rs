//! A Docker engine: one that is there, or Debian's, started in namespaces of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use testkit::{Process, interrupt};

use crate::{deploy_tools, shell};

/// How long an engine may take until it answers.
const START: Duration = Duration::from_mins(1);

/// The control group that everything in the engine is below.
const CGROUP: &str = "logintide-check";

/// What the engine needs that the machine may lack.
const PROGRAMS: [&str; 7] =
    ["dockerd", "containerd", "runc", "docker-proxy", "iptables", "unshare", "ip"];

pub(super) struct Engine {
    address: String,
    /// Its programs come before the machine's: client and engine are of one version.
    own: bool,
    /// Killed when dropped.
    process: Option<Process>,
}

impl Engine {
    /// One that runs already.
    pub(super) fn at(address: &str) -> Self {
        Self { address: address.to_owned(), own: false, process: None }
    }

    /// Debian's, in the namespaces that this process is in.
    pub(super) fn start(work_dir: &Path) -> anyhow::Result<Self> {
        deploy_tools::output(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        let run = work_dir.join("run");
        // Left by an earlier run, its files would be taken for those of an engine that runs.
        fs::remove_dir_all(&run).ok();
        fs::create_dir_all(&run)?;
        let address = format!("unix://{}", run.join("docker.sock").display());
        let mut dockerd = Command::new(deploy_tools::find("dockerd").context("dockerd")?);
        dockerd.env("PATH", own_path()).args(["--host", &address]);
        dockerd.arg("--data-root").arg(work_dir.join("data"));
        dockerd.arg("--exec-root").arg(run.join("exec"));
        dockerd.arg("--pidfile").arg(run.join("docker.pid"));
        dockerd.args(["--cgroup-parent", &format!("/{CGROUP}")]);
        let mut process = Process::spawn(dockerd, run.join("dockerd.log"));
        let mut engine = Self { address, own: true, process: None };
        let deadline = Instant::now() + START;
        while deploy_tools::output(engine.docker().arg("version")).is_err() {
            interrupt::check();
            let ended = process.ended();
            ensure!(ended.is_none(), "dockerd ended\n{}", process.tail());
            ensure!(Instant::now() < deadline, "no answer in {START:?}\n{}", process.tail());
            thread::sleep(Duration::from_millis(200));
        }
        engine.process = Some(process);
        Ok(engine)
    }

    /// Whether it goes on after this command.
    pub(super) fn stays(&self) -> bool {
        !self.own
    }

    /// A command of the client.
    pub(super) fn docker(&self) -> Command {
        self.program("docker")
    }

    /// `docker compose`, as a plugin or by itself.
    pub(super) fn compose(&self) -> Command {
        let mut plugin = self.docker();
        if deploy_tools::output(plugin.args(["compose", "version"])).is_ok() {
            let mut docker = self.docker();
            docker.arg("compose");
            return docker;
        }
        self.program("docker-compose")
    }

    fn program(&self, name: &str) -> Command {
        let path = if self.own { own_path() } else { deploy_tools::search_path() };
        let found = std::env::split_paths(&path).map(|folder| folder.join(name));
        let found = found.into_iter().find(|path| path.is_file());
        let mut command = Command::new(found.unwrap_or_else(|| PathBuf::from(name)));
        command.current_dir(shell::root()).env("PATH", path);
        command.env("DOCKER_HOST", &self.address).env("DOCKER_BUILDKIT", "1");
        command
    }
}

/// `PATH` with the unpacked tools before the machine's.
fn own_path() -> std::ffi::OsString {
    let tools = deploy_tools::folders();
    let machine = std::env::var_os("PATH").unwrap_or_default();
    let all = tools.into_iter().chain(std::env::split_paths(&machine));
    std::env::join_paths(all).unwrap_or_default()
}

/// Runs this command once more, in namespaces in which an engine may be started.
pub(super) fn in_namespaces(work_dir: &Path, quick: bool) -> anyhow::Result<()> {
    let missing = PROGRAMS.iter().find(|program| deploy_tools::find(program).is_none());
    if let Some(program) = missing {
        let text = format!("no {program}: scripts/setup --containers, or DOCKER_HOST");
        return Err(shell::Misuse(text).into());
    }
    let mut inside = shell::command("unshare");
    inside.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    inside.arg(super::myself()?).args(["check-containers", "--inside", "--work-dir"]);
    inside.arg(work_dir);
    if quick {
        inside.arg("--quick");
    }
    let status = shell::status(&mut inside);
    remove_control_groups();
    let status = status?;
    ensure!(status.success(), "what ran in the engine's namespaces failed ({status})");
    Ok(())
}

/// What namespaces do not end: the control groups, which are empty by now. Of version 1, each
/// controller has its own.
fn remove_control_groups() {
    let top = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(top).into_iter().flatten().flatten().map(|entry| entry.path());
    for place in controllers.chain([top.to_owned()]) {
        remove_folders(&place.join(CGROUP));
    }
}

fn remove_folders(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_folders(&entry.path());
        }
    }
    // Its files are the kernel's and go with it.
    fs::remove_dir(folder).ok();
}
