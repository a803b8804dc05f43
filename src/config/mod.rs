//! The checked configuration of one run: values that are ready to use.
//!
//! `settings` builds it once; every thread gets its part by value and none changes it. The
//! submodules hold the checks of single values, pure functions from a text to a value or to what
//! was expected instead, and the list of all problems.

mod checks;
mod instance;
mod problems;
pub mod secrets;
mod state_dir;
#[cfg(test)]
mod tests;
mod timezone;
mod token;
mod units;

use std::{fmt, net::SocketAddr, ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use clap::ValueEnum;

pub use checks::{
    alternatives, parse_brokers, parse_choice, parse_group_id, parse_instance_id, parse_number,
    parse_pair, parse_start_from, parse_switch, parse_time, parse_topic, possible_values,
};
pub use instance::default_instance_id;
pub use problems::{ConfigError, Problems, invalid_value};
pub use state_dir::{Surroundings, default_state_dir, parse_state_dir};
pub use timezone::parse_timezone;
pub use token::{HttpToken, parse_http_token};
pub use units::{duration_within, parse_duration, parse_size, parse_window};

use crate::{
    event::EventConfig,
    ids::InstanceId,
    limits::{self, Timing},
    topics::PerTopic,
    users::{
        RuleSettings,
        place::{DeviceList, NetworkList, PlaceTable},
    },
    window::WindowRules,
};

/// The checked settings of `logintide run`.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// `host:port` list for `bootstrap.servers`.
    pub brokers: String,
    /// Consumer group; also names the default state folder.
    pub group_id: String,
    /// Name of this instance in the group, in its transactional ids and in what it commits.
    pub instance_id: InstanceId,
    /// Whether a stop gives up this instance's place in the group.
    pub leave_on_stop: bool,
    /// The topics' names, all different.
    pub topics: PerTopic<String>,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// The guarantee for the outputs.
    pub delivery: Delivery,
    /// Window size, grace and allowed lateness, milliseconds.
    pub window: WindowRules,
    /// What is made of users; `None`: events are enriched and counted in windows.
    pub users: Option<UsersConfig>,
    /// Silence at the end of a partition after which it no longer holds the watermark back.
    pub idle_timeout: Duration,
    /// Time between two epoch cuts.
    pub commit_interval: Duration,
    /// How long the group, transactions and commits wait.
    pub timing: Timing,
    /// Where a partition without a committed offset starts.
    pub start_from: StartFrom,
    /// What happens at a batch of the input that cannot be read.
    pub on_unreadable_batch: OnUnreadableBatch,
    /// Folder of the window state; it may not exist yet.
    pub state_dir: PathBuf,
    /// What happens when the input topic was deleted and created again.
    pub on_topic_recreated: OnTopicRecreated,
    /// How the memory budget is divided.
    pub memory: MemoryPlan,
    /// Rules for a single event.
    pub event: EventConfig,
    /// Address of dashboard, API, metrics and health; `None`: not served.
    pub http: Option<SocketAddr>,
    /// The token that the API asks for; `None`: it asks for no token.
    pub http_token: Option<HttpToken>,
    /// Time between two statistics lines in the log; `None`: no lines are written.
    pub stats_interval: Option<Duration>,
    /// Time without progress after which the process is unhealthy; it ends after twice that.
    pub stall_timeout: Duration,
    /// Form of the log lines.
    pub log_format: LogFormat,
    /// Whether missing topics are created.
    pub create_topics: bool,
    /// Partitions of the topics that are created; `None`: as many as the input, else
    /// `NEW_TOPIC_PARTITIONS`.
    pub new_topic_partitions: Option<i32>,
    /// Copies of their partitions; `None`: the broker's default.
    pub new_topic_replication: Option<i32>,
    /// Whether the run ends at the end offsets that it saw at its start.
    pub exit_at_end: bool,
    /// Properties handed through to librdkafka.
    pub client_properties: ClientProperties,
}

/// What is made of users.
#[derive(Debug, Clone)]
pub struct UsersConfig {
    /// The numbers of the rules.
    pub rules: RuleSettings,
    /// What `locale` says.
    pub places: PlaceTable,
    /// Database of the places of addresses, which counts in its place.
    pub geoip: Option<PathBuf>,
    /// Values that say nothing, beside the usual ones.
    pub placeholders: Arc<[String]>,
    /// Networks that nobody is told apart by.
    pub networks: Arc<NetworkList>,
    /// Devices that nobody is told apart by.
    pub devices: Arc<DeviceList>,
    /// Time after which a profile is forgotten.
    pub profile_ttl: Duration,
    /// Event time that a partition is read before it gives alerts.
    pub learn: Duration,
    /// Logins that are read before there are alerts.
    pub learn_logins: u64,
    /// How far behind the watermark a login still says something.
    pub allowed_lateness: Duration,
}

/// Delivery guarantee of the outputs; window totals are exact either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Delivery {
    /// Outputs and offsets in one Kafka transaction per epoch: a `read_committed` reader sees every
    /// output once.
    ExactlyOnce,
    /// A crash may repeat outputs of the open epoch.
    AtLeastOnce,
}

/// Where a partition without a committed offset starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFrom {
    /// The oldest record.
    Earliest,
    /// After the newest record.
    Latest,
    /// The first record whose Kafka timestamp is at least this, milliseconds since the Unix epoch.
    Time(i64),
}

