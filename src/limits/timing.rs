//! Times that follow from how long the group keeps a silent member, and from the commit interval.

use std::time::Duration;

/// Shortest and longest session. Brokers narrow it down, by default to 6 s to 30 min; a longer one
/// is beyond librdkafka's own limit.
pub const SESSION_TIMEOUT_RANGE: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_hours(1));

/// Session of a consumer that joins no group, which librdkafka wants to know all the same.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time between two heartbeats: they also bring the news of a rebalance.
const HEARTBEAT_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Heartbeats in a session: two may be lost on the way.
const SESSION_HEARTBEATS: u32 = 3;

/// Sessions that a rebalance waits for a member: one for the last commit, one to undo what could
/// not be committed, one in reserve. A transaction may last as long, so that one of a process that
/// was suspended for a session can still be committed by it or ended by its heir.
const SESSIONS_PER_REBALANCE: u32 = 3;

/// Commit intervals that must fit into a transaction's timeout: a transaction lasts at most two,
/// which leaves half of its timeout for retries.
pub const TRANSACTION_INTERVALS: u32 = 4;

/// For the markers of a transaction that has expired.
const FOLLOW_RESERVE: Duration = Duration::from_secs(5);

/// The times of one run, all of them sums of its session and its commit interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    session: Duration,
    transaction: Duration,
}

impl Timing {
    /// What follows from `--session-timeout` and `--commit-interval`.
    pub fn of(session: Duration, commit_interval: Duration) -> Self {
        let of_session = SESSIONS_PER_REBALANCE * session;
        Self { session, transaction: of_session.max(TRANSACTION_INTERVALS * commit_interval) }
    }

    /// The same with a transaction timeout of the operator's.
    #[must_use]
    pub fn with_transaction(self, transaction: Duration) -> Self {
        Self { transaction, ..self }
    }

    /// When a member has been silent for so long, the group gives its partitions to others
    /// (`session.timeout.ms`). A commit that is missing at a takeover is asked for again for as
    /// long.
    pub fn session(self) -> Duration {
        self.session
    }

    /// Longest time between two polls, and longest wait of the group for a member
    /// (`max.poll.interval.ms`).
    pub fn max_poll(self) -> Duration {
        SESSIONS_PER_REBALANCE * self.session
    }

    /// How long the broker lets a transaction be open before it aborts it
    /// (`transaction.timeout.ms`). It bounds how long a dead instance's open transaction hides
    /// later records.
    pub fn transaction(self) -> Duration {
        self.transaction
    }

    /// How long librdkafka retries the delivery of a record before the epoch is rolled back
    /// (`message.timeout.ms`), and the timeout of adding offsets: longer than a leader election or
    /// an ordinary broker restart, and short enough that the other half of the transaction is left
    /// for the commit.
    pub fn delivery(self) -> Duration {
        self.transaction / 2
    }

    /// How long one epoch's commit is retried before the epoch is rolled back: long enough for the
    /// half dozen answers of a commit on a line that takes seconds for each, and shorter than the
    /// transaction.
    pub fn commit(self) -> Duration {
        self.transaction * 3 / 4
    }

    /// How long a takeover waits while the journal cannot be read further: no transaction that
    /// hides its end lasts as long.
    pub fn follow(self) -> Duration {
        self.transaction + super::TRANSACTION_EXPIRY_SLACK + FOLLOW_RESERVE
    }

    /// How long a revoke or a stop waits for the open epoch to commit before it is rolled back
    /// instead. What is not committed by then is read again by the next owner.
    pub fn last_commit(self) -> Duration {
        self.session
    }
}

/// Time between two heartbeats of a member with this session (`heartbeat.interval.ms`).
pub fn heartbeat_interval(session: Duration) -> Duration {
    HEARTBEAT_INTERVAL_MAX.min(session / SESSION_HEARTBEATS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_default_session_bounds_everything_else() {
        let timing = Timing::of(seconds(10), Duration::from_millis(500));
        assert_eq!(timing.session(), seconds(10));
        assert_eq!(timing.max_poll(), seconds(30));
        assert_eq!(timing.transaction(), seconds(30));
        assert_eq!(timing.delivery(), seconds(15));
        assert_eq!(timing.commit(), Duration::from_millis(22_500));
        assert_eq!(timing.last_commit(), seconds(10));
        assert_eq!(heartbeat_interval(seconds(10)), seconds(1));
        assert_eq!(heartbeat_interval(Duration::from_millis(1_500)), Duration::from_millis(500));
    }

    #[test]
    fn a_long_commit_interval_lengthens_the_transaction_and_nothing_of_the_group() {
        let timing = Timing::of(seconds(10), seconds(15));
        assert_eq!((timing.transaction(), timing.delivery()), (seconds(60), seconds(30)));
        assert_eq!((timing.max_poll(), timing.last_commit()), (seconds(30), seconds(10)));
    }

    #[test]
    fn delivery_and_commit_follow_a_transaction_timeout_of_the_operators() {
        let timing = Timing::of(seconds(10), seconds(1)).with_transaction(seconds(8));
        assert_eq!((timing.transaction(), timing.delivery()), (seconds(8), seconds(4)));
        assert_eq!((timing.commit(), timing.max_poll()), (seconds(6), seconds(30)));
    }

    proptest! {
        #[test]
        fn what_must_fit_into_something_else_does(
            session_ms in 1_000_u64..=3_600_000,
            interval_ms in 10_u64..=60_000,
        ) {
            let session = Duration::from_millis(session_ms);
            let interval = Duration::from_millis(interval_ms);
            let timing = Timing::of(session, interval);
            // One heartbeat may be lost.
            prop_assert!(2 * heartbeat_interval(session) < session);
            prop_assert!(timing.last_commit() < timing.max_poll());
            prop_assert!(2 * interval <= timing.delivery());
            prop_assert!(timing.delivery() < timing.commit());
            prop_assert!(timing.commit() < timing.transaction());
        }
    }
}
