//! Every setting of `logintide run`: one row each.
//!
//! A row gives the flag, the `LOGINTIDE_…` variable, the key of a file, the type, the default, the
//! check and the texts of `--help`, docs/CONFIGURATION.md and logintide.example.toml. The code that
//! uses a setting reads it by the row's name. The tables come last, as a file needs them.

use std::{net::SocketAddr, path::PathBuf, sync::LazyLock, time::Duration};

use super::row::{Row, Setting, choice, entries, number, switch, text};
use crate::{
    config::{
        Delivery, HttpToken, LogFormat, MemoryPlan, OnTopicRecreated, OnUnreadableBatch, StartFrom,
        duration_within, parse_brokers, parse_duration, parse_group_id, parse_http_token,
        parse_instance_id, parse_number, parse_size, parse_start_from, parse_state_dir,
        parse_timezone, parse_topic, parse_window,
    },
    event::TimestampStyle,
    ids::InstanceId,
    limits,
    topics::{DefaultName, Topic, TopicSpec},
    users::place::PlaceTable,
};

/// Makes a static of each row, and the list of all under their headings.
macro_rules! settings {
    ($($heading:literal { $($row:ident: $value:ty = $made:expr;)* })*) => {
        $($(
            pub(crate) static $row: Row<$value> = $made;
        )*)*

        /// Headings with their settings, in the order of the help.
        pub(super) static SECTIONS: &[(&str, &[&dyn Setting])] =
            &[$(($heading, &[$(&$row),*])),*];
    };
}