/// What happens when the input topic was deleted and created again, so that offsets have lost their
/// meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnTopicRecreated {
    /// End the run, naming both topics.
    Fail,
    /// Read the new topic from its log's start; published windows take no more events.
    Begin,
}

/// What happens at a batch of the input that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnUnreadableBatch {
    /// Stop, naming partition, offset and remedy.
    Fail,
    /// Skip it; its records count as a gap.
    Skip,
}

/// Form of the log lines on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text.
    Text,
    /// One JSON object per line.
    Json,
}

/// `-X` properties in the order given, names distinct. `Debug` shows the names only, because
/// values may be passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties(pub Vec<(String, String)>);

impl Deref for ClientProperties {
    type Target = [(String, String)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The memory budget and its parts, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The whole budget: the sum of the others, and a reserve for what cannot be counted.
    pub total: usize,
    /// Records fetched and not yet drained (`queued.max.messages.kbytes`).
    pub fetch_queue: usize,
    /// Records waiting in the producer (`queue.buffering.max.kbytes`).
    pub producer_queue: usize,
    /// Batches, held epochs, deltas and the ledger.
    pub pool: usize,
    /// Rows of users: a part of them with the workers, the rest on the way to their files.
    pub rows: usize,
}

impl MemoryPlan {
    /// Divides `total` bytes; the error says how much is needed at least.
    ///
    /// The queues have their full size from `MEMORY_BUDGET_FULL_BYTES` on and shrink in proportion
    /// below it. Half of the rest is the reserve, up to `MEMORY_RESERVE_MAX_BYTES`.
    pub fn new(total: usize) -> Result<Self, String> {
        if total < limits::MEMORY_BUDGET_MIN_BYTES {
            return Err(format!("expected at least {}MiB", limits::MEMORY_BUDGET_MIN_BYTES >> 20));
        }
        let share = total.min(limits::MEMORY_BUDGET_FULL_BYTES);
        let scale = |full: usize| full / 1024 * (share / 1024) / MEMORY_BUDGET_FULL_KIB * 1024;
        let fetch_queue = scale(limits::FETCH_QUEUE_BYTES);
        let producer_queue = scale(limits::PRODUCER_QUEUE_BYTES);
        let rest = total - fetch_queue - producer_queue;
        let reserve = rest / limits::MEMORY_RESERVE_DIVISOR;
        let pool = rest - reserve.min(limits::MEMORY_RESERVE_MAX_BYTES);
        // Batches and state each have the floor.
        let pool = pool.max(2 * limits::BUDGET_FLOOR_BYTES);
        Ok(Self { total, fetch_queue, producer_queue, pool, rows: 0 })
    }

    /// The same for a stage that keeps rows of users: most of the pool is for them.
    #[must_use]
    pub fn with_rows(self) -> Self {
        let pool = (self.pool / limits::ROWS_POOL_DIVISOR).max(2 * limits::BUDGET_FLOOR_BYTES);
        Self { pool, rows: (self.pool - pool).max(limits::ROWS_MIN_BYTES), ..self }
    }

    /// Of the rows, those that each of so many workers keeps.
    pub fn rows_of_worker(&self, workers: usize) -> usize {
        self.rows / limits::ROW_FILES_DIVISOR * (limits::ROW_FILES_DIVISOR - 1) / workers
    }

    /// Of the rows, those that wait to be written.
    pub fn rows_waiting(&self) -> usize {
        self.rows / limits::ROW_FILES_DIVISOR
    }

    /// The most workers that all have their batches while window state has its floor.
    pub fn most_workers(&self) -> usize {
        ((self.pool - limits::BUDGET_FLOOR_BYTES) / limits::WORKER_POOL_BYTES).max(1)
    }

    /// The smallest budget, MiB, under which this many workers all have their batches while window
    /// state has its floor.
    pub fn smallest_mib(workers: usize) -> usize {
        Self::smallest_mib_of_pool(workers * limits::WORKER_POOL_BYTES)
    }

    /// The smallest budget, MiB, in which every worker can fill a batch for every partition of the
    /// enriched events at the same time. With less, full batches wait for the next commit.
    pub fn roomy_mib(workers: usize, partitions: usize) -> usize {
        let open = workers * partitions * limits::OUTPUT_BATCH_BYTES;
        Self::smallest_mib_of_pool(workers * limits::WORKER_POOL_BYTES + open)
    }

    fn smallest_mib_of_pool(batches: usize) -> usize {
        let pool = batches + limits::BUDGET_FLOOR_BYTES;
        let holds = |mib: &usize| Self::new(mib << 20).is_ok_and(|plan| plan.pool >= pool);
        // Pool and queues together are less than twice the pool and the full queues.
        let most = (2 * pool + limits::MEMORY_BUDGET_FULL_BYTES) >> 20;
        let candidates: Vec<usize> = (limits::MEMORY_BUDGET_MIN_BYTES >> 20..=most).collect();
        // A larger budget never has a smaller pool.
        candidates[candidates.partition_point(|mib| !holds(mib)).min(candidates.len() - 1)]
    }
}

const MEMORY_BUDGET_FULL_KIB: usize = limits::MEMORY_BUDGET_FULL_BYTES / 1024;
