//! Deliberate mistakes, and what the program says to each: one clear line or list, the remedy, the
//! right exit code. Those that need a broker are in tests/kafka/mistakes.rs.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Stdio},
};

#[path = "mistakes/shown.rs"]
mod shown;

/// A folder that the program runs in, with nothing of this machine's settings.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    /// `run` that would never find a broker, should its settings be accepted by mistake.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
        command.args(["run", "--brokers", "127.0.0.1:1", "--state-dir", "state"]).args(arguments);
        // Eight cores or two: the number of workers is not what is looked at.
        command.env_clear().env("HOME", "/nonexistent").env("LOGINTIDE_WORKERS", "2");
        command.current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    fn says(&self, name: &str, arguments: &[&str]) {
        let output = self.command(arguments).output().expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.stdout.is_empty(), "{name}");
        shown::assert_said(name, self.dir.path(), output.status.code(), &stderr);
        assert!(!self.dir.path().join("state").exists(), "{name}: nothing was changed");
    }
}

#[test]
fn a_wrong_flag() {
    Place::new().says("wrong-flag", &["--wimdow", "10s"]);
}

#[test]
fn a_state_folder_that_is_a_file_is_named_before_a_broker_answers() {
    let place = Place::new();
    fs::write(place.dir.path().join("state"), "mine").expect("writable");
    let output = place.command(&["--http", "off"]).output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("the state folder state (--state-dir) cannot be used"), "{stderr}");
}

#[test]
fn typos_in_a_file() {
    let place = Place::new();
    let text = "wimdow = \"10s\"\ngroup_id = \"g\"\nworkers = \"two\"\ngrace = 7\n\
                [client]\nsecurity.protocoll = \"ssl\"\n";
    fs::write(place.dir.path().join("c.toml"), text).expect("writable");
    place.says("typos-in-a-file", &["--config", "c.toml"]);
}

#[test]
fn a_file_that_is_no_toml() {
    let place = Place::new();
    fs::write(place.dir.path().join("c.toml"), "window = 10s\nbrokers: b:9092\n")
        .expect("writable");
    place.says("no-toml", &["--config", "c.toml"]);
}

#[test]
fn contradictory_durations() {
    let arguments = [
        "--grace=10m",
        "--commit-interval=4s",
        "--session-timeout=8s",
        "-Xmax.poll.interval.ms=7000",
        "-Xtransaction.timeout.ms=15000",
        "-Xmessage.timeout.ms=20000",
    ];
    Place::new().says("contradictory-durations", &arguments);
}

#[test]
fn an_unknown_time_zone() {
    Place::new().says("unknown-time-zone", &["--timezone", "Europe/Berln"]);
}

#[test]
fn a_budget_that_is_too_small() {
    Place::new().says("budget-too-small", &["--memory-budget", "16MiB"]);
    let arguments = ["--memory-budget", "48MiB", "--workers", "32"];
    Place::new().says("budget-too-small-for-its-workers", &arguments);
}

#[test]
fn a_secret_without_its_file() {
    let arguments = ["-Xsasl.password.file=/run/secrets/no-such-file", "-Xsasl.username=u"];
    Place::new().says("secret-without-its-file", &arguments);
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = taken.local_addr().expect("is bound").to_string();
    Place::new().says("port-taken", &["--http", &address]);
}

/// The program waits for a broker for ever: its first line is looked at, and its end on SIGTERM.
#[test]
fn a_broker_that_is_away() {
    let place = Place::new();
    let mut command = place.command(&["--http", "off"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let mut lines = String::new();
    while !lines.contains("--brokers") {
        assert!(log.read_line(&mut lines).expect("UTF-8") > 0, "ended: {lines}");
    }
    let kill = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(kill.success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).expect("UTF-8");
    let status = child.wait().expect("ends");
    // How often it tried until the signal came is not the same every time.
    lines.extend(rest.lines().filter(|line| line.contains(" INFO ")).flat_map(|l| [l, "\n"]));
    shown::assert_said("broker-away", place.dir.path(), status.code(), &lines);
}

#[test]
fn no_snapshot_is_pending_or_unused() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |name: &str| fs::read_to_string(tests.join(name)).expect("a file of tests");
    let names = read("mistakes.rs") + &read("kafka/mistakes.rs");
    let mut seen = 0;
    for entry in fs::read_dir(tests.join("snapshots")).expect("a folder of snapshots") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let test = name
            .strip_suffix(".snap")
            .unwrap_or_else(|| panic!("{name} is pending: look at it, and accept it or delete it"));
        assert!(names.contains(&format!("\"{test}\"")), "{name} is of no test");
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}
