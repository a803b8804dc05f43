//! Files of settings, and what `--print-config` makes of them, as a user meets them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A folder with one file of settings, and runs of the program with it.
struct Settings {
    dir: tempfile::TempDir,
}

impl Settings {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("c.toml"), text).expect("writable");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `run --print-config` in the folder, with these variables.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
        command.args(["run", "--config", "c.toml", "--print-config"]).args(arguments);
        command.env_clear().env("HOME", "/nonexistent").envs(variables.iter().copied());
        command.current_dir(&self.dir).stdin(Stdio::null()).output().expect("the program starts")
    }

    /// What is printed when everything is right.
    fn printed(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(arguments, variables);
        let problems = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{problems}");
        assert_eq!(problems, "");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The problems; nothing is printed then.
    fn refused(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(arguments, variables);
        let problems = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{problems}");
        assert!(output.stdout.is_empty(), "{problems}");
        problems
    }
}

/// Printed lines without where they come from.
fn values(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| line.split("  # ").next().unwrap_or(line)).collect()
}

const FILE: &str = "\
brokers = \"b:9092\"
grace = \"1m\"
window = \"20s\"
workers = 3
create-topics = true
state-dir = \"/s\"

[field]
user_id = \"sub\"
ip = \"addr\"

[client]
security.protocol = \"ssl\"
ssl.key.password = \"hunter2\"
retries = 3
";

#[test]
fn check_config_prints_the_same_settings_as_run() {
    let settings = Settings::new(FILE);
    let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
    command.args(["check-config", "--config", "c.toml", "--print-config"]);
    command.env_clear().env("HOME", "/nonexistent").current_dir(&settings.dir);
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), settings.printed(&[], &[]));
}

#[test]
fn a_variable_beats_the_file_and_a_flag_beats_both() {
    let settings = Settings::new(FILE);
    let printed = settings.printed(
        &["--window", "1m", "--create-topics=false", "-X", "retries=5", "--field", "locale=loc"],
        &[
            ("LOGINTIDE_WINDOW", "30s"),
            ("LOGINTIDE_GRACE", "2m"),
            ("LOGINTIDE_CLIENT_PROPERTIES", "retries=4\nlinger.ms=3\n"),
            ("LOGINTIDE_FIELD", "ip=address"),
        ],
    );
    for line in [
        "brokers = \"b:9092\"  # file c.toml:1",
        "grace = \"2m\"  # variable LOGINTIDE_GRACE",
        "window = \"1m\"  # flag --window",
        "workers = 3  # file c.toml:4",
        "create-topics = false  # flag --create-topics",
        "idle-timeout = \"10s\"  # default",
        "journal-topic = \"logintide-journal\"  # default",
        "# partitions is not set; what holds: as many as the input has, else 8",
        "user_id = \"sub\"  # file c.toml:9",
        "ip = \"address\"  # variable LOGINTIDE_FIELD",
        "locale = \"loc\"  # flag --field",
        "\"security.protocol\" = \"ssl\"  # file c.toml:13",
        "\"linger.ms\" = \"3\"  # variable LOGINTIDE_CLIENT_PROPERTIES",
        "\"retries\" = \"5\"  # flag -X",
        "# \"ssl.key.password\" is secret and not shown  # file c.toml:14",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
    }
    let is_id =
        |line: &str| line.starts_with("instance-id = \"") && line.ends_with("\"  # default");
    assert!(printed.lines().any(is_id), "{printed}");
    assert!(!printed.contains("hunter2") && !printed.contains("retries\" = \"4"), "{printed}");
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let settings = Settings::new(FILE);
    let flags =
        ["--start-from", "2024-11-02T13:00:00Z", "--http", "off", "-X", "client.rack=a  \"b\"\\"];
    let first = settings.printed(&flags, &[]);
    fs::write(settings.path("c.toml"), &first).expect("writable");
    let second = settings.printed(&[], &[]);
    // The secret is in no file that was printed.
    let without_secret: Vec<_> =
        values(&first).into_iter().filter(|line| !line.contains("ssl.key.password")).collect();
    assert_eq!(values(&second), without_secret);
    assert!(second.contains("client.rack") && second.contains("http = \"off\"  # file c.toml:"));
}

#[test]
fn a_file_named_by_a_variable_is_read() {
    let settings = Settings::new("window = 1");
    let file = settings.path("c.toml");
    let run = |variable: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
        command.args(["run", "--brokers", "b:1"]).env_clear().env("HOME", "/nonexistent");
        let output =
            command.env("LOGINTIDE_CONFIG", variable).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let text = run(&file);
    let expected = format!(
        "error: invalid value for 'window' ({}:1): expected a text; write window",
        file.display()
    );
    assert!(text.starts_with(&expected), "{text}");
    let text = run(Path::new("/no/such.toml"));
    let expected = "error: invalid value '/no/such.toml' for 'LOGINTIDE_CONFIG': expected a \
                    readable file: No such file or directory (os error 2)\n";
    assert_eq!(text, expected);
}

#[test]
fn problems_of_file_variables_and_flags_come_together_each_by_its_name() {
    let settings = Settings::new(
        "brokers = \"b:1\"\nwimdow = \"1s\"\ngrace = \"6m\"\n\
         [field]\nip = \"\"\n[client]\nsasl.password.file = \"/no/secret\"\n",
    );
    let text = settings.refused(&["--workers", "0", "-Xlinger.ms"], &[("LOGINTIDE_HTTP", "9464")]);
    assert!(text.starts_with("error: 7 settings are wrong\n"), "{text}");
    for line in [
        "unexpected key 'wimdow' (c.toml:2); did you mean 'window'?",
        "invalid value '6m' for 'grace' (c.toml:3): expected at most --allowed-lateness 5m; ",
        "invalid value '' for '[field] ip' (c.toml:5): a field name has 1 to 48 bytes",
        "invalid value '/no/secret' for '[client] sasl.password.file' (c.toml:7): expected a readable",
        "invalid value '0' for '--workers': expected a whole number from 1 to 256",
        "invalid value 'linger.ms' for '-X': expected name=value",
        "invalid value '9464' for 'LOGINTIDE_HTTP': expected IP:PORT",
    ] {
        let found = text.lines().any(|printed| printed.trim_start().starts_with(line));
        assert!(found, "{line} is not in\n{text}");
    }
}

#[test]
fn a_secret_from_a_file_is_used_and_never_shown() {
    let settings = Settings::new("brokers = \"b:1\"\n[client]\nsasl.password = \"of-file\"\n");
    fs::write(settings.path("secret"), "hunter2\n").expect("writable");
    let printed = settings.printed(&["-X", "sasl.password.file=secret"], &[]);
    // The higher layer's file stands for the property of the lower one.
    assert!(printed.contains("\"sasl.password.file\" = \"secret\"  # flag -X"), "{printed}");
    assert!(!printed.contains("hunter2") && !printed.contains("of-file"), "{printed}");
    fs::write(settings.path("secret"), "\n").expect("writable");
    let text = settings.refused(&["-X", "sasl.password.file=secret"], &[]);
    let expected = "error: invalid value 'secret' for '-X sasl.password.file': expected a file with \
                    the secret, but it is empty\n";
    assert_eq!(text, expected);
    fs::write(settings.path("secret"), "hunter2\n").expect("writable");
    let twice = ["-X", "sasl.password.file=secret", "-X", "sasl.password=hunter2"];
    let text = settings.refused(&twice, &[]);
    assert_eq!(text, "error: '-X sasl.password' is given twice; keep one\n");
}
