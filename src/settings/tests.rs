//! What the command line, the variables and the file become.

mod contradictions;
mod users;

use clap::{Args, Command, FromArgMatches, ValueEnum};

use super::{row::OfUsers, *};
use crate::{
    config::{
        Delivery, LogFormat, OnTopicRecreated, OnUnreadableBatch, StartFrom, possible_values,
    },
    event::{Field, TimestampStyle},
    topics::Topic,
};

/// The definition of `run`.
fn definition() -> Command {
    RunArgs::augment_args(Command::new("run"))
}

/// The configuration of a line, for tests of what uses one.
pub(crate) fn of_line(line: &[&str]) -> RunConfig {
    checked(line, &[]).expect("right settings")
}

fn surroundings() -> Surroundings {
    Surroundings {
        home: Some("/home/u".into()),
        host: "host-1".into(),
        current_dir: "/work".into(),
        cores: 8,
        ..Surroundings::default()
    }
}

/// `run` with these arguments and the two names that are always needed.
fn configured(arguments: &[&str]) -> Result<RunConfig, ConfigError> {
    let fixed = ["logintide", "run", "--brokers", "b:9092"];
    checked(&[&fixed, arguments].concat(), &[])
}

fn checked(line: &[&str], variables: &[(&str, &str)]) -> Result<RunConfig, ConfigError> {
    loaded(line, variables).map(|loaded| loaded.config)
}

/// `line` begins with the program's name and `run`.
fn loaded(line: &[&str], variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    loaded_on(line, variables, &surroundings())
}

fn loaded_on(
    line: &[&str],
    variables: &[(&str, &str)],
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigError> {
    let matches = definition().try_get_matches_from(&line[1..]).expect("parses");
    let args = RunArgs::from_arg_matches(&matches).expect("fits the definition");
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
    };
    load(&args.settings, &variable, surroundings, counting)
}

fn problem(arguments: &[&str]) -> String {
    configured(arguments).expect_err("a wrong setting").to_string()
}

#[test]
fn every_setting_has_the_variable_of_its_name_a_heading_and_a_text() {
    let run = definition();
    let users = UsersArgs::augment_args(Command::new("users"));
    let mut names = std::collections::BTreeSet::new();
    for setting in t::all() {
        let spec = setting.spec();
        let run = if spec.of_users == OfUsers::Only { &users } else { &run };
        let variable = format!("LOGINTIDE_{}", spec.name.replace('-', "_").to_ascii_uppercase());
        let arg = run.get_arguments().find(|arg| arg.get_id() == spec.name).expect(spec.name);
        assert_eq!(arg.get_env().and_then(|v| v.to_str()), Some(variable.as_str()));
        assert!(arg.is_hide_env_values_set() && arg.get_help_heading().is_some(), "{setting:?}");
        assert!(!spec.help.is_empty() && !spec.help.ends_with('.'), "{setting:?}");
        assert!(names.insert(spec.key()), "{setting:?}");
        // Of what is not given the example is right, else the default.
        if !spec.is_table() {
            assert_eq!(setting.check(spec.sample()), Ok(()), "{setting:?}");
        }
    }
}

#[test]
fn help_and_completions_list_the_words_of_a_setting() {
    let run = definition();
    let words = |name: &str| -> Vec<String> {
        let arg = run.get_arguments().find(|arg| arg.get_id() == name).expect(name);
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
    };
    assert_eq!(words("delivery"), ["exactly-once", "at-least-once"]);
    assert_eq!(words("timestamp-style"), ["naive", "rfc3339"]);
    assert_eq!(words("window"), Vec::<String>::new());
    let all = Delivery::value_variants().len();
    assert_eq!(possible_values::<Delivery>().len(), all);
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = configured(&[]).expect("defaults are right");
    assert_eq!(config.brokers, "b:9092");
    assert_eq!(config.group_id, "logintide");
    assert_eq!(config.instance_id.as_str(), "host-1-0b075506");
    let names = [
        "user-login",
        "processed-logins",
        "aggregated-usage",
        "user-login-dlq",
        "user-login-late",
        "logintide-journal",
    ];
    assert_eq!(config.topics.values().collect::<Vec<_>>(), names);
    assert_eq!((config.workers, config.delivery), (6, Delivery::ExactlyOnce));
    let window = config.window;
    let rules = (window.size_ms, window.grace_ms, window.allowed_lateness_ms);
    assert_eq!(rules, (10_000, 7000, 300_000));
    assert_eq!(config.idle_timeout.as_secs(), 10);
    assert_eq!(config.commit_interval.as_millis(), 500);
    assert_eq!(config.timing.session().as_secs(), 10);
    assert_eq!(config.start_from, StartFrom::Earliest);
    assert_eq!(config.state_dir.to_str(), Some("/home/u/.local/state/logintide/logintide"));
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
    assert!(!config.create_topics && !config.exit_at_end && !config.leave_on_stop);
    assert!(config.client_properties.is_empty());
}

