//! The arguments of `logintide run`, as typed.
//!
//! Everything is text here, so that `settings` can report all wrong values together instead of
//! stopping at the first; `keys` says which of them are settings, and of what kind. The comments
//! are the help texts. A default that stands here stands nowhere else.

use clap::{ArgAction, Args};

use crate::config::STATE_DIR_HELP;

/// Flags of `run`, by heading of the help.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    #[command(flatten)]
    pub(super) kafka: KafkaArgs,
    #[command(flatten)]
    pub(super) topics: TopicArgs,
    #[command(flatten)]
    pub(super) processing: ProcessingArgs,
    #[command(flatten)]
    pub(super) windows: WindowArgs,
    #[command(flatten)]
    pub(super) events: EventArgs,
    #[command(flatten)]
    pub(super) state: StateFolderArgs,
    #[command(flatten)]
    pub(super) operation: OperationArgs,
}

const EXAMPLES: &str = "\
Examples:
  Process until stopped, creating the topics that are missing:
    logintide run --brokers localhost:9092 --create-topics

  Count a backlog in one-minute windows and end:
    logintide run --brokers kafka:9092 --group-id backfill --window 1m --exit-at-end

  Read fields of other names, over TLS, with a password that no process list shows:
    logintide run --brokers kafka:9093 --field user_id=sub,timestamp=iat \\
      -X security.protocol=ssl -X ssl.key.password.file=/run/secrets/key

  Take the settings from a file, one of them from here, and see what holds:
    logintide run --config /etc/logintide.toml --workers 4 --print-config

Every flag has a variable and a key of the file: file < variable < flag. Properties and fields are
merged by name. Durations and sizes need a unit: 500ms, 10s, 256MiB.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub(super) struct KafkaArgs {
    /// Kafka brokers, comma-separated; required
    #[arg(long, value_name = "HOST:PORT", env = "LOGINTIDE_BROKERS")]
    pub(super) brokers: Option<String>,
    /// Consumer group
    #[arg(long, value_name = "NAME", env = "LOGINTIDE_GROUP_ID", default_value = "logintide")]
    pub(super) group_id: String,
    /// Name of this instance in the group [default: generated once into the state folder]
    #[arg(long, value_name = "NAME", env = "LOGINTIDE_INSTANCE_ID")]
    pub(super) instance_id: Option<String>,
    /// Property for librdkafka; repeat it, or one per line in the variable; NAME.file=PATH reads a
    /// secret from a file
    #[arg(
        short = 'X',
        value_name = "NAME=VALUE",
        env = "LOGINTIDE_CLIENT_PROPERTIES",
        value_delimiter = '\n',
        action = ArgAction::Append
    )]
    pub(super) client_properties: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Topics")]
pub(super) struct TopicArgs {
    /// Login events
    #[arg(long, value_name = "TOPIC", env = "LOGINTIDE_INPUT_TOPIC", default_value = "user-login")]
    pub(super) input_topic: String,
    /// Enriched events
    #[arg(
        long,
        value_name = "TOPIC",
        env = "LOGINTIDE_PROCESSED_TOPIC",
        default_value = "processed-logins"
    )]
    pub(super) processed_topic: String,
    /// Window totals
    #[arg(
        long,
        value_name = "TOPIC",
        env = "LOGINTIDE_AGGREGATED_TOPIC",
        default_value = "aggregated-usage"
    )]
    pub(super) aggregated_topic: String,
    /// Records that cannot be processed
    #[arg(
        long,
        value_name = "TOPIC",
        env = "LOGINTIDE_DEAD_LETTER_TOPIC",
        default_value = "user-login-dlq"
    )]
    pub(super) dead_letter_topic: String,
    /// Events after the allowed lateness
    #[arg(
        long,
        value_name = "TOPIC",
        env = "LOGINTIDE_LATE_TOPIC",
        default_value = "user-login-late"
    )]
    pub(super) late_topic: String,
    /// Create the topics that are missing
    #[arg(
        long,
        value_name = "true|false",
        env = "LOGINTIDE_CREATE_TOPICS",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub(super) create_topics: String,
    /// Partitions of the topics that are created [default: as many as the input, else 8]
    #[arg(long, value_name = "N", env = "LOGINTIDE_PARTITIONS")]
    pub(super) partitions: Option<String>,
    /// Copies of each partition of the topics that are created [default: the broker's]
    #[arg(long, value_name = "N", env = "LOGINTIDE_REPLICATION")]
    pub(super) replication: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Processing")]
