//! What happens when to which instance, and how many workers its runs have: everything random, all
//! from the seed.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

/// How long a run needs from its launch until it reads: 170 to 830 ms on two cores that are shared,
/// and several seconds at the first launch, on a cold broker that creates topics.
const START_ALLOWANCE: Duration = Duration::from_secs(1);
const FIRST_START_ALLOWANCE: Duration = Duration::from_secs(5);

/// Of one instance, one mishap in so many comes during start and recovery.
const MISHAPS_PER_MISHAP_AT_LAUNCH: u64 = 5;
/// Milliseconds after the launch.
const AFTER_LAUNCH_MS: RangeInclusive<u64> = 20..=800;
/// Milliseconds after the run began to read.
const AFTER_READING_MS: RangeInclusive<u64> = 300..=3_000;
/// Milliseconds between two mishaps of several instances: some find a start or a rebalance that the
/// one before has caused.
const BETWEEN_MS: RangeInclusive<u64> = 1_500..=5_000;

/// Session of several instances: the shortest that brokers allow.
pub(super) const SESSION: Duration = Duration::from_secs(6);
/// How long an instance is paused: its session ends, and the others take its partitions over.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// Numbers of workers that a run may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WorkerCounts(RangeInclusive<u64>);

impl FromStr for WorkerCounts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|count| (1..100).contains(count));
        let parts = text.split_once('-');
        let counts = parts.and_then(|(from, to)| Some(number(from)?..=number(to)?));
        match counts {
            None => Err("expected FROM-TO, for example 1-4".to_owned()),
            Some(counts) if counts.is_empty() => Err("the smaller number goes first".to_owned()),
            Some(counts) => Ok(Self(counts)),
        }
    }
}

impl fmt::Display for WorkerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

/// What the time until a mishap counts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Since {
    /// The launch of the last instance that was started, or the end of the last pause.
    Launch,
    /// The moment when that instance began to read.
    Reading,
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Launch => "launch",
            Self::Reading => "reading",
        })
    }
}

/// What happens to an instance. After all but a pause it is started again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Kill,
    /// Killed, and the state folder is removed.
    LoseState,
    /// SIGTERM; the place in the group is kept.
    Stop,
    /// SIGTERM to a run with `--leave-on-stop`: others get its partitions for a moment.
    Leave,
    /// SIGSTOP for longer than a session, then SIGCONT.
    Pause,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kill => "SIGKILL",
            Self::LoseState => "SIGKILL, folder removed",
            Self::Stop => "SIGTERM",
            Self::Leave => "SIGTERM, leaves the group",
            Self::Pause => "SIGSTOP, SIGCONT",
        })
    }
}

/// One mishap.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mishap {
    pub(super) instance: usize,
    pub(super) kind: Kind,
    pub(super) since: Since,
    pub(super) after: Duration,
    /// Of the run that follows.
    pub(super) workers: u64,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) seed: u64,
    pub(super) mishaps: u64,
    pub(super) instances: usize,
    pub(super) workers: WorkerCounts,
    /// Every so many starts a state folder is removed; 0: none.
    pub(super) lose_state: usize,
    pub(super) with_pauses: bool,
}

/// All mishaps, and with what each instance begins.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    seed: u64,
    /// Workers of each instance's first run.
    pub(super) first_workers: Vec<u64>,
    pub(super) mishaps: Vec<Mishap>,
}

impl Plan {
    /// No two runs of an instance in succession have the same number of workers, if there is a
    /// choice.
    pub(super) fn draw(terms: &Terms) -> Self {
        let mut random = Random(terms.seed);
        let mut workers = vec![0; terms.instances];
        for workers in &mut workers {
            *workers = terms.workers.other_than(*workers, &mut random);
        }
        let first_workers = workers.clone();
        let last = terms.instances as u64 - 1;
        let mishaps = (1..=terms.mishaps as usize).map(|number| {
            let instance = random.draw(&(0..=last)) as usize;
            let (since, after_ms) = terms.draw_moment(&mut random);
            let after = Duration::from_millis(random.draw(&after_ms));
            let kind = terms.draw_kind(number, &mut random);
            workers[instance] = terms.workers.other_than(workers[instance], &mut random);
            Mishap { instance, kind, since, after, workers: workers[instance] }
        });
        let mishaps = mishaps.collect();
        Self { seed: terms.seed, first_workers, mishaps }
    }

