//! What the command line, the variables and the file become.

mod contradictions;
mod documents;

use clap::{Args, Command, FromArgMatches};

use super::{
    keys::{Kind, SETTINGS},
    *,
};
use crate::{
    config::{
        ConfigError, Delivery, LogFormat, OnStateMismatch, OnTopicRecreated, OnUnreadableBatch,
        Problems, RunConfig, StartFrom, Surroundings,
    },
    event::{Field, TimestampStyle},
};

/// The definition of `run`.
fn definition() -> Command {
    RunArgs::augment_args(Command::new("run")).mut_args(|arg| arg.hide_env_values(true))
}

/// `line` begins with the program's name and `run`.
fn parsed(line: &[&str], variable: impl Fn(&str) -> Option<String>) -> (RunArgs, Given) {
    let mut matches = definition().try_get_matches_from(&line[1..]).expect("parses");
    let given = Given::new(&matches, variable);
    (RunArgs::from_arg_matches_mut(&mut matches).expect("fits the definition"), given)
}

/// The configuration of a line, for tests of what uses one.
pub(crate) fn of_line(line: &[&str]) -> RunConfig {
    checked(line, &[]).expect("right settings")
}

fn surroundings() -> Surroundings {
    Surroundings { home: Some("/home/u".into()), cores: 8, ..Surroundings::default() }
}

/// `run` with these arguments and the two names that are always needed.
fn configured(arguments: &[&str]) -> Result<RunConfig, ConfigError> {
    let fixed = ["logintide", "run", "--brokers", "b:9092"];
    checked(&[&fixed, arguments].concat(), &[])
}

fn checked(line: &[&str], variables: &[(&str, &str)]) -> Result<RunConfig, ConfigError> {
    loaded(line, variables).map(|loaded| loaded.config)
}

/// `line` with these variables; those of tables are read from here, others cannot be injected into
/// the parser and are given as flags that are marked as variables.
fn loaded(line: &[&str], variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
    };
    let (args, given) = parsed(line, variable);
    load(args, &given, &surroundings())
}

fn problem(arguments: &[&str]) -> String {
    configured(arguments).expect_err("a wrong setting").to_string()
}

#[test]
fn every_setting_has_the_variable_of_its_name() {
    let run = definition();
    let mut checked = 0;
    for arg in run.get_arguments() {
        let id = arg.get_id().as_str();
        if ["help", "version", "print_config"].contains(&id) {
            continue;
        }
        let variable = format!("LOGINTIDE_{}", id.to_ascii_uppercase());
        assert_eq!(arg.get_env().and_then(|v| v.to_str()), Some(variable.as_str()));
        assert!(arg.is_hide_env_values_set(), "{id}");
        assert!(arg.get_help_heading().is_some(), "{id}");
        // Also a key of a file, but for the file itself.
        assert!(id == "config" || SETTINGS.iter().any(|setting| setting.id == id), "{id}");
        checked += 1;
    }
    assert_eq!(checked, SETTINGS.len() + 1);
}