settings! {
    "Kafka" {
        BROKERS: String = text("brokers", "HOST:PORT", parse_brokers)
            .required("localhost:9092")
            .help("Kafka brokers, separated by commas")
            .of_both();
        GROUP_ID: String = text("group-id", "NAME", parse_group_id)
            .default("logintide")
            .help("Consumer group")
            .of_both_but("logintide-users");
        INSTANCE_ID: InstanceId = text("instance-id", "NAME", parse_instance_id)
            .otherwise("the host's name and a hash of the state folder's path", "logintide-1")
            .help("Name of this instance in the group; one that starts again with it takes its \
                   place at once")
            .more("No two processes of a group may have the same.")
            .of_both();
        SESSION_TIMEOUT: Duration = text("session-timeout", "DURATION", |text| {
                let (min, max) = limits::SESSION_TIMEOUT_RANGE;
                duration_within(text, min, max)
            })
            .default("10s")
            .help("How long the group keeps the place of an instance that is silent; brokers \
                   allow 6s to 30m unless they are set otherwise")
            .more("The limits of transactions, of a stop and of a rebalance \
                   [follow from it](#times-that-follow-from-the-session).")
            .of_both();
        LEAVE_ON_STOP: bool = switch("leave-on-stop")
            .help("Leave the group at a stop, after the last commit: others have the partitions \
                   about a second later; otherwise the place is kept for a session")
            .more("For an instance that is not to come back soon.")
            .of_both();
    }
    "Topics" {
        INPUT_TOPIC: String = topic(Topic::Input)
            .of_both_but("processed-logins");
        PROCESSED_TOPIC: String = topic(Topic::Processed);
        AGGREGATED_TOPIC: String = topic(Topic::Aggregated);
        DEAD_LETTER_TOPIC: String = topic(Topic::DeadLetter)
            .of_both_but("login-alerts-dlq");
        LATE_TOPIC: String = topic(Topic::Late);
        JOURNAL_TOPIC: String = topic(Topic::Journal)
            .more("It is compacted, and has at most 8 partitions.")
            .of_both();
        CREATE_TOPICS: bool = switch("create-topics").help("Create the topics that are missing")
            .of_both();
        PARTITIONS: i32 = number("partitions", |text| {
                parse_number(text, 1..=limits::NEW_TOPIC_PARTITIONS_MAX)
            })
            .otherwise("as many as the input has, else 8", "8")
            .help("Partitions of the topics that are created")
            .more("The journal has at most 8.")
            .of_both();
        REPLICATION: i32 = number("replication", |text| {
                parse_number(text, 1..=limits::NEW_TOPIC_REPLICATION_MAX)
            })
            .otherwise("the broker's", "3")
            .help("Copies of each partition of the topics that are created")
            .of_both();
    }
    "Processing" {
        WORKERS: usize = number("workers", |text| parse_number(text, 1..=limits::MAX_WORKERS))
            .otherwise("cores - 2, at least 1, at most what the memory budget holds", "4")
            .help("Worker threads, 1 to 256")
            .of_both();
        DELIVERY: Delivery = choice("delivery", "GUARANTEE")
            .default("exactly-once")
            .help("Guarantee for outputs; exactly-once is for readers with \
                   isolation.level=read_committed")
            .more("Window totals are exact in both, see [GUARANTEES.md](GUARANTEES.md).");
        COMMIT_INTERVAL: Duration = text("commit-interval", "DURATION", |text| {
                let (min, max) = limits::COMMIT_INTERVAL_RANGE;
                duration_within(text, min, max)
            })
            .default("500ms")
            .help("Time between two commits, 10ms to 60s; in exactly-once at most 15s")
            .of_both();
        START_FROM: StartFrom = text("start-from", "WHERE", parse_start_from)
            .default("earliest")
            .help("Where a partition without a committed offset starts: earliest, latest or an \
                   RFC 3339 time")
            .of_both();
        EXIT_AT_END: bool = switch("exit-at-end")
            .help("End when the end offsets seen at the start are processed and all windows are \
                   closed")
            .more("Records in transactions that are open then are waited for, at most the \
                   brokers' `transaction.max.timeout.ms` and 15 s from when all else is read; \
                   the exit code is 1 if they do not end. Instances of a group \
                   [end together](OPERATING.md#several-instances).")
            .of_both();
        ON_UNREADABLE_BATCH: OnUnreadableBatch = choice("on-unreadable-batch", "REACTION")
            .default("fail")
            .help("What follows a batch of the input that cannot be read; its records count as a \
                   gap when it is skipped")
            .more("See [OPERATING.md](OPERATING.md#a-batch-that-cannot-be-read).")
            .of_both();
        MEMORY_BUDGET: MemoryPlan = text("memory-budget", "SIZE", |text| {
                parse_size(text).and_then(MemoryPlan::new)
            })
            .default("256MiB")
            .help("Memory for batches, fetch and producer queues and window state, from 32MiB")
            .of_both_but("1GiB");
    }
    "Windows" {
        WINDOW: Duration = text("window", "DURATION", parse_window)
            .default("10s")
            .help("Length of a window, whole seconds");
        GRACE: Duration = text("grace", "DURATION", parse_duration)
            .default("7s")
            .help("How long a window waits, in event time, for events out of order");
        ALLOWED_LATENESS: Duration = text("allowed-lateness", "DURATION", parse_duration)
            .default("5m")
            .help("How far behind the watermark an event may still revise its window; at least \
                   the grace")
            .of_both_but("5m");
        IDLE_TIMEOUT: Duration = text("idle-timeout", "DURATION", |text| {
                duration_within(text, limits::IDLE_TIMEOUT_MIN, limits::DURATION_MAX)
            })
            .default("10s")
            .help("Silence at a partition's end after which windows no longer wait for it")
            .of_both();
    }
    "Events" {
        MAX_FUTURE: Duration = text("max-future", "DURATION", parse_duration)
            .default("1h")
            .help("Largest lead of an event's time over its record's Kafka timestamp")
            .more("A record without a timestamp, or with a negative one, counts as of when it is \
                   read.")
            .of_both();
        TIMEZONE: jiff::tz::TimeZone = text("timezone", "ZONE", parse_timezone)
            .default("UTC")
            .help("Time zone of the added fields, an IANA name");
        TIMESTAMP_STYLE: TimestampStyle = choice("timestamp-style", "STYLE")
            .default("naive")
            .help("Form of the added times: 2024-11-02T13:56:29 or with the zone's offset");
    }
    "Users" {
        ALERTS_TOPIC: String = topic(Topic::Alerts).of_users();
        ACTIVITY_TOPIC: String = topic(Topic::Activity).of_users();
        PLACES: PlaceTable = choice("places", "TABLE")
            .default("none")
            .help("What locale says: the state of the US with this postal code, the country with \
                   this code of ISO 3166-1, or no place")
            .more("See [ALERTS.md](ALERTS.md#places).")
            .of_users();
        GEOIP: PathBuf = text("geoip", "FILE", |text| Ok(PathBuf::from(text)))
            .otherwise("none", "/usr/share/GeoIP/GeoLite2-City.mmdb")
            .help("Database of the places of addresses (MMDB), used in place of locale; it is \
                   read again when it changes")
            .more("See [ALERTS.md](ALERTS.md#places).")
            .of_users();
        PLACEHOLDERS: Vec<String> = text("placeholders", "LIST", |text| {
                Ok(text.split(',').map(|value| value.trim().to_owned()).collect())
            })
            .otherwise("none", "dummy,test-device")
            .help("Values of any field that say nothing, beside the usual ones, separated by commas")
            .of_users();
        ALLOWED_NETWORKS: PathBuf = text("allowed-networks", "FILE", |text| Ok(PathBuf::from(text)))
            .otherwise("none", "/etc/logintide/networks.txt")
            .help("File with networks that no user is told apart by, such as an office's: one a \
                   line")
            .of_users();
        ALLOWED_DEVICES: PathBuf = text("allowed-devices", "FILE", |text| Ok(PathBuf::from(text)))
            .otherwise("none", "/etc/logintide/devices.txt")
            .help("File with device ids that no user is told apart by: one a line")
            .of_users();
        PROFILE_TTL: Duration = text("profile-ttl", "DURATION", parse_duration)
            .default("4320h")
            .help("How long a user's profile is kept after the last login, in event time")
            .of_users();
        LEARN: Duration = text("learn", "DURATION", parse_duration)
            .default("24h")
            .help("Event time that a partition is read before it gives alerts")
            .of_users();
        LEARN_LOGINS: u64 = number("learn-logins", |text| parse_number(text, 0..=u64::MAX))
            .default("10000")
            .help("Logins of all partitions together that are read before there are alerts")
            .of_users();
    }
    "State" {
        STATE_DIR: PathBuf = text("state-dir", "DIR", parse_state_dir)
            .otherwise("$STATE_DIRECTORY, else the XDG state folder + group", "/var/lib/logintide")
            .help("Folder of this instance's copy of the journal")
            .of_both();
        ON_TOPIC_RECREATED: OnTopicRecreated = choice("on-topic-recreated", "REACTION")
            .default("fail")
            .help("What follows when the input topic was deleted and created again; begin reads \
                   the new topic from its log's start")
            .more("Windows that were published keep their totals.")
            .of_both();
    }
    "Operation" {
        HTTP: Option<SocketAddr> = text("http", "IP:PORT", parse_http)
            .default("127.0.0.1:9464")
            .help("Address of the dashboard, the API, /metrics and /healthz, or off")
            .more("See [HTTP.md](HTTP.md).")
            .of_both_but("127.0.0.1:9465");
        HTTP_TOKEN: HttpToken = text("http-token", "TOKEN", parse_http_token)
            .otherwise("none", "0123456789abcdef0123456789abcdef")
            .secret()
            .help("Token that the API asks for, 16 to 256 characters; needed beyond loopback, \
                   and safer in the variable")
            .more("`openssl rand -hex 16` makes one.")
            .of_both();
        HTTP_OPEN: bool = switch("http-open")
            .help("Let everyone who reaches the port read the API, beyond loopback and without a \
                   token")
            .of_both();
        STATS_INTERVAL: Option<Duration> = text("stats-interval", "DURATION", parse_stats_interval)
            .default("10s")
            .help("Time between two statistics lines in the log, or off")
            .of_both();
        STALL_TIMEOUT: Duration = text("stall-timeout", "DURATION", |text| {
                duration_within(text, limits::STALL_TIMEOUT_MIN, limits::DURATION_MAX)
            })
            .default("60s")
            .help("Time without progress after which /healthz says so; the process ends after \
                   twice that")
            .more("It goes on when the cluster is the cause, see \
                   [OPERATING.md](OPERATING.md#logintidestalled).")
            .of_both();
        LOG_FORMAT: LogFormat = choice("log-format", "FORMAT")
            .default("text")
            .help("Form of the log")
            .of_both();
        CONFIG: String = text("config", "FILE", |text| Ok(text.to_owned()))
            .otherwise("none", "logintide.toml")
            .not_in_file()
            .help("TOML file with settings, keys as the flags; variables and flags beat it")
            .of_both();
    }
    "Names of fields in the input" {
        FIELD: (String, String) = entries("field", "FIELD=NAME", ',')
            .help("Name of a field in the input; repeat it, or separate by commas")
            .of_both();
    }
    "Rules about users" {
        ALERTS: (String, String) = entries("alerts", "RULE.SETTING=VALUE", ',')
            .help("Number of a rule; repeat it, or separate by commas")
            .more("In a file `[alerts.impossible_travel]`, and below it `speed_kmh = 1200`. \
                   [ALERTS.md](ALERTS.md) says what each means; all instances of a group need the \
                   same.")
            .of_users();
    }
    "Properties for librdkafka" {
        CLIENT: (String, String) = entries("client-properties", "NAME=VALUE", '\n')
            .short('X', "client")
            .help("Property for librdkafka; repeat it, or one per line in the variable; \
                   NAME.file=PATH reads a secret from a file")
            .of_both();
    }
}

