//! Producers' open transactions that hide records of the input. Owned by the source thread.
//!
//! In:  partitions that stand at their end while their logs go on; what their leaders say of them.
//! Out: a line every few seconds, a gauge per partition, holds in the partition table, the end of a
//! bounded run that would wait for ever.
//! Holds: a partition counts as held once its leader has said that no more of it may be read; the
//! leaders are asked for no others.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration, time::Instant};

use super::{Halt, SourceSettings, context::Context, partitions::Hidden};
use crate::{
    client::{Client, Questions, RecordConsumer},
    error::RunError,
    ids::{Offset, PartitionId},
    limits,
    metrics::{Metric, set_labeled},
};

/// Partitions that one line names.
const NAMED_PARTITIONS: usize = 5;

/// What is known of the transactions that are open in the input.
#[derive(Debug, Default)]
pub(super) struct OpenTransactions {
    next_look: Option<Instant>,
    hidden: BTreeMap<PartitionId, Behind>,
    said: Option<Instant>,
    /// The longest that brokers let a transaction be open, as one of them said.
    longest: Option<Duration>,
}

/// What lies behind a partition's position.
#[derive(Debug, Clone, Copy)]
struct Behind {
    at: Offset,
    log_end: Offset,
    since: Instant,
    /// Its leader has said that a transaction begins there.
    is_held: bool,
}

impl OpenTransactions {
    /// Age at which a transaction is hanging: brokers end one by themselves before.
    pub(super) fn longest(&self) -> Duration {
        self.longest.unwrap_or(limits::TRANSACTION_MAX_TIMEOUT) + limits::TRANSACTION_EXPIRY_SLACK
    }

    /// Takes what the partition table says. Returns the partitions that were held and go on.
    fn update(&mut self, hidden: &[Hidden], now: Instant) -> Vec<PartitionId> {
        let before = std::mem::take(&mut self.hidden);
        for Hidden { partition, at, log_end } in hidden.iter().copied() {
            let known = before.get(&partition).filter(|known| known.at == at);
            let fresh = Behind { at, log_end, since: now, is_held: false };
            let behind = known.map_or(fresh, |known| Behind { log_end, ..*known });
            self.hidden.insert(partition, behind);
        }
        let goes_on = |partition| !self.hidden.get(partition).is_some_and(|now| now.is_held);
        let held = before.iter().filter(|(_, behind)| behind.is_held);
        held.filter(|(partition, _)| goes_on(*partition)).map(|(partition, _)| *partition).collect()
    }

    /// Partitions that have stood at their end for so long that records on their way would be here.
    fn suspects(&self, now: Instant) -> Vec<PartitionId> {
        let old = |behind: &Behind| now - behind.since >= limits::OPEN_TRANSACTION_NOTED;
        self.hidden.iter().filter(|(_, behind)| old(behind)).map(|(id, _)| *id).collect()
    }

    /// Takes the ends of what may be read.
    fn answered(&mut self, ends: &[(PartitionId, Offset)], now: Instant) {
        for (partition, end) in ends {
            let Some(behind) = self.hidden.get_mut(partition) else { continue };
            behind.is_held = *end <= behind.at;
            if !behind.is_held {
                // It may be read, and is on its way.
                behind.since = now;
            }
        }
    }

    fn held(&self) -> impl Iterator<Item = (PartitionId, Behind)> {
        self.hidden.iter().filter(|(_, held)| held.is_held).map(|(id, held)| (*id, *held))
    }

    /// Whether a line is due.
    fn is_line_due(&self, now: Instant) -> bool {
        let due = |said: Instant| now - said >= limits::OPEN_TRANSACTION_LOG_INTERVAL;
        self.said.is_none_or(due) && self.held().next().is_some()
    }

    /// Looks for partitions that an open transaction holds back, off the records' way.
    pub(super) fn watch<C: Client>(&mut self, cx: &mut Context<C>) {
        let now = cx.intake.now();
        if self.next_look.is_some_and(|due| now < due) {
            return;
        }
        let consumer = &cx.consumer;
        cx.intake.partitions.observe(|partition| consumer.cached_log_end(partition));
        for partition in self.update(&cx.intake.partitions.hidden(), now) {
            gauge(partition, Duration::ZERO);
            tracing::info!(partition = partition.0, "the open transaction has ended; reading on");
        }
        let mut pause = limits::OPEN_TRANSACTION_LOOK_INTERVAL;
        let suspects = self.suspects(now);
        if !suspects.is_empty() {
            match cx.admin.ends(&cx.settings.topic, &suspects, limits::PROBE_TIMEOUT) {
                Ok(ends) => self.answered(&ends, now),
                Err(error) => {
                    cx.warn_of(&error);
                    pause = limits::PROBE_RETRY_PAUSE;
                }
            }
        }
        if self.is_line_due(now) {
            self.ask_for_longest(&cx.admin);
            self.say_what_is_held(&cx.settings, now);
        }
        let longest = self.longest();
        for (partition, held) in self.held() {
            let age = now - held.since;
            gauge(partition, age);
            cx.intake.partitions.hold(partition, held.at, age >= longest);
        }
        self.next_look = Some(cx.now() + pause);
    }

    /// Asks a broker for how long a transaction may be open, until it is known.
    fn ask_for_longest(&mut self, admin: &impl Questions) {
        if self.longest.is_some() {
            return;
        }
        let known = match admin.broker_config(limits::PROBE_TIMEOUT) {
            Ok(settings) => {
                settings.get("transaction.max.timeout.ms").and_then(|ms| ms.parse().ok())
            }
            Err(error) if error.is_retriable() => return,
            // As to a user who may not ask.
            Err(_) => None,
        };
        let known = known.map_or(limits::TRANSACTION_MAX_TIMEOUT, Duration::from_millis);
        self.longest = Some(known);
    }