#[test]
fn settings_reach_the_configuration() {
    let line = "--group-id g --instance-id i-1 --input-topic in --late-topic l --workers 3 \
        --window 1m --grace 0s --allowed-lateness 1h --idle-timeout 2s --commit-interval 1s \
        --start-from 2024-11-02T13:00:00Z --state-dir /s --session-timeout 20s \
        --on-topic-recreated begin --leave-on-stop \
        --memory-budget 64MiB --timezone Europe/Berlin --timestamp-style rfc3339 \
        --field user_id=sub,timestamp=iat --field ip=addr --max-future 0s --http off --exit-at-end \
        --stats-interval off --on-unreadable-batch skip --log-format json --create-topics \
        --partitions 12 --replication 3 \
        -X client.rack=b,c -X ssl.ca.location= --delivery at-least-once --stall-timeout 30s";
    let config = configured(&line.split_whitespace().collect::<Vec<_>>()).expect("right");
    assert_eq!((config.group_id.as_str(), config.instance_id.as_str()), ("g", "i-1"));
    let names = ["in", "processed-logins", "aggregated-usage", "user-login-dlq", "l", "g-journal"];
    assert_eq!(config.topics.values().collect::<Vec<_>>(), names);
    assert_eq!(config.workers, 3);
    let window = config.window;
    let rules = (window.size_ms, window.grace_ms, window.allowed_lateness_ms);
    assert_eq!(rules, (60_000, 0, 3_600_000));
    assert_eq!((config.idle_timeout.as_secs(), config.commit_interval.as_secs()), (2, 1));
    assert_eq!(config.timing.session().as_secs(), 20);
    assert_eq!(config.start_from, StartFrom::Time(1_730_552_400_000));
    assert_eq!(config.state_dir.to_str(), Some("/s"));
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
    assert!(config.create_topics && config.exit_at_end && config.leave_on_stop);
    assert_eq!((config.new_topic_partitions, config.new_topic_replication), (Some(12), Some(3)));
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        *config.client_properties,
        [property("client.rack", "b,c"), property("ssl.ca.location", "")]
    );
}

#[test]
fn the_journal_has_the_name_of_its_group_unless_it_is_given_one() {
    let given = ["--group-id", "g", "--journal-topic", "j"];
    assert_eq!(configured(&given).expect("right").topics[Topic::Journal], "j");
    let expected = "invalid value 'two words-journal' for '--journal-topic': expected a name of \
                    letters, digits, '.', '_' and '-', but found ' '; the default is made of \
                    --group-id, so give --journal-topic a value";
    assert!(problem(&["--group-id", "two words"]).contains(expected));
    let text = problem(&["--group-id", "g", "--late-topic", "g-journal"]);
    assert!(
        text.contains("'--journal-topic': expected another topic than '--late-topic' has"),
        "{text}"
    );
    // A wrong name that was given is not made of the group's.
    let text = problem(&["--group-id", "two words", "--journal-topic", "a b"]);
    assert!(text.ends_with("but found ' '"), "{text}");
}

#[test]
fn a_relative_state_folder_names_the_same_instance_as_its_absolute_path() {
    let id = |dir: &str| configured(&["--state-dir", dir]).expect("right").instance_id;
    assert_eq!(id("s"), id("/work/s"));
    assert_ne!(id("s"), id("/s"));
}

