//! When each run is killed and how many workers it has: everything random, all from the seed.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

/// How long a run needs from its launch until it reads: 170 to 830 ms on two cores that are shared,
/// and several seconds at the first launch, on a cold broker that creates topics.
const START_ALLOWANCE: Duration = Duration::from_secs(1);
const FIRST_START_ALLOWANCE: Duration = Duration::from_secs(5);

/// One kill in so many comes during start and recovery.
const KILLS_PER_KILL_AT_LAUNCH: u64 = 5;
/// Milliseconds after the launch.
const AFTER_LAUNCH_MS: RangeInclusive<u64> = 20..=800;
/// Milliseconds after the run began to read.
const AFTER_READING_MS: RangeInclusive<u64> = 300..=3_000;

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

/// What the time until a kill counts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Since {
    Launch,
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

/// One run that ends by SIGKILL.
#[derive(Debug, PartialEq)]
pub(super) struct Kill {
    pub(super) since: Since,
    pub(super) after: Duration,
    pub(super) workers: u64,
}

/// All runs; no two in succession have the same number of workers, if there is a choice.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    seed: u64,
    pub(super) kills: Vec<Kill>,
    /// Of the last run, which is not killed.
    pub(super) last_workers: u64,
}

impl Plan {
    pub(super) fn draw(seed: u64, kills: u64, workers: &WorkerCounts) -> Self {
        let mut random = Random(seed);
        let mut before = 0;
        let mut draw_workers = |random: &mut Random| {
            let drawn = loop {
                let drawn = random.draw(&workers.0);
                if drawn != before || workers.0.start() == workers.0.end() {
                    break drawn;
                }
            };
            before = drawn;
            drawn
        };
        let kills = (0..kills)
            .map(|_| {
                let workers = draw_workers(&mut random);
                let (since, after_ms) = match random.draw(&(1..=KILLS_PER_KILL_AT_LAUNCH)) {
                    1 => (Since::Launch, AFTER_LAUNCH_MS),
                    _ => (Since::Reading, AFTER_READING_MS),
                };
                let after = Duration::from_millis(random.draw(&after_ms));
                Kill { since, after, workers }
            })
            .collect();
        Self { seed, kills, last_workers: draw_workers(&mut random) }
    }

    /// About how long it takes until the last kill.
    pub(super) fn expected(&self) -> Duration {
        let each = self.kills.iter().map(|kill| match kill.since {
            Since::Launch => kill.after,
            Since::Reading => START_ALLOWANCE + kill.after,
        });
        FIRST_START_ALLOWANCE + each.sum::<Duration>()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {} kills", self.seed, self.kills.len())?;
        for (index, Kill { since, after, .. }) in self.kills.iter().enumerate() {
            let before = if index == 0 { " at" } else { "," };
            write!(f, "{before} {since} + {} ms", after.as_millis())?;
        }
        Ok(())
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
    use super::*;

    fn counts(text: &str) -> Result<WorkerCounts, String> {
        text.parse()
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
        let workers = WorkerCounts(1..=4);
        assert_eq!(Plan::draw(7, 30, &workers), Plan::draw(7, 30, &workers));
        assert_ne!(Plan::draw(7, 30, &workers), Plan::draw(8, 30, &workers));
    }

    #[test]
    fn a_plan_has_kills_of_both_kinds_and_other_workers_in_each_run() {
        let plan = Plan::draw(1, 1_000, &WorkerCounts(1..=3));
        let mut counts: Vec<u64> = plan.kills.iter().map(|kill| kill.workers).collect();
        counts.push(plan.last_workers);
        assert!(counts.windows(2).all(|pair| pair[0] != pair[1]), "{counts:?}");
        assert!((1..=3).all(|count| counts.contains(&count)));
        let at_launch = plan.kills.iter().filter(|kill| kill.since == Since::Launch).count();
        assert!((150..250).contains(&at_launch), "{at_launch} of 1000");
        for kill in &plan.kills {
            let moments = match kill.since {
                Since::Launch => AFTER_LAUNCH_MS,
                Since::Reading => AFTER_READING_MS,
            };
            assert!(moments.contains(&(kill.after.as_millis() as u64)), "{kill:?}");
        }
    }

    #[test]
    fn one_worker_count_is_no_choice() {
        let plan = Plan::draw(1, 3, &WorkerCounts(2..=2));
        assert!(plan.kills.iter().all(|kill| kill.workers == 2));
    }

    #[test]
    fn a_plan_without_kills_is_shown_and_takes_a_start() {
        let plan = Plan::draw(1, 0, &WorkerCounts(1..=4));
        assert_eq!(plan.to_string(), "seed 1: 0 kills");
        assert_eq!(plan.expected(), FIRST_START_ALLOWANCE);
    }
}
