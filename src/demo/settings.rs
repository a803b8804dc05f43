//! From `DemoArgs` to what each part of the demo is told: broker, load, pipeline, judge.
//!
//! Pure. Holds: what is sent fits into the embedded broker, which deletes the oldest records of a
//! full partition without a word; pipeline and judge are told the same rules.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use loadgen::embedded::{Load, LoadShares, Processing};

use super::DemoArgs;
use crate::{
    config::{
        ClientProperties, Delivery, LogFormat, MemoryPlan, OnStateMismatch, OnTopicRecreated,
        OnUnreadableBatch, Problems, RunConfig, StartFrom, Surroundings, Topics, parse_duration,
        parse_timezone, parse_window,
    },
    error::RunError,
    event::{EventConfig, FieldNames, TimestampStyle},
    limits,
    window::WindowRules,
};

/// Default of `--duration`.
const DURATION: Duration = Duration::from_mins(1);

/// Silence after which the last windows close; shorter than that of `run`, because whoever watches
/// a demo waits for it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Event times are up to this much older than their place in the stream.
const DISORDER: Duration = Duration::from_millis(500);

/// Longer than the disorder, so that only events made late are late.
const GRACE_MS: i64 = 1_000;

/// Half as long as `LATE_BY`: half of the late events revise a window, half go to user-login-late.
const ALLOWED_LATENESS: Duration = Duration::from_secs(30);
const LATE_BY: Duration = Duration::from_mins(1);

const MAX_FUTURE: Duration = Duration::from_hours(1);

/// Batches, queues and window state of some thousand events per second need far less.
const MEMORY_BUDGET: usize = 64 * 1024 * 1024;

/// Turns of the input's partitions per second.
const PARTITION_TURNS_PER_SECOND: u64 = 200;

/// The mock cluster answers a fetch that finds nothing only when its time is over, also when a
/// record comes meanwhile: the usual half second would be half of every latency.
const FETCH_WAIT: [&str; 2] = ["fetch.wait.max.ms", "20"];

/// A checked demo.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Events per second.
    pub(super) rate: u32,
    /// How long they are sent.
    pub(super) duration: Duration,
    /// Length of a window.
    pub(super) window: Duration,
}

impl Settings {
    /// Checks every flag.
    pub(super) fn check(args: &DemoArgs) -> Result<Self, RunError> {
        let mut problems = Problems::new();
        let rate = problems.check("--rate", &args.rate, parse_rate);
        let window = problems.check("--window", &args.window, parse_window);
        let duration = match (&args.duration, rate) {
            (Some(text), rate) => {
                problems.check("--duration", text, |text| parse_demo_duration(text, rate))
            }
            (None, Some(rate)) => Some(DURATION.min(longest(rate))),
            (None, None) => None,
        };
        match (problems.into_error(), rate, duration, window) {
            (None, Some(rate), Some(duration), Some(window)) => Ok(Self { rate, duration, window }),
            (error, ..) => {
                let error = error.expect("every missing part has noted a problem");
                Err(RunError::Refused(error.to_string()))
            }
        }
    }

    /// What the generator is told; its events begin at `start_time_s`.
    pub(super) fn load(&self, brokers: &str, start_time_s: i64) -> Load {
        Load {
            brokers: brokers.to_owned(),
            topic: topics().input,
            seed: 1,
            rate: f64::from(self.rate),
            duration: self.duration,
            start_time_s,
            users: 100_000,
            // No user so busy that one partition fills before the others.
            zipf: 0.5,
            disorder: DISORDER,
            run_length: (u64::from(self.rate) / PARTITION_TURNS_PER_SECOND).max(1),
            shares: LoadShares {
                late: 0.005,
                late_by: LATE_BY,
                duplicate: 0.002,
                odd: 0.01,
                poison: 0.003,
                tombstone: 0.001,
            },
            on_warning: |text| tracing::warn!("load or judge: {text}"),
        }
    }

    /// What the pipeline is told.
    pub(super) fn config(&self, brokers: &str, state_dir: PathBuf, http: SocketAddr) -> RunConfig {
        let memory = MemoryPlan::new(MEMORY_BUDGET).expect("a budget above the smallest");
        RunConfig {
            brokers: brokers.to_owned(),
            group_id: "logintide-demo".to_owned(),
            instance_id: None,
            topics: topics(),
            new_topic_partitions: None,
            new_topic_replication: None,
            workers: Surroundings::read().default_workers(&memory),
            delivery: Delivery::AtLeastOnce,
            window: WindowRules {
                size_ms: self.window.as_millis() as i64,
                grace_ms: GRACE_MS,
                allowed_lateness_ms: ALLOWED_LATENESS.as_millis() as i64,
            },
            idle_timeout: IDLE_TIMEOUT,
            commit_interval: Duration::from_millis(500),
            start_from: StartFrom::Earliest,
            on_unreadable_batch: OnUnreadableBatch::Fail,
            state_dir,
            on_state_mismatch: OnStateMismatch::Fail,
            on_topic_recreated: OnTopicRecreated::Fail,
            memory,
            event: EventConfig {
                fields: FieldNames::default(),
                timezone: parse_timezone("UTC").expect("a zone that is always there"),
                timestamp_style: TimestampStyle::Naive,
                max_future_ms: MAX_FUTURE.as_millis() as i64,
                max_event_bytes: limits::MAX_EVENT_BYTES,
            },
            http: Some(http),
            http_token: None,
            stats_interval: Some(Duration::from_secs(10)),
            stall_timeout: Duration::from_mins(1),
            log_format: LogFormat::Text,
            create_topics: false,
            exit_at_end: false,
            client_properties: ClientProperties(vec![FETCH_WAIT.map(str::to_owned).into()]),
        }
    }

