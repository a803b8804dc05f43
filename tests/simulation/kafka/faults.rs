//! How bad the simulated network and brokers are.

use std::time::Duration;

use super::random::Random;

type Range = (Duration, Duration);

const fn ms(least: u64, most: u64) -> Range {
    (Duration::from_millis(least), Duration::from_millis(most))
}

/// Each `…_one_in` is how seldom something happens: once in so many times, never for 0.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    /// Requests that never arrive.
    pub(crate) lost_request_one_in: u32,
    /// Requests that are carried out, but whose answer never arrives.
    pub(crate) lost_answer_one_in: u32,
    /// Requests that a broker refuses for now.
    pub(crate) refused_one_in: u32,
    /// `EndTxn` that is sent twice, whose first copy arrives long after the answer to the second.
    pub(crate) late_end_one_in: u32,
    /// The same of `TxnOffsetCommit`.
    pub(crate) late_offsets_one_in: u32,
    /// What the client loses before it sends such a second copy.
    pub(crate) late_copy_cost: Range,
    /// When the first copy arrives.
    pub(crate) late_copy_delay: Range,
    /// Answers "no offset" of a coordinator that has offsets.
    pub(crate) forgotten_offsets_one_in: u32,
    /// Batches that are given up, written or not.
    pub(crate) failed_delivery_one_in: u32,
    /// Batches that take `slow_delivery`.
    pub(crate) slow_delivery_one_in: u32,
    pub(crate) slow_delivery: Range,
    /// Fetches of a partition that bring nothing although there is something.
    pub(crate) slow_fetch_one_in: u32,
    /// Records on their way that arrive although their producer has given them up.
    pub(crate) stray_one_in: u32,
    /// From request to answer.
    pub(crate) latency: Range,
    /// From `EndTxn` to each marker.
    pub(crate) marker_delay: Range,
    /// Before a request is repeated.
    pub(crate) retry_pause: Range,
    /// What a call waits at most: it then times out, however long it was to wait.
    pub(crate) patience: Duration,
}

impl Faults {
    /// A network and brokers that work.
    pub(crate) fn none() -> Self {
        Self {
            lost_request_one_in: 0,
            lost_answer_one_in: 0,
            refused_one_in: 0,
            late_end_one_in: 0,
            late_offsets_one_in: 0,
            late_copy_cost: ms(1_100, 3_000),
            late_copy_delay: ms(0, 20_000),
            forgotten_offsets_one_in: 0,
            failed_delivery_one_in: 0,
            slow_delivery_one_in: 0,
            slow_delivery: ms(50, 2_000),
            slow_fetch_one_in: 0,
            stray_one_in: 2,
            latency: ms(1, 3),
            marker_delay: ms(1, 20),
            retry_pause: ms(5, 40),
            patience: Duration::from_mins(1),
        }
    }

    /// All of them, now and then.
    pub(crate) fn some() -> Self {
        Self {
            lost_request_one_in: 60,
            lost_answer_one_in: 60,
            refused_one_in: 60,
            late_end_one_in: 80,
            late_offsets_one_in: 80,
            forgotten_offsets_one_in: 100,
            failed_delivery_one_in: 400,
            slow_delivery_one_in: 20,
            slow_fetch_one_in: 4,
            marker_delay: ms(1, 1_500),
            patience: Duration::from_millis(300),
            ..Self::none()
        }
    }

    /// Some of them: a history with one kind of fault goes further than one with all.
    pub(crate) fn swarm(random: &mut Random) -> Self {
        let (all, none) = (Self::some(), Self::none());
        let mut one_of = |often: u32, never: u32| if random.one_in(3) { often } else { never };
        Self {
            lost_request_one_in: one_of(all.lost_request_one_in, 0),
            lost_answer_one_in: one_of(all.lost_answer_one_in, 0),
            refused_one_in: one_of(all.refused_one_in, 0),
            late_end_one_in: one_of(all.late_end_one_in, 0),
            late_offsets_one_in: one_of(all.late_offsets_one_in, 0),
            forgotten_offsets_one_in: one_of(all.forgotten_offsets_one_in, 0),
            failed_delivery_one_in: one_of(all.failed_delivery_one_in, 0),
            slow_delivery_one_in: one_of(all.slow_delivery_one_in, 0),
            slow_fetch_one_in: one_of(all.slow_fetch_one_in, 0),
            stray_one_in: one_of(1, 4),
            marker_delay: if random.one_in(2) { all.marker_delay } else { none.marker_delay },
            latency: if random.one_in(3) { ms(1, 400) } else { none.latency },
            patience: Duration::from_millis(if random.one_in(2) { 10 } else { 900 }),
            ..none
        }
    }
}
