//! What a history is like: sizes and settings, from its seed.

use std::time::Duration;

use logintide::{
    config::Delivery,
    topics::{PerOutput, PerTopic, Topic},
    window::WindowRules,
};

use super::house::POOL_BYTES;
use crate::kafka::{Faults, Random};

/// The consumer group.
pub(crate) const GROUP: &str = "logins";
pub(crate) const WINDOW_MS: i64 = 2_000;
const ALLOWED_LATENESS_MS: i64 = 3_000;
/// What nearly every event takes from its time to the input, and all of orderly input take.
const GRACE_MS: i64 = 500;
/// How old an event of orderly input is at most when it is written.
pub(crate) const ORDERLY_DELAY_MS: i64 = GRACE_MS;
pub(crate) const COMMIT_INTERVAL: Duration = Duration::from_millis(200);
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_millis(800);
pub(crate) const SESSION: Duration = Duration::from_secs(6);
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Memory that the counts of some windows nearly fill.
const SMALL_POOL_BYTES: usize = 32 << 10;

/// Partitions of a topic, at most.
pub(crate) const MOST_PARTITIONS: usize = 6;
const MOST_PARTITIONS_AT_FIRST: usize = 4;
const MOST_WORKERS: usize = 3;
const MOST_INSTANCES: usize = 8;

/// What a scheduler may do to a process or to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process ends between two steps.
    Kill,
    /// The process ends in the middle of a step, at one of its next requests.
    KillAtRequest,
    /// The process can write nothing to its disk any more.
    BreakDisk,
    /// The process is asked to end.
    Stop,
    /// The process stands still, perhaps longer than its session.
    Pause,
    /// Requests or only answers are lost for a while.
    Cut,
    /// Brokers forget transactional ids that are not in use.
    ExpireIds,
    MoveLeader,
    MoveCoordinators,
    /// Another member has some of the partitions for a while.
    Guest,
    /// The cleaner goes over a part of the journal.
    Compact,
    /// For a while the process has no memory for records.
    FillMemory,
    /// A topic gets a partition more.
    AddPartition,
    /// The journal is deleted, and created again.
    DeleteJournal,
    /// A part of the journal loses its end.
    CutJournal,
    /// The network and the brokers are bad in another way from now on.
    Weather,
}

impl Trouble {
    const ALL: [Self; 16] = [
        Self::Kill,
        Self::KillAtRequest,
        Self::BreakDisk,
        Self::Stop,
        Self::Pause,
        Self::Cut,
        Self::ExpireIds,
        Self::MoveLeader,
        Self::MoveCoordinators,
        Self::Guest,
        Self::Compact,
        Self::FillMemory,
        Self::AddPartition,
        Self::DeleteJournal,
        Self::CutJournal,
        Self::Weather,
    ];

    /// One history in so many has it.
    fn one_in(self) -> u32 {
        match self {
            Self::DeleteJournal | Self::CutJournal | Self::AddPartition => 8,
            _ => 3,
        }
    }

    /// Whether it takes the journal, or a part of it.
    fn loses_journal(self) -> bool {
        matches!(self, Self::DeleteJournal | Self::CutJournal)
    }

    /// Whether windows may close without events that are not read yet, or lose some.
    fn disorders(self) -> bool {
        matches!(self, Self::Guest | Self::AddPartition) || self.loses_journal()
    }
}

/// What the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It enriches events and counts them in windows.
    Windows,
    /// It keeps users' profiles.
    Users,
}

impl Work {
    /// The topics' names.
    pub(crate) fn names(self) -> PerTopic<String> {
        PerTopic::of(self.topics(), |topic| topic.spec().default_name.in_group(GROUP))
    }

    pub(crate) fn topics(self) -> &'static [Topic] {
        match self {
            Self::Windows => &Topic::COUNTING,
            Self::Users => &Topic::PROFILING,
        }
    }
}

/// What a history is like.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) work: Work,
    pub(crate) delivery: Delivery,
    /// Instances of the group.
    pub(crate) instances: usize,
    /// Partitions of every topic.
    pub(crate) partitions: PerTopic<usize>,
    /// Records that are written to the input.
    pub(crate) records: usize,
    /// No event is older than the grace when it is read.
    pub(crate) is_orderly: bool,
    /// What batches and windows may take.
    pub(crate) memory_bytes: usize,
    pub(crate) rules: WindowRules,
    /// What may happen; some only, because a history goes further with few.
    pub(crate) troubles: Vec<Trouble>,
    /// One round in so many has trouble.
    pub(crate) trouble_one_in: u32,
    /// Processes end by themselves at the end of the input.
    pub(crate) is_bounded: bool,
}

