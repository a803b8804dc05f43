//! From `DemoArgs` to the settings of each part of the demo: broker, load, pipeline, judge.
//!
//! Pure. Holds: what is sent fits into the embedded broker, which deletes the oldest records of a
//! full partition without an error; pipeline and judge have the same rules.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use loadgen::embedded::{Load, LoadShares, Processing};

use super::DemoArgs;
use crate::{
    config::{Problems, RunConfig, Surroundings, parse_duration, parse_number, parse_window},
    error::RunError,
    limits,
    settings::{Setting, preset, table as t},
    topics::Topic,
};

/// Default of `--duration`.
const DURATION: Duration = Duration::from_mins(1);

/// Silence after which the last windows close; shorter than that of `run`, because the user
/// waits for it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Event times are up to this much older than their place in the stream.
const DISORDER: Duration = Duration::from_millis(500);

/// Longer than the disorder, so that only events made late are late.
const GRACE: Duration = Duration::from_secs(1);

/// Half as long as `LATE_BY`: half of the late events revise a window, half go to user-login-late.
const ALLOWED_LATENESS: Duration = Duration::from_secs(30);
const LATE_BY: Duration = Duration::from_mins(1);

const MAX_FUTURE: Duration = Duration::from_hours(1);

/// The consumer group, which names the journal.
const GROUP_ID: &str = "logintide-demo";

/// Turns of the input's partitions per second.
const PARTITION_TURNS_PER_SECOND: u64 = 200;

/// The mock cluster answers a fetch that finds nothing only when its time is over, also when a
/// record comes meanwhile: the usual half second would be half of every latency.
const FETCH_WAIT: &str = "fetch.wait.max.ms=20";

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

    /// The settings of the generator; its events begin at `start_time_s`.
    pub(super) fn load(&self, brokers: &str, start_time_s: i64) -> Load {
        Load {
            brokers: brokers.to_owned(),
            topic: name_of(Topic::Input),
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

    /// The settings of the pipeline.
    pub(super) fn config(&self, brokers: &str, state_dir: PathBuf, http: SocketAddr) -> RunConfig {
        let values: [(&'static dyn Setting, &str); 12] = [
            (&t::BROKERS, brokers),
            (&t::GROUP_ID, GROUP_ID),
            (&t::DELIVERY, "at-least-once"),
            (&t::WINDOW, &text_of(self.window)),
            (&t::GRACE, &text_of(GRACE)),
            (&t::ALLOWED_LATENESS, &text_of(ALLOWED_LATENESS)),
            (&t::IDLE_TIMEOUT, &text_of(IDLE_TIMEOUT)),
            (&t::MAX_FUTURE, &text_of(MAX_FUTURE)),
            (&t::STATE_DIR, "."),
            (&t::MEMORY_BUDGET, "64MiB"),
            (&t::HTTP, &http.to_string()),
            (&t::CLIENT, FETCH_WAIT),
        ];
        // A path is not always a text.
        RunConfig { state_dir, ..preset(&values, &Surroundings::read()) }
    }

    /// The settings of the judge. Outputs may repeat only when an epoch was rolled back.
    pub(super) fn processing(&self, rollbacks: u64) -> Processing {
        Processing {
            processed_topic: name_of(Topic::Processed),
            aggregated_topic: name_of(Topic::Aggregated),
            dead_letter_topic: name_of(Topic::DeadLetter),
            late_topic: name_of(Topic::Late),
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
        self.window + GRACE + limits::DEMO_FINISH_DEADLINE
    }
}

/// A duration as a setting has it.
fn text_of(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// The name that `run` uses by default.
pub(super) fn name_of(topic: Topic) -> String {
    topic.spec().default_name.in_group(GROUP_ID)
}

/// The partitions of a topic.
pub(super) fn partitions_of(topic: Topic) -> i32 {
    match topic {
        Topic::Input => limits::DEMO_INPUT_PARTITIONS,
        Topic::Processed => limits::DEMO_PROCESSED_PARTITIONS,
        _ => limits::DEMO_SIDE_PARTITIONS,
    }
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
    parse_number(text, 1..=limits::DEMO_RATE_MAX)
}

/// The rate is `None` when it is wrong itself.
fn parse_demo_duration(text: &str, rate: Option<u32>) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < limits::DEMO_DURATION_MIN {
        return Err(format!("expected at least {:?}", limits::DEMO_DURATION_MIN));
    }
    let Some(rate) = rate else { return Ok(duration) };
    if duration <= longest(rate) {
        return Ok(duration);
    }
    let (events, most) = (capacity(), longest(rate));
    let slower = (events as f64 / duration.as_secs_f64()).floor();
    let or = if slower >= 1.0 { format!(", or --rate {slower}") } else { String::new() };
    Err(format!(
        "expected at most {most:?}, because the embedded broker keeps {events} events at --rate \
         {rate}; use --duration {most:?}{or}"
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
        assert!(
            text.starts_with("invalid value '10m' for '--duration': expected at most "),
            "{text}"
        );
        let longest = longest(10_000);
        assert!(text.contains(&format!("use --duration {longest:?}, or --rate ")), "{text}");
        assert!(check("10000", Some(&format!("{longest:?}"))).is_ok());
        let slower = text.rsplit(' ').next().expect("a rate");
        assert!(check(slower, Some("10m")).is_ok(), "{text}");
    }

    #[test]
    fn wrong_values_are_named_together() {
        let text = check("0", Some("10")).expect_err("wrong");
        assert!(
            text.contains(
                "invalid value '0' for '--rate': expected a whole number from 1 to 50000"
            ),
            "{text}"
        );
        assert!(
            text.contains("invalid value '10' for '--duration': expected a duration"),
            "{text}"
        );
    }
}