#[test]
fn every_setting_that_is_no_table_has_a_text() {
    let (args, _) = parsed(&["logintide", "run"], |_| None);
    let texts: Vec<_> = args.into_texts().into_iter().map(|(id, _)| id).collect();
    let settings = SETTINGS.iter().filter(|setting| setting.kind != Kind::Table);
    assert_eq!(texts, settings.map(|setting| setting.id).collect::<Vec<_>>());
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = configured(&[]).expect("defaults are right");
    assert_eq!(config.brokers, "b:9092");
    assert_eq!((config.group_id.as_str(), config.instance_id), ("logintide", None));
    assert_eq!(config.topics.input, "user-login");
    assert_eq!(config.topics.processed, "processed-logins");
    assert_eq!(config.topics.aggregated, "aggregated-usage");
    assert_eq!(config.topics.dead_letter, "user-login-dlq");
    assert_eq!(config.topics.late, "user-login-late");
    assert_eq!((config.workers, config.delivery), (6, Delivery::ExactlyOnce));
    let window = config.window;
    let rules = (window.size_ms, window.grace_ms, window.allowed_lateness_ms);
    assert_eq!(rules, (10_000, 7000, 300_000));
    assert_eq!(config.idle_timeout.as_secs(), 10);
    assert_eq!(config.commit_interval.as_millis(), 500);
    assert_eq!(config.start_from, StartFrom::Earliest);
    assert_eq!(config.state_dir.to_str(), Some("/home/u/.local/state/logintide/logintide"));
    assert_eq!(config.on_state_mismatch, OnStateMismatch::Rebuild);
    assert_eq!(config.on_topic_recreated, OnTopicRecreated::Fail);
    assert_eq!(config.on_unreadable_batch, OnUnreadableBatch::Fail);
    assert_eq!(config.memory.total, 256 << 20);
    assert_eq!(config.event.max_future_ms, 3_600_000);
    assert_eq!(config.event.timestamp_style, TimestampStyle::Naive);
    assert_eq!(config.event.timezone.iana_name(), Some("UTC"));
    assert_eq!(config.http.map(|a| a.to_string()).as_deref(), Some("127.0.0.1:9464"));
    assert!(config.http_token.is_none());
    assert_eq!(config.stats_interval.map(|d| d.as_secs()), Some(10));
    assert_eq!(config.log_format, LogFormat::Text);
    assert!(!config.create_topics && !config.exit_at_end && config.client_properties.is_empty());
}

#[test]
fn settings_reach_the_configuration() {
    let line = "--group-id g --instance-id i-1 --input-topic in --late-topic l --workers 3 \
        --window 1m --grace 0s --allowed-lateness 1h --idle-timeout 2s --commit-interval 1s \
        --start-from 2024-11-02T13:00:00Z --state-dir /s --on-state-mismatch fail \
        --on-topic-recreated begin \
        --memory-budget 64MiB --timezone Europe/Berlin --timestamp-style rfc3339 \
        --field user_id=sub,timestamp=iat --field ip=addr --max-future 0s --http off --exit-at-end \
        --stats-interval off --on-unreadable-batch skip --log-format json --create-topics \
        --partitions 12 --replication 3 \
        -X client.rack=b,c -X ssl.ca.location= --delivery at-least-once --stall-timeout 30s";
    let config = configured(&line.split_whitespace().collect::<Vec<_>>()).expect("right");
    assert_eq!((config.group_id.as_str(), config.instance_id.as_deref()), ("g", Some("i-1")));
    assert_eq!((config.topics.input.as_str(), config.topics.late.as_str()), ("in", "l"));
    assert_eq!(config.workers, 3);
    let window = config.window;
    let rules = (window.size_ms, window.grace_ms, window.allowed_lateness_ms);
    assert_eq!(rules, (60_000, 0, 3_600_000));
    assert_eq!((config.idle_timeout.as_secs(), config.commit_interval.as_secs()), (2, 1));
    assert_eq!(config.start_from, StartFrom::Time(1_730_552_400_000));
    assert_eq!(config.state_dir.to_str(), Some("/s"));
    assert_eq!(config.on_state_mismatch, OnStateMismatch::Fail);
    assert_eq!(config.on_topic_recreated, OnTopicRecreated::Begin);
    assert_eq!(config.on_unreadable_batch, OnUnreadableBatch::Skip);
    assert_eq!(config.memory.total, 64 << 20);
    let event = config.event;
    assert_eq!(event.timezone.iana_name(), Some("Europe/Berlin"));
    assert_eq!((event.timestamp_style, event.max_future_ms), (TimestampStyle::Rfc3339, 0));
    let fields = [Field::UserId, Field::Timestamp, Field::Ip, Field::Locale];
    assert_eq!(fields.map(|field| event.fields.get(field)), ["sub", "iat", "addr", "locale"]);
    assert_eq!(config.delivery, Delivery::AtLeastOnce);
    assert_eq!(config.stall_timeout.as_secs(), 30);
    assert_eq!((config.http, config.stats_interval), (None, None));
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(config.create_topics && config.exit_at_end);
    assert_eq!((config.new_topic_partitions, config.new_topic_replication), (Some(12), Some(3)));
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        *config.client_properties,
        [property("client.rack", "b,c"), property("ssl.ca.location", "")]
    );
}