const fn topic(topic: Topic) -> Row<String> {
    let TopicSpec { setting, default_name, help, .. } = topic.spec();
    let row = text(setting, "TOPIC", parse_topic).help(help);
    match default_name {
        DefaultName::Fixed(name) => row.default(name),
        DefaultName::AfterGroup(suffix) => {
            row.default_after("group-id", suffix, "logintide-journal")
        }
    }
}

/// The setting that names a topic.
pub(crate) fn of_topic(topic: Topic) -> &'static Row<String> {
    match topic {
        Topic::Input => &INPUT_TOPIC,
        Topic::Processed => &PROCESSED_TOPIC,
        Topic::Aggregated => &AGGREGATED_TOPIC,
        Topic::DeadLetter => &DEAD_LETTER_TOPIC,
        Topic::Late => &LATE_TOPIC,
        Topic::Journal => &JOURNAL_TOPIC,
        Topic::Alerts => &ALERTS_TOPIC,
        Topic::Activity => &ACTIVITY_TOPIC,
    }
}

fn parse_http(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    let expected = "expected IP:PORT such as 127.0.0.1:9464 or 0.0.0.0:9464, or off";
    text.parse().map(Some).map_err(|_| expected.to_owned())
}

fn parse_stats_interval(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    duration_within(text, limits::STATS_INTERVAL_MIN, limits::DURATION_MAX)
        .map(Some)
        .map_err(|expected| format!("{expected}, or off"))
}

/// All rows, in their order.
pub(super) fn all() -> impl Iterator<Item = &'static dyn Setting> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter().copied())
}

/// The heading of a setting.
pub(super) fn heading(name: &str) -> &'static str {
    let has = |rows: &&[&dyn Setting]| rows.iter().any(|row| row.spec().name == name);
    let section = SECTIONS.iter().find(|(_, rows)| has(rows));
    section.expect("every setting is in the table").0
}

/// The variable of a setting.
pub(super) fn variable(name: &str) -> &'static str {
    // The parser wants names that live as long as the program.
    static VARIABLES: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
        let names = all().map(|row| row.spec().name);
        let variable = |name: &str| format!("LOGINTIDE_{}", name.replace('-', "_"));
        names.map(|name| (name, variable(name).to_ascii_uppercase())).collect()
    });
    let found = VARIABLES.iter().find(|(known, _)| *known == name);
    &found.expect("every setting is in the table").1
}
