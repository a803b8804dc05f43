//! `cargo xtask record-screen`: the README's pictures, from one real run of the demo.
//!
//! In:  `logintide demo` in a pseudo terminal, and its dashboard in a headless Chromium.
//! Out: the demo's screen as an SVG, the dashboard as a PNG.

mod drawing;
mod terminal;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use testkit::{Browser, Process};

use self::terminal::{Picture, Terminal};
use crate::shell::{self, Misuse};

/// The pseudo terminal's size.
const ROWS: usize = 26;
const COLUMNS: usize = 100;

/// How long the demo sends events: its charts and windows are full by then.
const DURATION: Duration = Duration::from_mins(1);

/// When the dashboard's picture is taken, after the demo's start. It leaves time to the demo's end
/// for a busy machine.
const PHOTO_AFTER: Duration = Duration::from_secs(45);

/// How long the demo may take to start and, once it has sent everything, to end.
const PATIENCE: Duration = Duration::from_mins(3);

/// The dashboard's width and height in the picture: from the top to the first windows.
const PAGE: (u32, u32) = (1280, 900);

/// What comes before the port of the dashboard on the demo's screen.
const ADDRESS: &str = "dashboard \u{1b}[36mhttp://127.0.0.1:";

/// Makes the README's two pictures from a real run of the demo
#[derive(Args)]
pub(crate) struct Arguments {
    /// The program to record [default: target/release/logintide]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// The folder that the pictures go to [default: docs/pictures]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let release = || shell::target_dir().join("release/logintide");
    let program = arguments.program.unwrap_or_else(release);
    if !program.is_file() {
        return Err(Misuse(format!(
            "{} is missing; build it with `cargo build --release`, or name another one with \
             --program",
            program.display()
        ))
        .into());
    }
    let missing = shell::output(shell::command("scripts/setup").args(["--missing", "browser"]))?;
    if !missing.is_empty() {
        return Err(Misuse(format!("missing (scripts/setup installs it):\n{missing}")).into());
    }
    let out = arguments.out.unwrap_or_else(|| shell::root().join("docs/pictures"));
    let scratch = tempfile::tempdir().context("a temporary folder")?;
    let (pictures, dashboard) = record(&program, scratch.path())?;
    let sending = pictures.iter().rev().find(|picture| terminal::title(picture).contains(" of "));
    let Some(screen) = sending else { bail!("the demo showed no picture while it sent events") };
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let svg = drawing::svg(screen, COLUMNS, "logintide demo");
    write(&out.join("demo.svg"), svg.as_bytes())?;
    write(&out.join("dashboard.png"), &dashboard)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the demo to its end. Every picture that it drew, and the dashboard while it ran.
fn record(program: &Path, scratch: &Path) -> anyhow::Result<(Vec<Picture>, Vec<u8>)> {
    let mut demo = Process::spawn(on_terminal(program)?, scratch.join("demo.log"));
    let began = Instant::now();
    demo.wait_for_line(ADDRESS);
    let Some(port) = port(&demo.log()) else { bail!("the demo named no port") };
    let browser = Browser::start(scratch);
    let (width, height) = PAGE;
    let metrics =
        json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
    browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    browser.devtools("Emulation.setScrollbarsHidden", &json!({"hidden": true}));
    browser.goto(&format!("http://127.0.0.1:{port}/"));
    while began.elapsed() < PHOTO_AFTER {
        testkit::interrupt::check();
        sleep(Duration::from_millis(100));
    }
    browser.wait_until("showing windows", |browser| browser.texts("#windows tbody tr").len() > 4);
    let dashboard = browser.screenshot();
    drop(browser);
    let status = demo.wait(DURATION + PATIENCE);
    if !status.success() {
        bail!("the demo failed ({status})\n{}", demo.tail());
    }
    Ok((Terminal::new().pictures(&demo.log()), dashboard))
}

/// The demo in a pseudo terminal that shows colours.
fn on_terminal(program: &Path) -> anyhow::Result<Command> {
    let program = program.canonicalize().context("the program's path")?;
    let line = format!(
        "stty rows {ROWS} columns {COLUMNS}; exec '{}' demo --duration {}s",
        program.display(),
        DURATION.as_secs()
    );
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env("SHELL", "/bin/sh").env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    command.env_remove("NO_COLOR").env_remove("LC_ALL").env_remove("LC_CTYPE");
    Ok(command)
}

/// The dashboard's port, as the demo's screen names it.
fn port(log: &str) -> Option<u16> {
    let after = log.split_once(ADDRESS)?.1;
    after.split_once('/')?.0.parse().ok()
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    println!("drew {} ({} bytes)", path.display(), content.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_screen() {
        let screen = "dashboard \u{1b}[36mhttp://127.0.0.1:40123/\u{1b}[0m   metrics";
        assert_eq!(port(screen), Some(40_123));
        assert_eq!(port("dashboard http://127.0.0.1/"), None);
    }
}