pub(super) struct ProcessingArgs {
    /// Worker threads [default: cores − 2, at least 1, at most what --memory-budget holds]
    #[arg(long, value_name = "N", env = "LOGINTIDE_WORKERS")]
    pub(super) workers: Option<String>,
    /// Guarantee for outputs: exactly-once (for readers with `isolation.level=read_committed`) or
    /// at-least-once
    #[arg(
        long,
        value_name = "GUARANTEE",
        env = "LOGINTIDE_DELIVERY",
        default_value = "exactly-once"
    )]
    pub(super) delivery: String,
    /// Time between two commits, 10ms to 60s; in exactly-once at most 15s
    #[arg(
        long,
        value_name = "DURATION",
        env = "LOGINTIDE_COMMIT_INTERVAL",
        default_value = "500ms"
    )]
    pub(super) commit_interval: String,
    /// Where a partition without a committed offset starts: earliest, latest or an RFC 3339 time
    #[arg(long, value_name = "WHERE", env = "LOGINTIDE_START_FROM", default_value = "earliest")]
    pub(super) start_from: String,
    /// End when the end offsets seen at the start are processed and all windows are closed; open
    /// transactions before them are waited for
    #[arg(
        long,
        value_name = "true|false",
        env = "LOGINTIDE_EXIT_AT_END",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub(super) exit_at_end: String,
    /// At a batch of the input that cannot be read: fail, or skip (its records count as a gap)
    #[arg(
        long,
        value_name = "REACTION",
        env = "LOGINTIDE_ON_UNREADABLE_BATCH",
        default_value = "fail"
    )]
    pub(super) on_unreadable_batch: String,
    /// Memory for batches, fetch and producer queues and window state, from 32MiB
    #[arg(long, value_name = "SIZE", env = "LOGINTIDE_MEMORY_BUDGET", default_value = "256MiB")]
    pub(super) memory_budget: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Windows")]
pub(super) struct WindowArgs {
    /// Length of a window, whole seconds
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_WINDOW", default_value = "10s")]
    pub(super) window: String,
    /// How long a window waits, in event time, for events out of order
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_GRACE", default_value = "7s")]
    pub(super) grace: String,
    /// How far behind the watermark an event may still revise its window; at least the grace
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_ALLOWED_LATENESS", default_value = "5m")]
    pub(super) allowed_lateness: String,
    /// Silence at a partition's end after which windows no longer wait for it
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_IDLE_TIMEOUT", default_value = "10s")]
    pub(super) idle_timeout: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Events")]
pub(super) struct EventArgs {
    /// Largest lead of an event's time over its record's Kafka timestamp
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_MAX_FUTURE", default_value = "1h")]
    pub(super) max_future: String,
    /// Time zone of the added fields, an IANA name
    #[arg(long, value_name = "ZONE", env = "LOGINTIDE_TIMEZONE", default_value = "UTC")]
    pub(super) timezone: String,
    /// Form of the added times: naive (2024-11-02T13:56:29) or rfc3339 (with the offset)
    #[arg(long, value_name = "STYLE", env = "LOGINTIDE_TIMESTAMP_STYLE", default_value = "naive")]
    pub(super) timestamp_style: String,
    /// Name of a field in the input; repeat it, or separate by commas
    #[arg(
        long,
        value_name = "FIELD=NAME",
        env = "LOGINTIDE_FIELD",
        value_delimiter = ',',
        action = ArgAction::Append
    )]
    pub(super) field: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "State")]
pub(super) struct StateFolderArgs {
    #[arg(
        long,
        value_name = "DIR",
        env = "LOGINTIDE_STATE_DIR",
        help = STATE_DIR_HELP
    )]
    pub(super) state_dir: Option<String>,
    /// When state and committed offset differ: rebuild (count the windows again from the input) or
    /// fail
    #[arg(
        long,
        value_name = "REACTION",
        env = "LOGINTIDE_ON_STATE_MISMATCH",
        default_value = "rebuild"
    )]
    pub(super) on_state_mismatch: String,
    /// When the input topic was deleted and created again: fail, or begin (read the new topic from
    /// its log's start; windows that were published keep their totals)
    #[arg(
        long,
        value_name = "REACTION",
        env = "LOGINTIDE_ON_TOPIC_RECREATED",
        default_value = "fail"
    )]
    pub(super) on_topic_recreated: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Operation")]
pub(super) struct OperationArgs {
    /// Address of the dashboard, the API, /metrics and /healthz, or off
    #[arg(long, value_name = "IP:PORT", env = "LOGINTIDE_HTTP", default_value = "127.0.0.1:9464")]
    pub(super) http: String,
    /// Token that the API asks for; needed beyond loopback, and safer in the variable
    #[arg(long, value_name = "TOKEN", env = "LOGINTIDE_HTTP_TOKEN")]
    pub(super) http_token: Option<String>,
    /// Let everyone who reaches the port read the API, beyond loopback and without a token
    #[arg(
        long,
        value_name = "true|false",
        env = "LOGINTIDE_HTTP_OPEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub(super) http_open: String,
    /// Time between two statistics lines in the log, or off
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_STATS_INTERVAL", default_value = "10s")]
    pub(super) stats_interval: String,
    /// Time without progress after which /healthz says so; the process ends after twice that
    #[arg(long, value_name = "DURATION", env = "LOGINTIDE_STALL_TIMEOUT", default_value = "60s")]
    pub(super) stall_timeout: String,
    /// Form of the log: text or json
    #[arg(long, value_name = "FORMAT", env = "LOGINTIDE_LOG_FORMAT", default_value = "text")]
    pub(super) log_format: String,
    /// TOML file with settings, keys as the flags; variables and flags beat it
    #[arg(long, value_name = "FILE", env = "LOGINTIDE_CONFIG")]
    pub(super) config: Option<String>,
    /// Print the settings that hold, as a file for --config, with where each comes from; then end
    #[arg(long)]
    pub(super) print_config: bool,
}

impl RunArgs {
    /// Whether the settings are to be printed instead of used.
    pub fn print_config(&self) -> bool {
        self.operation.print_config
    }
}
