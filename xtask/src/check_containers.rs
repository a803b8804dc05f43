//! `cargo xtask check-containers`: the image and the compose file, tried with a real Docker engine.
//!
//! Uses the engine at `DOCKER_HOST`, or starts Debian's in namespaces of its own: network, mounts
//! and processes. Nothing in there can be reached from outside or reaches out, no port of the
//! machine is taken, and all of it ends with the command, however that ends.
//!
//! Where no image can be pulled, stand-ins take their place: see `stand_ins`.

mod course;
mod engine;
mod image;
mod project;
mod stand_ins;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::Args;

use engine::Engine;
use project::{Images, Project};

use crate::shell;

/// Builds the image, starts the compose file, and tries both with events, signals and kills
///
/// Uses the Docker engine at `DOCKER_HOST`, or starts Debian's in namespaces of its own, which
/// needs root and `scripts/setup --containers`. Whatever it starts, makes and builds is gone at the
/// end.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Builds the image with optimisation, but without a profile of the demo: minutes, not an hour
    #[arg(long)]
    quick: bool,
    /// Pulls the images that the files name; without it, stand-ins are made of Debian's packages
    #[arg(long, requires = "engine")]
    pull: bool,
    /// Address of a Docker engine [default: one is started]
    #[arg(id = "engine", long = "engine", env = "DOCKER_HOST", value_name = "ADDRESS")]
    address: Option<String>,
    /// Folder for stand-ins and the engine's data, which stays for the next run [default: a
    /// temporary one]
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// What the command starts itself with, in the engine's namespaces
    #[arg(long, hide = true)]
    inside: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    if let (true, Some(work_dir)) = (arguments.inside, &arguments.work_dir) {
        let engine = Engine::start(work_dir)?;
        try_all(arguments, &engine, work_dir)?;
        return Ok(ExitCode::SUCCESS);
    }
    let temporary = tempfile::Builder::new().prefix("logintide-containers").tempdir()?;
    let work_dir = match &arguments.work_dir {
        Some(given) => std::path::absolute(given)?,
        None => temporary.path().to_owned(),
    };
    if !arguments.pull {
        stand_ins::prepare(&work_dir)?;
    }
    match &arguments.address {
        Some(address) => try_all(arguments, &Engine::at(address), &work_dir)?,
        None => engine::in_namespaces(&work_dir, arguments.quick)?,
    }
    println!("check-containers: all is well, {} s", began.elapsed().as_secs());
    Ok(ExitCode::SUCCESS)
}

/// Builds and tries everything; what was made in the engine is removed at the end.
fn try_all(arguments: &Arguments, engine: &Engine, work_dir: &Path) -> anyhow::Result<()> {
    let images = if arguments.pull { Images::Pulled } else { Images::StandIns };
    if images == Images::StandIns {
        step("stand-ins are built", || stand_ins::build(engine, work_dir))?;
    }
    let project = Project::new(engine, images, arguments.quick, work_dir);
    let outcome = course::run(&project);
    if outcome.is_err() {
        project.print_logs();
    }
    let removed = step("everything is stopped and removed", || project.remove());
    outcome.and(removed)
}

/// Does it, and says that it went well and how long it took.
fn step<T>(name: &str, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    testkit::interrupt::check();
    let began = Instant::now();
    let done = act();
    let seconds = began.elapsed().as_secs();
    match &done {
        Ok(_) => println!("ok        {name}, {seconds} s"),
        Err(_) if testkit::interrupt::requested() => println!("ended     {name}, {seconds} s"),
        Err(_) => println!("WRONG     {name}, {seconds} s"),
    }
    done
}

/// The program itself, to start it once more.
fn myself() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?)
}

/// Runs the command with its output in a file, and shows the file's end when it fails.
fn run_logged(command: &mut std::process::Command, log: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(log)?;
    let status = shell::status(command.stdout(file.try_clone()?).stderr(file))?;
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(40)..].join("\n");
    anyhow::bail!("{} failed ({status})\n{end}", shell::shown(command))
}