#[test]
fn each_wrong_value_is_named_with_its_remedy() {
    for (flag, value, expected) in [
        ("--brokers", "a:1,", "holds an empty entry"),
        ("--group-id", "", "is empty"),
        ("--instance-id", "a b", "is no legal instance name"),
        ("--input-topic", "a b", "is no legal topic name"),
        ("--workers", "0", "is no number from 1 to 256"),
        ("--workers", "257", "is no number from 1 to 256"),
        ("--workers", "two", "is no number from 1 to 256"),
        ("--delivery", "maybe", "is no guarantee; use exactly-once or at-least-once"),
        ("--window", "10", "has no unit; write 10s"),
        ("--window", "500ms", "is below the smallest value of 1s; raise it"),
        ("--window", "1500ms", "is not a whole number of seconds; round it"),
        ("--window", "0s", "is below the smallest value of 1s; raise it"),
        ("--grace", "x", "is not a duration"),
        ("--grace", "6m", "is longer than --allowed-lateness 5m"),
        ("--allowed-lateness", "6s", "--grace 7s: is longer than --allowed-lateness 6s"),
        ("--idle-timeout", "99ms", "is below the smallest value of 100ms"),
        ("--max-future", "-1s", "is not a duration"),
        ("--commit-interval", "9ms", "is below the smallest value of 10ms"),
        ("--commit-interval", "61s", "is above the largest value of 60s"),
        ("--start-from", "yesterday", "is no start position"),
        ("--state-dir", "", "is empty; name a folder"),
        ("--on-state-mismatch", "panic", "is no reaction; use rebuild or fail"),
        ("--on-topic-recreated", "go on", "is no reaction; use fail or begin"),
        ("--on-unreadable-batch", "guess", "is no reaction; use fail or skip"),
        ("--stall-timeout", "4s", "is below the smallest value of 5s; raise it"),
        ("--commit-interval", "16s", "is above 15s, the most that a transaction may last"),
        ("--memory-budget", "31MiB", "is below the smallest budget of 32 MiB"),
        ("--memory-budget", "256", "has no unit; write 256MiB"),
        ("--timezone", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("--timestamp-style", "iso", "use naive or rfc3339"),
        ("--field", "user_id", "has no '='"),
        ("--field", "nobody=x", "there is no field `nobody`"),
        ("--field", "user_id=timestamp", "is already read as timestamp"),
        ("--http", "9464", "use IP:PORT"),
        ("--stats-interval", "10", "has no unit"),
        ("--stats-interval", "0s", "is below the smallest value of 1s"),
        ("--log-format", "xml", "use text or json"),
        ("--config", "/no/c.toml", "cannot be read: No such file or directory"),
        ("--partitions", "0", "is no number from 1 to 10000"),
        ("--replication", "x", "is no number from 1 to 100"),
        ("--create-topics", "perhaps", "is neither true nor false"),
        ("-X", "linger.ms", "has no '='"),
    ] {
        let fixed = ["logintide", "run"];
        let brokers: &[&str] = if flag == "--brokers" { &[] } else { &["--brokers", "b:1"] };
        // "=" keeps a value that begins with '-' a value.
        let setting = if flag == "-X" { format!("-X{value}") } else { format!("{flag}={value}") };
        let line = [&fixed, brokers, &[&setting]].concat();
        let text = checked(&line, &[]).expect_err(&setting).to_string();
        assert!(text.contains(flag) && text.contains(expected), "{setting}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        if !text.contains("is longer than") {
            let shown = if value.is_empty() { "\"\"" } else { value };
            assert!(text.starts_with(&format!("{flag} {shown}: ")), "{text}");
        }
    }
}

#[test]
fn a_topic_used_twice_names_both_settings() {
    assert_eq!(
        problem(&["--late-topic", "user-login"]),
        "--late-topic user-login: is also --input-topic; give each its own topic"
    );
}

#[test]
fn names_given_twice_are_refused() {
    let twice = problem(&["-Xretries=1", "-Xretries=2"]);
    assert_eq!(twice, "-X retries: is given twice; keep one");
    let twice = problem(&["--field", "ip=a", "--field", "ip=b"]);
    assert_eq!(twice, "--field ip: is given twice; keep one");
}

#[test]
fn a_secret_is_not_shown_in_a_message() {
    let text = problem(&["-X", "=hunter2", "-Xsasl.password=hunter2", "-Xsasl.password=hunter2"]);
    assert!(text.contains("-X sasl.password: is given twice"), "{text}");
    assert!(!text.contains("hunter2") && text.lines().count() == 3, "{text}");
}

#[test]
fn beyond_loopback_somebody_says_who_may_read() {
    for local in ["off", "127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(configured(&["--http", local]).is_ok(), "{local}");
    }
    let token = "0123456789abcdef";
    for remote in ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80"] {
        let text = problem(&["--http", remote]);
        assert!(text.starts_with(&format!("--http {remote}: is reachable from other")), "{text}");
        assert!(text.contains("LOGINTIDE_HTTP_TOKEN") && text.contains("--http-open"), "{text}");
        assert!(configured(&["--http", remote, "--http-open"]).is_ok());
        let config = configured(&["--http", remote, "--http-token", token]).expect("right");
        assert!(config.http_token.as_ref().is_some_and(|set| set.is(token.as_bytes())));
        assert!(!format!("{config:?}").contains(token), "a secret is not shown");
    }
    let both = problem(&["--http-token", token, "--http-open"]);
    assert_eq!(both, "--http-open and --http-token exclude each other; keep one");
    let short = problem(&["--http-token", "hunter2", "--http", "0.0.0.0:80"]);
    assert!(short.starts_with("--http-token is shorter than 16 characters"), "{short}");
    assert!(!short.contains("hunter2"), "{short}");
    let empty = problem(&["--http-token="]);
    assert!(empty.starts_with("--http-token is shorter than 16"), "{empty}");
}

