//! `logintide demo` as a stranger meets it: no broker, nothing installed, nothing left behind.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

/// Moves the cursor up, as a block that is drawn again does.
const UP: &str = "\u{1b}[";

/// How long a demo of a second or two may take on a slow machine before a test gives up.
const PATIENCE: Duration = Duration::from_mins(2);

/// A demo whose temporary folder is made in `tmp`, with nothing of this machine's settings.
fn demo(tmp: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
    command.arg("demo").args(arguments);
    bare(&mut command, tmp);
    command
}

/// The same on a pseudo terminal of the type `term`.
fn demo_on_terminal(tmp: &Path, term: &str, arguments: &[&str]) -> Command {
    let line = format!("{} demo {}", env!("CARGO_BIN_EXE_logintide"), arguments.join(" "));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    bare(&mut command, tmp);
    command.env("TERM", term).env("LANG", "C.UTF-8");
    command
}

fn bare(command: &mut Command, tmp: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("TMPDIR", tmp).env("SHELL", "/bin/sh");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What a child writes and how it ends; killed when it takes too long.
fn ended(child: Child) -> (Output, String) {
    let pid = child.id().to_string();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let killer = thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE).is_err() {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    });
    let output = child.wait_with_output().expect("it ends");
    // The killer may have given up already.
    let _ = done.send(());
    killer.join().expect("no panic");
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    (output, text)
}

fn folders(tmp: &Path) -> Vec<PathBuf> {
    fs::read_dir(tmp).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

/// The audit's lines of a demo that was fine.
fn assert_audit(output: &Output, text: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    for part in [
        "generated - processed - dead-lettered - tombstones = 0",
        "windows recounted from the input",
        "latency of the last minute, append to commit: p50",
        "p99.9",
        "memory at most",
        "verified: nothing missing, doubled or wrong",
        "logintide run --brokers localhost:9092",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(errors, "");
}

/// The number behind a word of the audit.
fn count(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.trim_start().starts_with(name)).expect("a line");
    let digits: String = line.trim_start()[name.len()..]
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ' ')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("a number")
}

fn metrics_address(text: &str) -> &str {
    let from = text.find("http://").expect("an address");
    text[from..].split_whitespace().next().expect("an address").trim_end_matches(';')
}

