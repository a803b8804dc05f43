//! The program's command line as a user meets it: exit codes, messages, help.

use std::{
    io::{BufRead, BufReader, Lines},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, ChildStderr, Command, Output, Stdio},
};

/// The program with nothing of this machine's settings in its environment.
fn logintide(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// `run` that would never find a broker, should its settings be accepted by mistake.
fn run(arguments: &[&str]) -> Command {
    let mut command = logintide(&["run", "--brokers", "127.0.0.1:1"]);
    command.args(arguments);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the program starts")
}

/// Standard error of a command that must be refused with exit code 2 and nothing else said.
fn refused(command: Command) -> String {
    let output = output(command);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty());
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
    text
}

/// Standard output of a command that must succeed.
fn accepted(command: Command) -> String {
    let output = output(command);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn version_is_the_packages_with_the_commit_and_the_librdkafka() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(accepted(logintide(&["-V"])), format!("logintide {version}\n"));
    let text = accepted(logintide(&["--version"]));
    let librdkafka = logintide::kafka::librdkafka_version();
    let rest = text.strip_prefix(&format!("logintide {version} (commit ")).expect(&text);
    let commit = rest.strip_suffix(&format!(", librdkafka {librdkafka})\n")).expect(&text);
    let is_hash = commit.len() >= 7 && commit.chars().all(|c| c.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown", "{text}");
    assert_eq!(
        accepted(logintide(&["state", "show", "-V"])),
        format!("logintide-state-show {version}\n")
    );
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let script = accepted(logintide(&["completions", "bash"]));
    assert!(script.contains("_logintide()") && script.contains("--commit-interval"), "{script}");
    assert!(refused(logintide(&["completions", "cmd"])).contains("bash"));
    let page = accepted(logintide(&["man", "state", "show"]));
    assert!(page.contains(".TH logintide-state-show 1"), "{page}");
    assert!(
        refused(logintide(&["man", "shaw"])).starts_with("error: man shaw: there is no command")
    );
}

#[test]
fn help_names_commands_exit_codes_and_groups() {
    let text = accepted(logintide(&["--help"]));
    for part in [
        "run",
        "check-config",
        "redrive",
        "state",
        "cluster",
        "Exit codes: 0 clean, 1 failure while running, 2 usage",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut help = logintide(&["run", "--help"]);
    help.env("LOGINTIDE_CLIENT_PROPERTIES", "sasl.password=hunter2");
    let text = accepted(help);
    for part in [
        "\nKafka:",
        "\nTopics:",
        "\nWindows:",
        "\nEvents:",
        "\nState:",
        "\nOperation:",
        "Examples:",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("[default: 10s]") && text.contains("LOGINTIDE_BROKERS"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn without_a_command_the_help_comes_with_exit_code_2() {
    assert!(refused(logintide(&[])).contains("Usage: logintide"));
}

#[test]
fn an_unknown_flag_or_command_is_refused() {
    assert!(refused(run(&["--wimdow", "10s"])).contains("--window"));
    assert!(refused(logintide(&["rum"])).contains("rum"));
}

#[test]
fn missing_brokers_are_named() {
    let text = refused(logintide(&["run"]));
    let expected = "error: missing value for '--brokers': expected HOST:PORT, for example \
                    localhost:9092; set the flag or LOGINTIDE_BROKERS\n";
    assert_eq!(text, expected);
}

#[test]
fn contradictions_are_named_together() {
    let text = refused(run(&[
        "--grace",
        "10m",
        "--late-topic",
        "user-login",
        "--workers",
        "0",
        "--memory-budget",
        "8MiB",
        "-X",
        "group.id=x",
        "-X",
        "message.timeout.ms=40000",
    ]));
    assert!(text.starts_with("error: 6 settings are wrong\n"), "{text}");
    for part in [
        "invalid value '10m' for '--grace': expected at most --allowed-lateness 5m",
        "invalid value 'user-login' for '--late-topic': expected another topic than '--input-topic'",
        "invalid value '0' for '--workers': expected a whole number from 1 to 256",
        "invalid value '8MiB' for '--memory-budget': expected at least 32MiB",
        "invalid value 'x' for '-X group.id': this property cannot be set; use --group-id",
        "-X message.timeout.ms=40000 is above transaction.timeout.ms=30000",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_number_without_a_unit_is_refused() {
    let text = refused(run(&["--window", "10"]));
    let expected = "error: invalid value '10' for '--window': expected a duration such as 10ms, 10s \
                    or 10m\n";
    assert_eq!(text, expected);
}

#[test]
fn an_unknown_time_zone_brings_the_nearest() {
    let text = refused(run(&["--timezone", "Europe/Berln"]));
    let expected = "error: invalid value 'Europe/Berln' for '--timezone': expected an IANA time \
                    zone name; did you mean Europe/Berlin?\n";
    assert_eq!(text, expected);
}

#[test]
fn a_wrong_variable_is_named_and_a_flag_beats_it() {
    let mut from_variable = run(&[]);
    from_variable.env("LOGINTIDE_WINDOW", "10");
    let text = refused(from_variable);
    assert!(text.starts_with("error: invalid value '10' for 'LOGINTIDE_WINDOW': "), "{text}");

    let mut both = run(&["--window", "20"]);
    both.env("LOGINTIDE_WINDOW", "10s");
    let text = refused(both);
    assert!(text.starts_with("error: invalid value '20' for '--window': "), "{text}");

    let mut flag = run(&[]);
    flag.env("LOGINTIDE_CREATE_TOPICS", "perhaps");
    let text = refused(flag);
    let expected = "error: invalid value 'perhaps' for 'LOGINTIDE_CREATE_TOPICS': expected true or";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_wrong_log_filter_is_refused() {
    let mut command = run(&[]);
    command.env("LOGINTIDE_LOG", "logintide=loudly");
    let text = refused(command);
    assert!(text.starts_with("error: LOGINTIDE_LOG logintide=loudly: "), "{text}");
}

#[test]
fn a_taken_port_ends_the_start() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = taken.local_addr().expect("is bound").to_string();
    let text = refused(run(&["--http", &address]));
    let expected =
        format!("--http {address}: another process has this port; choose another, or --http off\n");
    assert!(text.ends_with(&expected) && text.lines().count() == 1, "{text}");
}

#[test]
fn state_commands_refuse_a_folder_without_a_copy() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir_text = dir.path().to_str().expect("UTF-8");
    for action in [["show", "--offline"], ["reset", "--yes"]] {
        let [action, flag] = action;
        let text = refused(logintide(&["state", action, flag, "--state-dir", dir_text]));
        let expected = "there is no local copy of a journal in";
        assert_eq!(text, format!("error: {expected} {dir_text} (--state-dir)\n"));
    }
    assert_eq!(dir.path().read_dir().expect("readable").count(), 0, "nothing was created");
    let text = refused(logintide(&["state", "show", "--offline", "--group-id", "a/b"]));
    assert!(text.contains("the group 'a/b' cannot name a state folder"), "{text}");
}

#[test]
fn state_commands_name_what_they_need() {
    for arguments in [&["show"][..], &["reset", "--journal", "--yes"]] {
        let text = refused(logintide(&[&["state"], arguments].concat()));
        assert!(text.contains("missing value for '--brokers'"), "{text}");
    }
    for arguments in [&["reset"][..], &["reset", "--journal", "--brokers", "127.0.0.1:1"]] {
        let text = refused(logintide(&[&["state"], arguments].concat()));
        assert!(text.contains("its input is not a terminal; add --yes"), "{text}");
    }
}

#[test]
fn a_stop_while_the_broker_is_away_is_clean_and_logged_as_json() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut command = run(&["--http", "127.0.0.1:0", "--log-format", "json", "--state-dir"]);
    command.arg(dir.path()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut lines = Vec::new();
    // The first line comes after the signal handler and says that no broker answers.
    lines.push(log.next().expect("a line about the broker").expect("UTF-8"));
    terminate(&child);
    lines.extend(log.map(|line| line.expect("UTF-8")));
    let status = child.wait().expect("ends");
    assert_eq!(status.code(), Some(0), "{lines:?}");
    assert!(lines[0].contains("127.0.0.1:1"), "{lines:?}");
    for line in &lines {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(event["level"].is_string() && event["message"].is_string(), "{line}");
    }
    assert!(Path::new(dir.path()).read_dir().expect("readable").next().is_none());
}

#[test]
fn cluster_names_what_is_wrong_with_its_address() {
    for (flags, expected) in [
        (&["--url", "h:9464"][..], "invalid value 'h:9464' for '--url': expected an address"),
        (&["--url", "https://h:9464"], "an instance speaks plain HTTP"),
        (&["--url", "http://h:9464", "--http-token", "short"], "'--http-token'"),
        (&[], "missing value for '--brokers'"),
    ] {
        let text = refused(logintide(&[&["cluster"], flags].concat()));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn commands_name_the_address_at_which_nobody_answers() {
    let commands = [
        &["redrive", "--all"][..],
        &["state", "show"],
        &["state", "reset", "--journal"],
        &["cluster"],
    ];
    let children = commands.map(|arguments| {
        let mut command = logintide(arguments);
        command.args(["--brokers", "127.0.0.1:1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        if arguments.contains(&"reset") {
            command.arg("--yes");
        }
        command.spawn().expect("the program starts")
    });
    for child in children {
        let output = child.wait_with_output().expect("ends");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("no answer from 127.0.0.1:1 (--brokers) within 10s"), "{text}");
    }
}

fn terminate(child: &Child) {
    send(child, "-TERM");
}

fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
    assert!(status.success(), "{signal}");
}

/// A run that waits for a broker, with signals as this flag of `env` says; and its log behind the
/// first line, which comes after the signal handler.
fn waiting(signals: &str, dir: &Path) -> (Child, Lines<BufReader<ChildStderr>>) {
    let program = run(&["--http", "off", "--state-dir"]);
    let mut command = Command::new("/usr/bin/env");
    command.arg(signals).arg(program.get_program()).args(program.get_args()).arg(dir).env_clear();
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    log.next().expect("a line about the broker").expect("UTF-8");
    (child, log)
}

#[test]
fn each_of_the_signals_that_ask_for_a_stop_ends_it_in_order() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // These tests may run under `nohup` themselves.
        let (mut child, log) = waiting("--default-signal=HUP", dir.path());
        send(&child, signal);
        let log: Vec<_> = log.map(|line| line.expect("UTF-8")).collect();
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{signal}: {log:?}");
        assert!(log.iter().any(|line| line.contains("finishing the open epoch")), "{log:?}");
    }
}

#[test]
fn a_user_signal_has_it_say_what_it_does_and_an_ignored_hangup_stays_ignored() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    // As `nohup` does.
    let (mut child, mut log) = waiting("--ignore-signal=HUP", dir.path());
    for signal in ["-USR1", "-USR2"] {
        send(&child, "-HUP");
        send(&child, signal);
        let line = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("signal")));
        let line = line.expect("a line").expect("UTF-8");
        assert!(line.contains("source: 0 turns") && line.contains("worker-0: "), "{line}");
    }
    terminate(&child);
    log.for_each(drop);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[test]
fn a_check_of_wrong_settings_names_them_and_asks_nobody() {
    let text = refused(logintide(&["check-config", "--workers", "0", "--window", "10"]));
    assert!(text.starts_with("error: 3 settings are wrong\n"), "{text}");
    assert!(text.contains("missing value for '--brokers'"), "{text}");
    assert!(text.contains("nothing else was checked"), "{text}");
    let text = refused(logintide(&["check-config", "--sample", "10001", "--brokers", "b:9092"]));
    let expected = "error: invalid value '10001' for '--sample <N>': expected a whole number from 1 \
                    to 10000\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_redrive_needs_a_selection_and_names_what_is_wrong_with_it() {
    let text = refused(logintide(&["redrive", "--brokers", "b:9092"]));
    assert!(text.contains("--reason") && text.contains("--all"), "{text}");
    let both = ["redrive", "--brokers", "b:9092", "--all", "--reason", "empty"];
    assert!(refused(logintide(&both)).contains("--reason"));
    let wrong = ["--reason", "notjson", "--rate", "5", "--from", "noon", "--max-redrives", "0"];
    let text =
        refused(logintide(&[["redrive", "--brokers", "b:9092"].as_slice(), &wrong].concat()));
    for part in [
        "4 settings are wrong",
        "invalid value 'notjson' for '--reason': expected empty, too_large,",
        "invalid value '5' for '--rate': expected a rate such as 500/s",
        "invalid value 'noon' for '--from': expected a time with its offset",
        "invalid value '0' for '--max-redrives': expected a whole number from 1 to 255",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let property = "sasl.password.file=/nonexistent/secret";
    let text = refused(logintide(&["redrive", "--brokers", "b:9092", "--all", "-X", property]));
    let expected = "invalid value '/nonexistent/secret' for '-X sasl.password.file': expected a";
    assert!(text.contains(expected), "{text}");
}

/// `logintide run 2>&1 | head` closes it.
#[test]
fn a_closed_stderr_ends_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = run(&["--http", "off", "--state-dir"])
        .arg(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("logintide starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    log.read_line(&mut String::new()).expect("it says that no broker answers");
    drop(log);
    // What it says of its stop goes nowhere, and the stop is in order.
    terminate(&child);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}
