//! The settings of `run` by their names: what kind each is, and where its text is held.
//!
//! Holds: a setting has one name in all its forms: `--commit-interval`, `commit-interval` in a
//! file, `LOGINTIDE_COMMIT_INTERVAL`. What is not in `SETTINGS` is no key of a file.

use clap::{Args, Command};

use super::RunArgs;

/// What a setting looks like in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// `true` or `false`.
    Switch,
    /// A table of names and values; on the command line `name=value`, repeated.
    Table,
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its id on the command line, with `_`.
    pub(super) id: &'static str,
    pub(super) kind: Kind,
}

/// Librdkafka properties: `-X`, `[client]`.
pub(super) const CLIENT: &str = "client_properties";
/// Names of input fields: `--field`, `[field]`.
pub(super) const FIELD: &str = "field";

/// Every setting, in the order of the help; the tables last, as a file needs them.
pub(super) const SETTINGS: &[Setting] = &[
    text("brokers"),
    text("group_id"),
    text("instance_id"),
    text("input_topic"),
    text("processed_topic"),
    text("aggregated_topic"),
    text("dead_letter_topic"),
    text("late_topic"),
    of(Kind::Switch, "create_topics"),
    of(Kind::Number, "partitions"),
    of(Kind::Number, "replication"),
    of(Kind::Number, "workers"),
    text("delivery"),
    text("commit_interval"),
    text("start_from"),
    of(Kind::Switch, "exit_at_end"),
    text("on_unreadable_batch"),
    text("memory_budget"),
    text("window"),
    text("grace"),
    text("allowed_lateness"),
    text("idle_timeout"),
    text("max_future"),
    text("timezone"),
    text("timestamp_style"),
    text("state_dir"),
    text("on_state_mismatch"),
    text("on_topic_recreated"),
    text("http"),
    text("http_token"),
    of(Kind::Switch, "http_open"),
    text("stats_interval"),
    text("stall_timeout"),
    text("log_format"),
    of(Kind::Table, FIELD),
    of(Kind::Table, CLIENT),
];

const fn text(id: &'static str) -> Setting {
    of(Kind::Text, id)
}

const fn of(kind: Kind, id: &'static str) -> Setting {
    Setting { id, kind }
}

impl Setting {
    /// Its key in a file.
    pub(super) fn key(self) -> String {
        if self.id == CLIENT { "client".to_owned() } else { self.id.replace('_', "-") }
    }

    /// Its variable.
    pub(super) fn variable(self) -> String {
        format!("LOGINTIDE_{}", self.id.to_ascii_uppercase())
    }

    /// Its flag.
    pub(super) fn flag(self) -> String {
        if self.id == CLIENT { "-X".to_owned() } else { format!("--{}", self.id.replace('_', "-")) }
    }
}

/// The setting of an id, which must be one.
pub(super) fn setting(id: &str) -> Setting {
    let found = SETTINGS.iter().find(|setting| setting.id == id);
    *found.expect("ids of settings are literals, and tested")
}

/// The default that the command line knows; others are worked out later.
pub(super) fn default_of(id: &str) -> Option<String> {
    let command = RunArgs::augment_args(Command::new("run"));
    let arg = command.get_arguments().find(|arg| arg.get_id() == id)?;
    let default = arg.get_default_values().first()?;
    Some(default.to_string_lossy().into_owned())
}

impl RunArgs {
    /// The text of every setting that is no table; `None` where there is none.
    pub(super) fn into_texts(self) -> Vec<(&'static str, Option<String>)> {
        let Self { kafka, topics, processing, windows, events, state, operation } = self;
        vec![
            ("brokers", kafka.brokers),
            ("group_id", Some(kafka.group_id)),
            ("instance_id", kafka.instance_id),
            ("input_topic", Some(topics.input_topic)),
            ("processed_topic", Some(topics.processed_topic)),
            ("aggregated_topic", Some(topics.aggregated_topic)),
            ("dead_letter_topic", Some(topics.dead_letter_topic)),
            ("late_topic", Some(topics.late_topic)),
            ("create_topics", Some(topics.create_topics)),
            ("partitions", topics.partitions),
            ("replication", topics.replication),
            ("workers", processing.workers),
            ("delivery", Some(processing.delivery)),
            ("commit_interval", Some(processing.commit_interval)),
            ("start_from", Some(processing.start_from)),
            ("exit_at_end", Some(processing.exit_at_end)),
            ("on_unreadable_batch", Some(processing.on_unreadable_batch)),
            ("memory_budget", Some(processing.memory_budget)),
            ("window", Some(windows.window)),
            ("grace", Some(windows.grace)),
            ("allowed_lateness", Some(windows.allowed_lateness)),
            ("idle_timeout", Some(windows.idle_timeout)),
            ("max_future", Some(events.max_future)),
            ("timezone", Some(events.timezone)),
            ("timestamp_style", Some(events.timestamp_style)),
            ("state_dir", state.state_dir),
            ("on_state_mismatch", Some(state.on_state_mismatch)),
            ("on_topic_recreated", Some(state.on_topic_recreated)),
            ("http", Some(operation.http)),
            ("http_token", operation.http_token),
            ("http_open", Some(operation.http_open)),
            ("stats_interval", Some(operation.stats_interval)),
            ("stall_timeout", Some(operation.stall_timeout)),
            ("log_format", Some(operation.log_format)),
        ]
    }

    /// The entries of a table, as the command line or its variable gave them.
    pub(super) fn entries(&self, id: &str) -> &[String] {
        if id == FIELD { &self.events.field } else { &self.kafka.client_properties }
    }
}