#[test]
fn everything_that_is_wrong_is_reported_together() {
    let line = ["logintide", "run", "--window=10", "--grace=10m", "--workers=0", "--http=x"];
    let text = checked(&line, &[]).expect_err("five problems").to_string();
    assert_eq!(text.lines().next(), Some("5 settings are wrong"));
    for name in
        ["--brokers is missing", "--window 10:", "--grace 10m:", "--workers 0:", "--http x:"]
    {
        assert!(text.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {text}");
    }
}

#[test]
fn a_group_that_names_no_folder_needs_a_state_dir() {
    assert!(problem(&["--group-id", "a/b"]).contains("set --state-dir"));
    let config = configured(&["--group-id", "a/b", "--state-dir", "/s"]).expect("right");
    assert_eq!(config.group_id, "a/b");
}

const EXAMPLE: &str = include_str!("../../logintide.example.toml");

#[test]
fn the_default_workers_are_no_more_than_the_budget_holds() {
    for (flags, expected) in [(&[][..], 86), (&["--memory-budget=32MiB"], 6)] {
        let line = [&["logintide", "run", "--brokers=b:9092"], flags].concat();
        let (args, given) = parsed(&line, |_| None);
        let many = Surroundings { cores: 200, ..surroundings() };
        let loaded = load(args, &given, &many).expect("right");
        assert_eq!(loaded.config.workers, expected, "{flags:?}");
    }
}
