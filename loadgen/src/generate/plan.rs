//! The plan of the events: seed, shares and times. Both `produce` and `verify` read it from the
//! same flags. An event's bytes depend on the plan and its scheduled send time only.

use std::sync::Arc;

use clap::Args;
use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use super::population::{FEWEST_USERS, Population, PopulationFile};
use crate::values::{duration, share};

/// The flags that determine the events.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Events")]
pub(crate) struct Plan {
    /// Seed of the random numbers; the same seed gives the same events [verify: predict them]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,

    /// Number of different users
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) users: u64,

    /// Exponent of the Zipf distribution of users; 0 makes all equally busy
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub(crate) zipf: f64,

    /// A population of stable users and labelled attackers: a TOML file, or `default`. Without it
    /// place, network and device of each login are random
    #[arg(long, value_name = "FILE|default", value_parser = population,
          conflicts_with = "required_only")]
    #[serde(skip)]
    pub(crate) population: Option<Arc<PopulationFile>>,

    /// With --population: events come evenly through the day, as a live run needs; by default their
    /// times follow the hours of the population
    #[arg(long, requires = "population")]
    pub(crate) flat_hours: bool,

    /// Number of different locales: up to 50 are US states, the others have made-up names [with
    /// --population always the states]
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) locales: u32,

    /// Leave out `event_no` and `sent_us`: write exactly the seven fields of the original generator
    #[arg(long)]
    pub(crate) bare: bool,

    /// Plain events have `user_id` and `timestamp` and no other field of a login
    #[arg(long)]
    pub(crate) required_only: bool,

    /// Pad plain events to this many bytes with an unknown field
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) event_size: usize,

    /// Number of events in one second of event time [default: --rate, else 10000]
    #[arg(long, value_name = "X")]
    pub(crate) events_per_second_of_event_time: Option<f64>,

    /// Event time of the first event: epoch seconds or RFC 3339 [default with --rate alone: now;
    /// else such that the last event is now; verify: found in the topic]
    #[arg(long, value_name = "TIME", value_parser = crate::values::start_time)]
    pub(crate) start_time: Option<i64>,

    /// Event times are up to this much older than scheduled
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    #[serde(serialize_with = "text")]
    pub(crate) disorder: SignedDuration,

    /// Records in a row that go to one partition before the next partition gets some
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) run_length: u64,

    /// Shares of the partitions in their order, like 100,1: the last one is also the share of each
    /// further partition [default: all the same]
    #[arg(long, value_name = "LIST", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) partition_shares: Vec<u32>,

    /// Shares of special records.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) shares: Shares,
}

/// Shares of special records among all, each from 0 to 1.
#[derive(Args, Clone, Debug, Serialize)]
#[command(
    next_help_heading = "Shares (each 0 to 1; together at most 1, --share-missing-device aside)"
)]
pub(crate) struct Shares {
    /// Events without `device_type`
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = share)]
    pub(crate) share_missing_device: f64,

    /// Events whose time is older than scheduled
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_late: f64,

    /// Largest age of a late event; ages are spread evenly from 0
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    #[serde(serialize_with = "text")]
    pub(crate) late_by: SignedDuration,

    /// Events whose time is ahead of the schedule
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_early: f64,

    /// How far ahead an early event is
    #[arg(long, value_name = "DURATION", default_value = "59m", value_parser = duration)]
    #[serde(serialize_with = "text")]
    pub(crate) early_by: SignedDuration,

    /// Events that repeat one of the last 1 000 logins
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_duplicate: f64,

    /// Valid events in unusual JSON: escapes, any field order, other timestamps, nulls, long values
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_odd: f64,

    /// Records that must end in the dead-letter topic
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_poison: f64,

    /// Records without a value
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_tombstone: f64,

    /// Valid events of about 60 KiB
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_huge: f64,

    /// Transactions that are aborted; their events do not count [with --transactional]
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    pub(crate) share_aborted: f64,

    /// Events per transaction [with --transactional]
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) transaction_size: u64,
}

impl Plan {
    /// Event time per event when neither a speed nor a rate is given, in events per second.
    pub(crate) const DEFAULT_SPEED: f64 = 10_000.0;

    /// The seed, or the default one.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The first contradiction in the plan, named with its flag.
    pub(crate) fn check(&self) -> Result<(), String> {
        let shares = &self.shares;
        let sum = shares.share_late
            + shares.share_early
            + shares.share_duplicate
            + shares.share_odd
            + shares.share_poison
            + shares.share_tombstone
            + shares.share_huge;
        if sum > 1.0 + 1e-9 {
            return Err(format!("the shares add up to {sum}: lower them to at most 1 together"));
        }
        if !(self.zipf.is_finite() && self.zipf >= 0.0) {
            return Err(format!("--zipf {}: must be 0 or more", self.zipf));
        }
        match self.events_per_second_of_event_time {
            Some(speed) if !(speed.is_finite() && speed > 0.0) => {
                Err(format!("--events-per-second-of-event-time {speed}: must be above 0"))
            }
            _ => Ok(()),
        }
    }

    /// Why the population does not fit the other flags, once the speed and the start are known.
    pub(crate) fn check_population(&self) -> Result<(), String> {
        let Some(file) = &self.population else { return Ok(()) };
        if self.users < FEWEST_USERS {
            return Err(format!("--users {}: --population needs {FEWEST_USERS}", self.users));
        }
        let Some(start_s) = self.start_time else {
            return Err("--population needs --start-time: a login depends on its time; `produce` \
                        prints it"
                .to_owned());
        };
        Population::new(self, file, start_s.saturating_mul(1_000)).map(|_| ())
    }

    /// Events per second of event time.
    pub(crate) fn speed(&self) -> f64 {
        self.events_per_second_of_event_time.unwrap_or(Self::DEFAULT_SPEED)
    }
}

fn population(name: &str) -> Result<Arc<PopulationFile>, String> {
    PopulationFile::read(name).map(Arc::new)
}

/// A duration as its flag takes it.
fn text<S: Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:#}"))
}