#[test]
fn each_wrong_value_is_named_with_what_was_expected() {
    for (flag, value, expected) in [
        ("--brokers", "a:1,", "host:port, several separated by commas, but found an empty entry"),
        ("--group-id", "", "a name without control characters, not empty"),
        ("--instance-id", "a b", "a name of letters, digits, '.', '_' and '-', but found ' '"),
        ("--session-timeout", "900ms", "at least 1s"),
        ("--session-timeout", "61m", "at most 3600s"),
        ("--input-topic", "a b", "a name of letters, digits, '.', '_' and '-', but found ' '"),
        ("--workers", "0", "a whole number from 1 to 256"),
        ("--workers", "257", "a whole number from 1 to 256"),
        ("--workers", "two", "a whole number from 1 to 256"),
        ("--delivery", "maybe", "exactly-once or at-least-once"),
        ("--window", "10", "a duration such as 10ms, 10s or 10m"),
        ("--window", "500ms", "at least 1s"),
        ("--window", "1500ms", "a whole number of seconds; round it"),
        ("--window", "0s", "at least 1s"),
        ("--grace", "x", "a duration such as 500ms, 10s, 5m, 1h30m or 2d"),
        ("--grace", "6m", "at most --allowed-lateness 5m; shorten it or lengthen the other"),
        ("--idle-timeout", "99ms", "at least 100ms"),
        ("--max-future", "-1s", "a duration such as 500ms"),
        ("--commit-interval", "9ms", "at least 10ms"),
        ("--commit-interval", "61s", "at most 60s"),
        ("--start-from", "yesterday", "earliest, latest or a time with its offset such as "),
        ("--state-dir", "", "a folder"),
        ("--on-topic-recreated", "go on", "fail or begin"),
        ("--on-unreadable-batch", "guess", "fail or skip"),
        ("--stall-timeout", "4s", "at least 5s"),
        ("--commit-interval", "16s", "at most 15s, which a transaction may last; "),
        ("--memory-budget", "31MiB", "at least 32MiB"),
        ("--memory-budget", "256", "a size such as 256MiB or 256GiB"),
        ("--timezone", "Europe/Berln", "an IANA time zone name; did you mean Europe/Berlin?"),
        ("--timestamp-style", "iso", "naive or rfc3339"),
        ("--http", "9464", "IP:PORT such as 127.0.0.1:9464 or 0.0.0.0:9464, or off"),
        ("--stats-interval", "10", "a duration such as 10ms, 10s or 10m, or off"),
        ("--stats-interval", "0s", "at least 1s, or off"),
        ("--log-format", "xml", "text or json"),
        ("--config", "/no/c.toml", "a readable file: No such file or directory"),
        ("--partitions", "0", "a whole number from 1 to 10000"),
        ("--replication", "x", "a whole number from 1 to 100"),
        ("--create-topics", "perhaps", "true or false"),
        ("--field", "user_id", "name=value"),
        ("-X", "linger.ms", "name=value"),
    ] {
        let fixed = ["logintide", "run"];
        let brokers: &[&str] = if flag == "--brokers" { &[] } else { &["--brokers", "b:1"] };
        // "=" keeps a value that begins with '-' a value.
        let setting = if flag == "-X" { format!("-X{value}") } else { format!("{flag}={value}") };
        let line = [&fixed, brokers, &[&setting]].concat();
        let text = checked(&line, &[]).expect_err(&setting).to_string();
        let expected = format!("invalid value '{value}' for '{flag}': expected {expected}");
        assert!(text.starts_with(&expected), "{text}\n{expected}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let short = problem(&["--allowed-lateness=6s"]);
    assert!(
        short.starts_with(
            "invalid value '7s' for '--grace': expected at most --allowed-lateness 6s;"
        ),
        "{short}"
    );
}

#[test]
fn a_wrong_name_of_a_field_is_named_with_the_entry() {
    for (value, expected) in [
        ("nobody=x", "invalid value 'x' for '--field nobody': there is no field `nobody`; use one"),
        ("user_id=timestamp", "invalid value 'timestamp' for '--field user_id': `timestamp` is"),
    ] {
        let text = problem(&["--field", value]);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn a_wrong_value_is_named_with_the_place_that_it_came_from() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("c.toml");
    let text = "brokers = \"b:1\"\n\ncommit-interval = \"5\"\n[client]\nretries = \"many\"\n";
    std::fs::write(&path, text).expect("writable");
    let path = path.to_str().expect("UTF-8");
    let variables =
        [("LOGINTIDE_DELIVERY", "x"), ("LOGINTIDE_CLIENT_PROPERTIES", "group.id=y\nnothing")];
    let line = ["logintide", "run", "--config", path, "--window=1", "-Xlinger=5"];
    let text = checked(&line, &variables).expect_err("six problems").to_string();
    for expected in [
        format!("invalid value '5' for 'commit-interval' ({path}:3): expected a duration"),
        format!("invalid value 'many' for '[client] retries' ({path}:5): "),
        "invalid value 'x' for 'LOGINTIDE_DELIVERY': expected exactly-once or".to_owned(),
        "invalid value 'y' for 'group.id' (LOGINTIDE_CLIENT_PROPERTIES): this property".to_owned(),
        "invalid value 'nothing' for 'LOGINTIDE_CLIENT_PROPERTIES': expected name=".to_owned(),
        "invalid value '1' for '--window': expected a duration".to_owned(),
        "invalid value '5' for '-X linger': No such configuration property".to_owned(),
    ] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(&expected)), "{text}");
    }
    assert_eq!(text.lines().next(), Some("7 settings are wrong"));
}