#[test]
fn two_at_once_end_with_their_audits_and_leave_nothing() {
    let tmp = temporary();
    let flags = ["--duration", "2s", "--window", "1s", "--rate", "1000"];
    let start = || demo(tmp.path(), &flags).spawn().expect("it starts");
    let children = [start(), start()];
    let texts = children.map(|child| {
        let (output, text) = ended(child);
        assert_audit(&output, &text);
        assert_eq!(count(&text, "generated"), 2_000, "{text}");
        assert!(count(&text, "dead-lettered") > 0, "{text}");
        assert!(!text.contains('\u{1b}'), "without a terminal there are only lines: {text}");
        assert!(text.contains("embedded broker without transactions"), "{text}");
        text
    });
    assert_ne!(metrics_address(&texts[0]), metrics_address(&texts[1]));
    assert_eq!(folders(tmp.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_terminal_gets_one_block_that_is_drawn_again() {
    let tmp = temporary();
    let flags = ["--duration", "2s", "--window", "1s", "--rate", "500"];
    let child = demo_on_terminal(tmp.path(), "xterm-256color", &flags).spawn().expect("script");
    let (output, text) = ended(child);
    assert_audit(&output, &text);
    let lines_up = |part: &str| {
        let (number, _) = part.split_once('A')?;
        number.parse::<u32>().ok()
    };
    let moves: Vec<u32> = text.split(UP).filter_map(lines_up).collect();
    assert!(moves.len() >= 4, "{moves:?}");
    assert!(moves.iter().all(|lines| (10..24).contains(lines)), "{moves:?}");
    for part in
        ["locations", "dead letters", "windows", "http://127.0.0.1:", "without transactions", "█"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.ends_with("--create-topics\r\n\u{1b}[?25h"), "the cursor is shown again: {text}");
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let tmp = temporary();
    let flags = ["--duration", "1s", "--window", "1s", "--rate", "300"];
    let child = demo_on_terminal(tmp.path(), "dumb", &flags).spawn().expect("script");
    let (output, text) = ended(child);
    assert_audit(&output, &text);
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn what_a_killed_demo_left_goes_at_the_next_start_and_a_signal_brings_the_audit() {
    let tmp = temporary();
    let long = ["--duration", "500s", "--window", "1s", "--rate", "100"];
    let mut killed = demo(tmp.path(), &long).spawn().expect("it starts");
    first_line(&mut killed);
    killed.kill().expect("SIGKILL");
    killed.wait().expect("it ends");
    let left = folders(tmp.path());
    assert_eq!(left.len(), 1, "{left:?}");

    let mut next = demo(tmp.path(), &long).spawn().expect("it starts");
    let mut out = first_line(&mut next);
    let now = folders(tmp.path());
    assert!(now.len() == 1 && now != left, "{now:?} after {left:?}");
    let mut text = String::new();
    while !text.contains("/s, ") {
        assert!(out.read_line(&mut text).expect("UTF-8") > 0, "{text}");
    }
    let pid = next.id().to_string();
    // The first two change nothing.
    for signal in ["-USR1", "-USR2", "-INT"] {
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }
    out.read_to_string(&mut text).expect("UTF-8");
    let output = next.wait_with_output().expect("it ends");
    assert_audit(&output, &text);
    assert!(count(&text, "generated") < 50_000, "{text}");
    assert_eq!(folders(tmp.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_second_signal_leaves_at_once_and_leaves_nothing() {
    let tmp = temporary();
    // The last window of these would close ten minutes later.
    let long = ["--duration", "500s", "--window", "600s", "--rate", "100"];
    let mut child = demo(tmp.path(), &long).spawn().expect("it starts");
    let mut out = first_line(&mut child);
    let mut text = String::new();
    while !text.contains("/s, ") {
        assert!(out.read_line(&mut text).expect("UTF-8") > 0, "{text}");
    }
    let pid = child.id().to_string();
    let interrupt = || Command::new("kill").args(["-INT", &pid]).status().expect("kill");
    assert!(interrupt().success());
    while !text.contains("finishing") {
        assert!(out.read_line(&mut text).expect("UTF-8") > 0, "{text}");
    }
    assert!(interrupt().success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    assert_eq!(folders(tmp.path()), Vec::<PathBuf>::new());
}

fn first_line(child: &mut Child) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("UTF-8");
    assert!(line.contains("logintide demo"), "{line}");
    out
}

#[test]
fn wrong_settings_are_refused_before_anything_begins() {
    let tmp = temporary();
    for (flags, expected) in [
        (
            ["--rate", "0"],
            "error: invalid value '0' for '--rate': expected a whole number from 1 to 50000\n",
        ),
        (
            ["--duration", "60"],
            "error: invalid value '60' for '--duration': expected a duration such as 60ms, 60s or 60m\n",
        ),
        (
            ["--window", "1500ms"],
            "error: invalid value '1500ms' for '--window': expected a whole number of seconds",
        ),
        (["--duration", "1h"], "error: invalid value '1h' for '--duration': expected at most "),
        (["--brokers", "b:1"], "error: unexpected argument '--brokers' found\n"),
    ] {
        let output = demo(tmp.path(), &flags).output().expect("it starts");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(text.starts_with(expected), "{text}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
    }
    assert_eq!(folders(tmp.path()), Vec::<PathBuf>::new());
    let missing = tmp.path().join("missing");
    let output = demo(&missing, &[]).output().expect("it starts");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(text.contains("set TMPDIR to a writable folder"), "{text}");
    assert_eq!(output.status.code(), Some(2), "{text}");
}