    /// Whether the run of an instance that begins after so many mishaps is to leave the group when
    /// it is stopped.
    pub(super) fn leaves(&self, instance: usize, mishaps: usize) -> bool {
        let mut following = self.mishaps[mishaps..].iter();
        let ends = |it: &&Mishap| it.instance == instance && it.kind != Kind::Pause;
        following.find(ends).is_some_and(|mishap| mishap.kind == Kind::Leave)
    }

    /// About how long it takes until the last mishap.
    pub(super) fn expected(&self) -> Duration {
        let each = self.mishaps.iter().map(|mishap| {
            let start = match mishap.since {
                Since::Launch => Duration::ZERO,
                Since::Reading => START_ALLOWANCE,
            };
            let pause = if mishap.kind == Kind::Pause { PAUSE } else { Duration::ZERO };
            start + mishap.after + pause
        });
        FIRST_START_ALLOWANCE + each.sum::<Duration>()
    }
}

impl Terms {
    fn draw_moment(&self, random: &mut Random) -> (Since, RangeInclusive<u64>) {
        if self.instances > 1 {
            return (Since::Launch, BETWEEN_MS);
        }
        match random.draw(&(1..=MISHAPS_PER_MISHAP_AT_LAUNCH)) {
            1 => (Since::Launch, AFTER_LAUNCH_MS),
            _ => (Since::Reading, AFTER_READING_MS),
        }
    }