/// How many instances there are: mostly few, because a history goes further with few.
fn instances(random: &mut Random) -> usize {
    match random.below(10) {
        0..3 => 1,
        3..6 => 2,
        6..9 => 3,
        _ => 1 + random.below(MOST_INSTANCES),
    }
}

impl Plan {
    pub(crate) fn new(delivery: Delivery, random: &mut Random) -> Self {
        let partitions = PerTopic::of(&Topic::COUNTING, |topic| match topic {
            Topic::Input => 1 + random.below(MOST_PARTITIONS_AT_FIRST),
            _ => 1 + random.below(2),
        });
        let mut troubles = Trouble::ALL.to_vec();
        troubles.retain(|trouble| random.one_in(trouble.one_in()));
        // What is lost is named by what was published with all partitions.
        let loses = troubles.iter().any(|trouble| trouble.loses_journal());
        troubles.retain(|trouble| *trouble != Trouble::Guest || !loses);
        let is_orderly = random.one_in(3) && !troubles.iter().any(|trouble| trouble.disorders());
        let is_small = random.one_in(8);
        let rules = WindowRules {
            size_ms: WINDOW_MS,
            grace_ms: GRACE_MS,
            allowed_lateness_ms: ALLOWED_LATENESS_MS,
        };
        Self {
            work: Work::Windows,
            delivery,
            instances: instances(random),
            partitions,
            records: 10 + random.below(40),
            is_orderly,
            memory_bytes: if is_small { SMALL_POOL_BYTES } else { POOL_BYTES },
            rules,
            troubles,
            trouble_one_in: *random.pick(&[3, 6, 12]),
            is_bounded: false,
        }
    }

    /// A group of so many instances to which nothing happens.
    pub(crate) fn of_group(
        delivery: Delivery,
        instances: usize,
        input_partitions: usize,
        records: usize,
    ) -> Self {
        let any = Self::new(delivery, &mut Random::new(0));
        let partitions = PerTopic::of(&Topic::COUNTING, |topic| match topic {
            Topic::Input => input_partitions,
            _ => 2,
        });
        let (memory_bytes, troubles, is_orderly) = (POOL_BYTES, Vec::new(), false);
        Self { instances, partitions, records, is_orderly, memory_bytes, troubles, ..any }
    }

    /// The same, with processes that end by themselves: each such end closes every window, so that
    /// later events revise it.
    pub(crate) fn bounded(mut self) -> Self {
        // What is cut off unseen is found by a new start only.
        self.troubles.retain(|trouble| *trouble != Trouble::CutJournal);
        Self { is_bounded: true, is_orderly: false, ..self }
    }

    /// The same for users: their rows are not written again when the journal has lost them.
    pub(crate) fn of_users(mut self) -> Self {
        self.troubles.retain(|trouble| !trouble.loses_journal());
        let work = Work::Users;
        let of = self.partitions;
        let partitions = PerTopic::of(work.topics(), |topic| match topic {
            Topic::Alerts => of[Topic::Processed],
            Topic::Activity => of[Topic::Aggregated],
            topic => of[topic],
        });
        Self { work, partitions, records: 3 * self.records, is_orderly: false, ..self }
    }

    /// Whether every window has all partitions.
    pub(crate) fn is_complete(&self) -> bool {
        !self.troubles.iter().any(|trouble| trouble.disorders())
    }

    /// Whether the journal, or a part of it, is lost. No event is dated ahead then: nothing says
    /// which windows behind the highest watermark have had some.
    pub(crate) fn loses_journal(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.loses_journal())
    }

    /// Whether topics become others while they are used.
    pub(crate) fn changes_topics(&self) -> bool {
        let changes = [Trouble::AddPartition, Trouble::DeleteJournal];
        self.troubles.iter().any(|trouble| changes.contains(trouble))
    }

    /// How many partitions of each output there are.
    pub(crate) fn outputs(&self) -> PerOutput<i32> {
        self.partitions.map(|_, partitions| *partitions as i32).outputs()
    }

    /// A number of workers, for one start.
    pub(crate) fn workers(random: &mut Random) -> usize {
        1 + random.below(MOST_WORKERS)
    }

    /// How bad the network and the brokers are from now on.
    pub(crate) fn weather(&self, random: &mut Random) -> Faults {
        let mut faults = match random.below(6) {
            0 => Faults::none(),
            1 => Faults::some(),
            _ => Faults::swarm(random),
        };
        if self.loses_journal() {
            // It is the journal that tells this from a new group.
            faults.forgotten_offsets_one_in = 0;
        }
        if !random.one_in(4) {
            return faults;
        }
        // Late copies, often and soon, so that they hit the next transaction.
        let late_copy_delay = (Duration::ZERO, Duration::from_secs(2));
        Faults { late_end_one_in: 4, late_offsets_one_in: 4, late_copy_delay, ..faults }
    }
}
