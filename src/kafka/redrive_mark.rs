//! Marks records that were put back into the input, so that one that fails again is told apart.
//!
//! In:  a fetched message. Out: how often it was redriven. Source thread, for every record.
//! Holds: costs an ordinary record nothing but a comparison. The mark is a header, and librdkafka
//! allocates when it reads headers, about as much as the rest of the intake costs. So `redrive`
//! also stamps its records with one of every 64 milliseconds, and only records of such a time are
//! looked at. In a topic whose times are the broker's (`LogAppendTime`) all are: without headers
//! that is one call.

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_timestamp_type_t as kind;

use super::headers::Headers;

/// Name of the header: a decimal number, how often the record was redriven.
pub const REDRIVEN_HEADER: &str = "logintide.redriven";

/// Times of redriven records leave this remainder. Odd, so that no time of whole seconds has it.
const REMAINDER_MS: i64 = 63;
const PERIOD_MS: i64 = 64;

/// The latest time, at most `now_ms`, that a redriven record may have.
pub fn redriven_time(now_ms: i64) -> i64 {
    now_ms - (now_ms - REMAINDER_MS).rem_euclid(PERIOD_MS)
}

/// How often a record was redriven, going by its headers.
pub fn redriven_count(header: Option<&[u8]>) -> u8 {
    let Some(value) = header else { return 0 };
    // Whatever else stands there, somebody has marked it.
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
    number.map_or(1, |number| number.min(u64::from(u8::MAX)) as u8)
}

/// How often the message was redriven.
///
/// # Safety
/// `message` points to a consumer's message that lives and stays unchanged through the call.
#[inline]
pub(super) unsafe fn redriven(
    message: *const rd::rd_kafka_message_t,
    timestamp_ms: i64,
    timestamp_kind: kind,
) -> u8 {
    let of_broker = timestamp_kind == kind::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    if timestamp_ms.rem_euclid(PERIOD_MS) != REMAINDER_MS && !of_broker {
        return 0;
    }
    // SAFETY: alive, as the caller vouches.
    redriven_count(unsafe { Headers::of(message) }.get(REDRIVEN_HEADER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redriven_records_time_is_just_before_now_and_has_the_mark() {
        for now in 1_730_653_310_000..1_730_653_310_200_i64 {
            let time = redriven_time(now);
            assert!((0..PERIOD_MS).contains(&(now - time)) && time % PERIOD_MS == REMAINDER_MS);
        }
        assert!((0..1000).all(|seconds| seconds * 1000 % PERIOD_MS != REMAINDER_MS));
    }

    #[test]
    fn a_mark_that_is_no_number_counts_as_one() {
        let counts = [None, Some(&b"2"[..]), Some(b"300"), Some(b"x"), Some(b"")];
        assert_eq!(counts.map(redriven_count), [0, 2, 255, 1, 1]);
    }
}