#[test]
fn a_topic_used_twice_names_both_settings() {
    assert_eq!(
        problem(&["--late-topic", "user-login"]),
        "invalid value 'user-login' for '--late-topic': expected another topic than \
         '--input-topic' has"
    );
}

#[test]
fn names_given_twice_are_refused() {
    let twice = problem(&["-Xretries=1", "-Xretries=2"]);
    assert_eq!(twice, "'-X retries' is given twice; keep one");
    let twice = problem(&["--field", "ip=a", "--field", "ip=b"]);
    assert_eq!(twice, "'--field ip' is given twice; keep one");
}

#[test]
fn a_secret_is_not_shown_in_a_message() {
    let text = problem(&["-X", "=hunter2", "-Xsasl.password=hunter2", "-Xsasl.password=hunter2"]);
    assert!(text.contains("'-X sasl.password' is given twice"), "{text}");
    assert!(!text.contains("hunter2") && text.lines().count() == 3, "{text}");
}

#[test]
fn beyond_loopback_the_operator_says_who_may_read() {
    for local in ["off", "127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(configured(&["--http", local]).is_ok(), "{local}");
    }
    let token = "0123456789abcdef";
    for remote in ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80"] {
        let text = problem(&["--http", remote]);
        let expected = format!("invalid value '{remote}' for '--http': other machines can reach");
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.contains("LOGINTIDE_HTTP_TOKEN") && text.contains("--http-open"), "{text}");
        assert!(configured(&["--http", remote, "--http-open"]).is_ok());
        let config = configured(&["--http", remote, "--http-token", token]).expect("right");
        assert!(config.http_token.as_ref().is_some_and(|set| set.is(token.as_bytes())));
        assert!(!format!("{config:?}").contains(token), "a secret is not shown");
    }
    let both = problem(&["--http-token", token, "--http-open"]);
    assert_eq!(both, "'--http-open' and '--http-token' exclude each other; keep one");
    let short = problem(&["--http-token", "hunter2", "--http", "0.0.0.0:80"]);
    let expected = "invalid value for '--http-token': expected at least 16 characters; ";
    assert!(short.starts_with(expected) && !short.contains("hunter2"), "{short}");
    assert!(problem(&["--http-token="]).starts_with(expected));
}

#[test]
fn everything_that_is_wrong_is_reported_together() {
    let line = ["logintide", "run", "--window=10", "--grace=10m", "--workers=0", "--http=x"];
    let text = checked(&line, &[]).expect_err("five problems").to_string();
    assert_eq!(text.lines().next(), Some("5 settings are wrong"));
    for problem in [
        "missing value for '--brokers': expected HOST:PORT, for example localhost:9092; set ",
        "invalid value '10' for '--window': ",
        "invalid value '10m' for '--grace': ",
        "invalid value '0' for '--workers': ",
        "invalid value 'x' for '--http': ",
    ] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(problem)), "{text}");
    }
}

#[test]
fn a_group_that_names_no_folder_needs_a_state_dir() {
    let named = ["--group-id", "a/b", "--journal-topic", "j"];
    assert!(problem(&named).contains("set --state-dir"));
    let config = configured(&[&named[..], &["--state-dir", "/s"]].concat()).expect("right");
    assert_eq!(config.group_id, "a/b");
}

#[test]
fn the_example_file_changes_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("logintide.toml");
    std::fs::write(&path, include_str!("../../logintide.example.toml")).expect("writable");
    let with_file = configured(&["--config", path.to_str().expect("UTF-8")]).expect("right");
    let without = configured(&[]).expect("right");
    assert_eq!(format!("{with_file:?}"), format!("{without:?}"));
}

#[test]
fn the_default_workers_are_no_more_than_the_budget_holds() {
    for (flags, expected) in [(&[][..], 86), (&["--memory-budget=32MiB"], 6)] {
        let line = [&["logintide", "run", "--brokers=b:9092"], flags].concat();
        let many = Surroundings { cores: 200, ..surroundings() };
        let loaded = loaded_on(&line, &[], &many).expect("right");
        assert_eq!(loaded.config.workers, expected, "{flags:?}");
    }
}