    fn say_what_is_held(&mut self, settings: &SourceSettings, now: Instant) {
        let longest = self.longest();
        let (mut hanging, mut open) = (Vec::new(), Vec::new());
        for (partition, held) in self.held() {
            let list = if now - held.since >= longest { &mut hanging } else { &mut open };
            list.push((partition, held));
        }
        let topic = &settings.topic;
        if let Some((first, held)) = open.first() {
            let waits = longest.saturating_sub(now - held.since).as_secs();
            tracing::warn!(
                partitions = named(&open, now),
                exit_at_end_waits_at_most_s = settings.exit_at_end.then_some(waits),
                "a producer's open transaction hides records of the input; they are read once it \
                 has ended, by itself after that producer's transaction.timeout.ms; to find the \
                 producer: kafka-transactions.sh describe-producers --topic {topic} --partition \
                 {first}"
            );
        }
        if let Some((first, held)) = hanging.first() {
            tracing::warn!(
                partitions = named(&hanging, now),
                "a transaction in the input has been open for longer than brokers allow \
                 (transaction.max.timeout.ms), so it does not end by itself; records hidden by it \
                 are not read, and windows do not wait for them; end it: kafka-transactions.sh \
                 abort --topic {topic} --partition {first} --start-offset {}",
                held.at
            );
        }
        self.said = Some(now);
    }
}

impl Drop for OpenTransactions {
    /// No partition is owned any more.
    fn drop(&mut self) {
        for (partition, _) in self.held() {
            gauge(partition, Duration::ZERO);
        }
    }
}

/// Why a bounded run ends short of its bounds. What was read is committed.
pub(super) fn hanging_transaction<C: Client>(cx: &Context<C>, longest: Duration) -> Halt {
    let left = cx.intake.partitions.hanging_before_bound().unwrap_or_default();
    let offsets: i64 = left.iter().map(|(_, _, left)| left).sum();
    let mut list = String::new();
    for (partition, at, _) in left.iter().take(NAMED_PARTITIONS) {
        let separator = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{separator}partition {partition} from offset {at} on");
    }
    Halt::Failed(RunError::Failed(format!(
        "--exit-at-end: {offsets} offsets before the end that the input had at the start were not \
         read: a transaction that has been open for more than {} s hides {list}; what was read is \
         committed, and open windows are kept; end the transaction (kafka-transactions.sh abort), \
         then start again",
        longest.as_secs()
    )))
}

fn gauge(partition: PartitionId, age: Duration) {
    set_labeled(Metric::HeldByTransaction, &[&partition.to_string()], age.as_secs_f64());
}

/// The first of these partitions, with what is hidden and for how long.
fn named(held: &[(PartitionId, Behind)], now: Instant) -> String {
    let mut list = String::new();
    for (partition, behind) in held.iter().take(NAMED_PARTITIONS) {
        let separator = if list.is_empty() { "" } else { ", " };
        let _ = write!(
            list,
            "{separator}{partition} (offsets {} to {}, {} s)",
            behind.at,
            behind.log_end,
            (now - behind.since).as_secs()
        );
    }
    match held.len().saturating_sub(NAMED_PARTITIONS) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P0: PartitionId = PartitionId(0);
    const P1: PartitionId = PartitionId(1);

    fn behind(partition: PartitionId, at: i64, log_end: i64) -> Hidden {
        Hidden { partition, at: Offset(at), log_end: Offset(log_end) }
    }

    #[test]
    fn a_partition_is_held_once_its_leader_has_said_so() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let noted = limits::OPEN_TRANSACTION_NOTED.as_millis() as u64;
        let mut open = OpenTransactions::default();
        assert_eq!(open.update(&[behind(P0, 5, 8), behind(P1, 0, 1)], start), []);
        assert_eq!(open.suspects(at(noted - 1)), [], "records may be on their way");
        // Partition 1 has gone on meanwhile, and stands again.
        assert_eq!(open.update(&[behind(P0, 5, 9), behind(P1, 1, 2)], at(100)), []);
        assert_eq!(open.suspects(at(noted)), [P0]);
        assert_eq!(open.held().count(), 0);
        open.answered(&[(P0, Offset(5)), (P1, Offset(2))], at(noted));
        let held: Vec<_> = open.held().map(|(id, held)| (id, held.at, held.log_end)).collect();
        assert_eq!(held, [(P0, Offset(5), Offset(9))]);
        assert!(open.is_line_due(at(noted)));
        assert_eq!(open.suspects(at(noted + 100)), [P0], "partition 1 has more that may be read");
        assert_eq!(open.update(&[behind(P0, 7, 9)], at(noted + 200)), [P0], "it has ended");
        assert_eq!(open.held().count(), 0);
    }

    #[test]
    fn the_line_names_the_partitions_and_what_is_hidden() {
        let since = Instant::now();
        let held = |n: i32| {
            let (at, log_end) = (Offset(i64::from(n)), Offset(9));
            (PartitionId(n), Behind { at, log_end, since, is_held: true })
        };
        let now = since + Duration::from_secs(12);
        assert_eq!(named(&[held(3)], now), "3 (offsets 3 to 9, 12 s)");
        let many: Vec<_> = (0..7).map(held).collect();
        assert!(named(&many, now).ends_with("4 (offsets 4 to 9, 12 s) and 2 more"));
    }
}
