//! Local date and time of an instant. Pure.
//!
//! In:  seconds since the Unix epoch.
//! Out: date, time and offset as text in the configured zone.
//! Holds: exactly what jiff says. jiff is asked for every text; the texts of the last seconds are
//! kept by the [`Enricher`](super::Enricher).

use std::io::Write;

use jiff::{
    Timestamp,
    fmt::temporal::DateTimePrinter,
    tz::{Offset, TimeZone},
};

use super::TimestampStyle;

const WHOLE_SECONDS: DateTimePrinter = DateTimePrinter::new();
const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// The clock of a zone.
#[derive(Debug)]
pub(super) struct LocalClock {
    zone: TimeZone,
    style: TimestampStyle,
}

impl LocalClock {
    pub(super) fn new(zone: TimeZone, style: TimestampStyle) -> Self {
        Self { zone, style }
    }

    /// Appends date, time and, in RFC 3339 style, offset; returns the hour of the day. Before 1970
    /// and after 9999 the nearest instant is taken.
    pub(super) fn append(&self, epoch_s: i64, micros: Option<u32>, out: &mut Vec<u8>) -> u8 {
        let (printer, nanos) = match micros {
            Some(micros) => (MICROSECONDS, micros as i32 * 1000),
            None => (WHOLE_SECONDS, 0),
        };
        let at = Timestamp::new(epoch_s.clamp(0, Timestamp::MAX.as_second()), nanos)
            .expect("seconds were clamped to the calendar");
        let offset = self.zone.to_offset(at);
        let local = offset.to_datetime(at);
        printer.print_datetime(&local, &mut *out).expect("a Vec takes all");
        if self.style == TimestampStyle::Rfc3339 {
            append_offset(offset, out);
        }
        local.hour().unsigned_abs()
    }
}

fn append_offset(offset: Offset, out: &mut Vec<u8>) {
    let sign = if offset.is_negative() { '-' } else { '+' };
    let seconds = offset.seconds().unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(out, "{sign}{hours:02}:{minutes:02}").expect("a Vec takes all");
    // Only a hand-made POSIX zone has them after 2000.
    if seconds != 0 {
        write!(out, ":{seconds:02}").expect("a Vec takes all");
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    /// The years in which the zones' transitions are looked at.
    const FROM_S: i64 = 946_684_800;
    const UNTIL_S: i64 = 4_102_444_800;

    const ZONES: &[&str] = &[
        "UTC",
        "America/New_York",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "America/Caracas",
        "Africa/Casablanca",
        "Antarctica/Troll",
        "Pacific/Kiritimati",
    ];

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a bundled zone")
    }

    fn timestamp(epoch_s: i64) -> Timestamp {
        Timestamp::from_second(epoch_s).expect("in the calendar")
    }

    /// Instants at which the zone's offset changes, and one at which it does not.
    fn transitions(zone: &TimeZone) -> Vec<i64> {
        let found = zone.following(timestamp(FROM_S)).map(|found| found.timestamp().as_second());
        [FROM_S].into_iter().chain(found.take_while(|at_s| *at_s < UNTIL_S)).collect()
    }

    /// What jiff says, without any cache.
    fn model(zone: &TimeZone, style: TimestampStyle, epoch_s: i64) -> (String, u8) {
        let at = timestamp(epoch_s).to_zoned_datetime(zone.clone());
        let format = match style {
            TimestampStyle::Naive => "%Y-%m-%dT%H:%M:%S",
            TimestampStyle::Rfc3339 => "%Y-%m-%dT%H:%M:%S%:z",
        };
        (at.strftime(format).to_string(), at.hour() as u8)
    }

    fn check(clock: &LocalClock, epoch_s: i64) -> Result<(), TestCaseError> {
        let mut out = Vec::new();
        let hour = clock.append(epoch_s, None, &mut out);
        let text = String::from_utf8(out).expect("ASCII");
        prop_assert_eq!((text, hour), model(&clock.zone, clock.style, epoch_s));
        Ok(())
    }

    fn style() -> impl Strategy<Value = TimestampStyle> {
        select(&[TimestampStyle::Naive, TimestampStyle::Rfc3339][..])
    }

    proptest! {
        #[test]
        fn any_instants_as_jiff_says(
            name in select(ZONES),
            style in style(),
            instants in prop::collection::vec(
                prop_oneof![0i64..5_000_000_000, UNTIL_S - 9..UNTIL_S + 9], 1..20),
        ) {
            let clock = LocalClock::new(zone(name), style);
            for epoch_s in instants {
                check(&clock, epoch_s)?;
            }
        }

        #[test]
        fn around_transitions_as_jiff_says(
            name in select(ZONES),
            style in style(),
            picks in prop::collection::vec((any::<prop::sample::Index>(), -3i64..3), 1..20),
        ) {
            let clock = LocalClock::new(zone(name), style);
            let transitions = transitions(&clock.zone);
            for (index, distance_s) in picks {
                check(&clock, index.get(&transitions) + distance_s)?;
            }
        }
    }

    #[test]
    fn a_zone_with_daylight_saving_has_transitions() {
        assert_eq!(transitions(&zone("UTC")).len(), 1);
        assert_eq!(transitions(&zone("America/New_York")).len(), 201);
    }

    #[test]
    fn microseconds_and_instants_beyond_the_calendar() {
        let clock = LocalClock::new(TimeZone::UTC, TimestampStyle::Rfc3339);
        for (epoch_s, micros, expected) in [
            (0, Some(1), "1970-01-01T00:00:00.000001+00:00"),
            (1_730_560_455, Some(999_999), "2024-11-02T15:14:15.999999+00:00"),
            (i64::MIN, None, "1970-01-01T00:00:00+00:00"),
            (i64::MAX, None, "9999-12-30T22:00:00+00:00"),
        ] {
            let mut out = Vec::new();
            clock.append(epoch_s, micros, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