    /// The folder is lost before the start that follows the mishap of this number, from 1.
    fn draw_kind(&self, number: usize, random: &mut Random) -> Kind {
        let drawn = random.draw(&(1..=6));
        if self.lose_state > 0 && (number + 1).is_multiple_of(self.lose_state) {
            return Kind::LoseState;
        }
        match drawn {
            1 if self.with_pauses => Kind::Pause,
            2 | 3 if self.instances > 1 => Kind::Stop,
            4 if self.instances > 1 => Kind::Leave,
            _ => Kind::Kill,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {} mishaps", self.seed, self.mishaps.len())
    }
}

impl WorkerCounts {
    fn other_than(&self, before: u64, random: &mut Random) -> u64 {
        loop {
            let drawn = random.draw(&self.0);
            if drawn != before || self.0.start() == self.0.end() {
                return drawn;
            }
        }
    }
}

/// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    fn draw(&mut self, range: &RangeInclusive<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        range.start() + mixed % (range.end() - range.start() + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn counts(text: &str) -> Result<WorkerCounts, String> {
        text.parse()
    }

    fn terms(seed: u64, mishaps: u64, instances: usize) -> Terms {
        let workers = WorkerCounts(1..=3);
        Terms { seed, mishaps, instances, workers, lose_state: 3, with_pauses: false }
    }

    #[test]
    fn worker_counts_are_a_range() {
        assert_eq!(counts("1-4"), Ok(WorkerCounts(1..=4)));
        assert_eq!(counts("2-2"), Ok(WorkerCounts(2..=2)));
        assert_eq!(counts("4-1"), Err("the smaller number goes first".to_owned()));
        for wrong in ["", "3", "-3", "3-", "0-2", "1-100", "1-2-3", "a-b"] {
            let expected = "expected FROM-TO, for example 1-4".to_owned();
            assert_eq!(counts(wrong), Err(expected), "{wrong}");
        }
    }

    #[test]
    fn the_seed_decides_the_plan() {
        for instances in [1, 3] {
            let plan = |seed| Plan::draw(&terms(seed, 30, instances));
            assert_eq!(plan(7), plan(7));
            assert_ne!(plan(7), plan(8));
        }
    }

    #[test]
    fn every_run_of_an_instance_has_another_number_of_workers() {
        let plan = Plan::draw(&terms(1, 1_000, 3));
        let mut now = plan.first_workers.clone();
        for mishap in &plan.mishaps {
            assert_ne!(now[mishap.instance], mishap.workers, "{mishap:?}");
            assert!((1..=3).contains(&mishap.workers));
            now[mishap.instance] = mishap.workers;
        }
        let one = Terms { workers: WorkerCounts(2..=2), ..terms(1, 3, 2) };
        assert!(Plan::draw(&one).mishaps.iter().all(|mishap| mishap.workers == 2));
    }

    #[test]
    fn one_instance_is_killed_at_launch_and_while_it_reads() {
        let plan = Plan::draw(&terms(1, 1_000, 1));
        let at_launch = plan.mishaps.iter().filter(|it| it.since == Since::Launch).count();
        assert!((150..250).contains(&at_launch), "{at_launch} of 1000");
        for mishap in &plan.mishaps {
            let moments = match mishap.since {
                Since::Launch => AFTER_LAUNCH_MS,
                Since::Reading => AFTER_READING_MS,
            };
            assert!(moments.contains(&(mishap.after.as_millis() as u64)), "{mishap:?}");
            assert!([Kind::Kill, Kind::LoseState].contains(&mishap.kind), "{mishap:?}");
        }
        // The second mishap is the one before the third start.
        let lost = plan.mishaps.iter().map(|mishap| mishap.kind == Kind::LoseState);
        assert_eq!(lost.take(6).collect::<Vec<_>>(), [false, true, false, false, true, false]);
    }

    #[test]
    fn all_kinds_of_mishaps_come_to_all_of_several_instances() {
        let with_pauses = Terms { with_pauses: true, ..terms(1, 1_000, 3) };
        for (terms, kinds) in [(with_pauses, 5), (terms(1, 1_000, 3), 4)] {
            let mut times = BTreeMap::new();
            for mishap in Plan::draw(&terms).mishaps {
                assert!(BETWEEN_MS.contains(&(mishap.after.as_millis() as u64)));
                *times.entry((mishap.kind, mishap.instance)).or_insert(0) += 1;
            }
            assert_eq!(times.len(), kinds * 3, "{times:?}");
            assert!(times.values().all(|times| *times > 15), "{times:?}");
        }
    }

    #[test]
    fn a_run_leaves_the_group_if_that_is_how_it_ends() {
        let mishap = |instance, kind| Mishap {
            instance,
            kind,
            since: Since::Launch,
            after: Duration::ZERO,
            workers: 1,
        };
        let mishaps = vec![
            mishap(0, Kind::Kill),
            mishap(1, Kind::Pause),
            mishap(1, Kind::Leave),
            mishap(0, Kind::Leave),
        ];
        let plan = Plan { seed: 1, first_workers: vec![1, 1], mishaps };
        assert!(!plan.leaves(0, 0), "it is killed");
        assert!(plan.leaves(0, 1));
        assert!(plan.leaves(1, 0), "a pause is no end");
        assert!(!plan.leaves(1, 3), "nothing ends it");
    }

    #[test]
    fn a_plan_takes_its_starts_moments_and_pauses() {
        let plan = Plan::draw(&terms(1, 0, 1));
        assert_eq!(plan.to_string(), "seed 1: 0 mishaps");
        assert_eq!(plan.expected(), FIRST_START_ALLOWANCE);
        let after = Duration::from_secs(2);
        let mishap = |kind| Mishap { instance: 0, kind, since: Since::Launch, after, workers: 1 };
        let mishaps = vec![mishap(Kind::Kill), mishap(Kind::Pause)];
        let plan = Plan { seed: 1, first_workers: vec![1], mishaps };
        assert_eq!(plan.expected(), FIRST_START_ALLOWANCE + 2 * after + PAUSE);
    }
}
