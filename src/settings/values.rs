//! Checks of single settings that know the program's own words and limits.
//!
//! Pure. Each takes what was given and gives the value or a remedy that follows "`setting value:`".

use std::time::Duration;

use crate::{
    config::{
        Delivery, MemoryPlan, OnStateMismatch, OnTopicRecreated, OnUnreadableBatch,
        duration_within, parse_size,
    },
    event::TimestampStyle,
    limits,
};

pub(super) fn parse_workers(text: &str) -> Result<usize, String> {
    let range = 1..=limits::MAX_WORKERS;
    let workers = text.parse().ok().filter(|workers| range.contains(workers));
    workers.ok_or_else(|| format!("is no number from 1 to {}", limits::MAX_WORKERS))
}

pub(super) fn parse_partitions(text: &str) -> Result<i32, String> {
    number_to(text, limits::NEW_TOPIC_PARTITIONS_MAX)
}

pub(super) fn parse_replication(text: &str) -> Result<i32, String> {
    number_to(text, limits::NEW_TOPIC_REPLICATION_MAX)
}

fn number_to(text: &str, most: i32) -> Result<i32, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("is no number from 1 to {most}"))
}

pub(super) fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("is neither true nor false; use one of them".to_owned()),
    }
}

pub(super) fn parse_delivery(text: &str) -> Result<Delivery, String> {
    match text {
        "exactly-once" => Ok(Delivery::ExactlyOnce),
        "at-least-once" => Ok(Delivery::AtLeastOnce),
        _ => Err("is no guarantee; use exactly-once or at-least-once".to_owned()),
    }
}

pub(super) fn parse_state_mismatch(text: &str) -> Result<OnStateMismatch, String> {
    match text {
        "rebuild" => Ok(OnStateMismatch::Rebuild),
        "fail" => Ok(OnStateMismatch::Fail),
        _ => Err("is no reaction; use rebuild or fail".to_owned()),
    }
}

pub(super) fn parse_topic_recreated(text: &str) -> Result<OnTopicRecreated, String> {
    match text {
        "fail" => Ok(OnTopicRecreated::Fail),
        "begin" => Ok(OnTopicRecreated::Begin),
        _ => Err("is no reaction; use fail or begin".to_owned()),
    }
}

pub(super) fn parse_unreadable_batch(text: &str) -> Result<OnUnreadableBatch, String> {
    match text {
        "fail" => Ok(OnUnreadableBatch::Fail),
        "skip" => Ok(OnUnreadableBatch::Skip),
        _ => Err("is no reaction; use fail or skip".to_owned()),
    }
}

pub(super) fn parse_timestamp_style(text: &str) -> Result<TimestampStyle, String> {
    match text {
        "naive" => Ok(TimestampStyle::Naive),
        "rfc3339" => Ok(TimestampStyle::Rfc3339),
        _ => Err("is no style; use naive or rfc3339".to_owned()),
    }
}

pub(super) fn parse_stats_interval(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    duration_within(text, limits::STATS_INTERVAL_MIN, limits::DURATION_MAX).map(Some)
}

pub(super) fn parse_stall_timeout(text: &str) -> Result<Duration, String> {
    duration_within(text, limits::STALL_TIMEOUT_MIN, limits::DURATION_MAX)
}

pub(super) fn parse_commit_interval(text: &str) -> Result<Duration, String> {
    let (min, max) = limits::COMMIT_INTERVAL_RANGE;
    duration_within(text, min, max)
}

pub(super) fn parse_idle_timeout(text: &str) -> Result<Duration, String> {
    duration_within(text, limits::IDLE_TIMEOUT_MIN, limits::DURATION_MAX)
}

pub(super) fn parse_memory(text: &str) -> Result<MemoryPlan, String> {
    parse_size(text).and_then(MemoryPlan::new)
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("durations are at most DURATION_MAX")
}