    /// What the judge is told. Outputs may repeat only when an epoch was rolled back.
    pub(super) fn processing(&self, rollbacks: u64) -> Processing {
        let topics = topics();
        Processing {
            processed_topic: topics.processed,
            aggregated_topic: topics.aggregated,
            dead_letter_topic: topics.dead_letter,
            late_topic: topics.late,
            window: self.window,
            allowed_lateness: ALLOWED_LATENESS,
            max_future: MAX_FUTURE,
            max_event_bytes: limits::MAX_EVENT_BYTES,
            max_values: limits::MAX_VALUES_PER_DIMENSION,
            allowed_repeats: u8::try_from(rollbacks).unwrap_or(100).min(100),
        }
    }

    /// How long the end may take after the last event was sent.
    pub(super) fn finish_deadline(&self) -> Duration {
        self.window + Duration::from_millis(GRACE_MS as u64) + limits::DEMO_FINISH_DEADLINE
    }
}

/// The names that `run` uses by default.
pub(super) fn topics() -> Topics {
    Topics {
        input: "user-login".to_owned(),
        processed: "processed-logins".to_owned(),
        aggregated: "aggregated-usage".to_owned(),
        dead_letter: "user-login-dlq".to_owned(),
        late: "user-login-late".to_owned(),
    }
}

/// The topics and their partitions.
pub(super) fn partitions() -> [(String, i32); 5] {
    let topics = topics();
    [
        (topics.input, limits::DEMO_INPUT_PARTITIONS),
        (topics.processed, limits::DEMO_PROCESSED_PARTITIONS),
        (topics.aggregated, limits::DEMO_SIDE_PARTITIONS),
        (topics.dead_letter, limits::DEMO_SIDE_PARTITIONS),
        (topics.late, limits::DEMO_SIDE_PARTITIONS),
    ]
}

/// Where the state is, in the demo's folder.
pub(super) fn state_dir(folder: &Path) -> PathBuf {
    folder.join("state")
}

/// Events that the embedded broker keeps.
fn capacity() -> u64 {
    let of = |partitions: i32, record_bytes: usize| {
        let bytes = partitions as usize * limits::DEMO_PARTITION_BYTES / 100;
        (bytes * limits::DEMO_FILL_PERCENT / record_bytes) as u64
    };
    let input = of(limits::DEMO_INPUT_PARTITIONS, limits::DEMO_INPUT_RECORD_BYTES);
    let processed = of(limits::DEMO_PROCESSED_PARTITIONS, limits::DEMO_PROCESSED_RECORD_BYTES);
    input.min(processed)
}

/// The longest demo at a rate, whole seconds.
fn longest(rate: u32) -> Duration {
    Duration::from_secs(capacity() / u64::from(rate)).min(limits::DURATION_MAX)
}

fn parse_rate(text: &str) -> Result<u32, String> {
    let range = 1..=limits::DEMO_RATE_MAX;
    let rate = text.parse().ok().filter(|rate| range.contains(rate));
    rate.ok_or_else(|| format!("is no whole number from 1 to {}", limits::DEMO_RATE_MAX))
}

/// The rate is `None` when it is wrong itself.
fn parse_demo_duration(text: &str, rate: Option<u32>) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < limits::DEMO_DURATION_MIN {
        return Err(format!("is below the shortest demo of {:?}", limits::DEMO_DURATION_MIN));
    }
    let Some(rate) = rate else { return Ok(duration) };
    if duration <= longest(rate) {
        return Ok(duration);
    }
    let (events, most) = (capacity(), longest(rate));
    let slower = (events as f64 / duration.as_secs_f64()).floor();
    let or = if slower >= 1.0 { format!(", or --rate {slower}") } else { String::new() };
    Err(format!(
        "the embedded broker keeps {events} events, {most:?} at --rate {rate}; use --duration \
         {most:?}{or}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rate: &str, duration: Option<&str>) -> Result<Settings, String> {
        let args = DemoArgs {
            rate: rate.to_owned(),
            duration: duration.map(str::to_owned),
            window: "5s".to_owned(),
        };
        Settings::check(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_fit_into_the_broker() {
        let settings = check("3000", None).expect("right");
        assert_eq!((settings.rate, settings.duration), (3000, DURATION));
        let fast = check("50000", None).expect("right");
        assert!(fast.duration >= limits::DEMO_DURATION_MIN && fast.duration < DURATION);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let text = check("10000", Some("10m")).expect_err("too long");
        assert!(text.starts_with("--duration 10m: the embedded broker keeps"), "{text}");
        let longest = longest(10_000);
        assert!(text.contains(&format!("use --duration {longest:?}, or --rate ")), "{text}");
        assert!(check("10000", Some(&format!("{longest:?}"))).is_ok());
        let slower = text.rsplit(' ').next().expect("a rate");
        assert!(check(slower, Some("10m")).is_ok(), "{text}");
    }

    #[test]
    fn wrong_values_are_named_together() {
        let text = check("0", Some("10")).expect_err("wrong");
        assert!(text.contains("--rate 0: is no whole number from 1 to 50000"), "{text}");
        assert!(text.contains("--duration 10: has no unit"), "{text}");
    }
}
