//! Names the program and the pipeline that answer. Names and settings only, never a secret.

use serde::Serialize;

use crate::{
    config::{Delivery, RunConfig},
    kafka,
    topics::Topic,
};

/// The program's versions and the pipeline's settings.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct About {
    /// Version of the program.
    pub version: &'static str,
    /// Commit it was built from.
    pub commit: &'static str,
    /// Version of librdkafka in it.
    pub librdkafka: String,
    pub input_topic: String,
    pub group_id: String,
    /// Name of this process in the group.
    pub instance_id: String,
    /// Guarantee for outputs, as `--delivery` names it.
    pub delivery: &'static str,
    /// Length of a window, milliseconds.
    pub window_ms: i64,
    pub workers: usize,
}

impl About {
    /// Describes a run.
    pub(crate) fn new(config: &RunConfig) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: env!("LOGINTIDE_COMMIT"),
            librdkafka: kafka::librdkafka_version(),
            input_topic: config.topics[Topic::Input].clone(),
            group_id: config.group_id.clone(),
            instance_id: config.instance_id.to_string(),
            delivery: match config.delivery {
                Delivery::ExactlyOnce => "exactly-once",
                Delivery::AtLeastOnce => "at-least-once",
            },
            window_ms: config.window.size_ms,
            workers: config.workers,
        }
    }
}
