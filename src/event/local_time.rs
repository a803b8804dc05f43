//! Local date and time of an instant, without asking the time zone database for each. Pure.
//!
//! In:  seconds since the Unix epoch.
//! Out: date, time and offset as text in the configured zone.
//! Holds: exactly what jiff says. The zone's offset changes only at its transitions, which are
//! listed once; between two of them an offset is cached, and between two midnights a date.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::TimestampStyle;

/// Transitions are listed from here, 2000-01-01: no accepted event is older.
const TABLE_FROM_S: i64 = 946_684_800;

/// Transitions are listed until here, 2100-01-01; beyond, jiff is asked for each instant.
const TABLE_UNTIL_S: i64 = 4_102_444_800;

const DAY_S: i64 = 86_400;

/// Seconds for which one offset holds.
#[derive(Debug, Clone, Copy)]
struct Segment {
    from_s: i64,
    until_s: i64,
    offset: Offset,
}

/// A zone, and the segment and day last asked for.
#[derive(Debug)]
pub(super) struct LocalClock {
    zone: TimeZone,
    style: TimestampStyle,
    /// Ascending and without gaps from `TABLE_FROM_S` to `TABLE_UNTIL_S`.
    table: Vec<Segment>,
    segment: Segment,
    /// `+hh:mm` of the segment; empty in naive style.
    offset: String,
    /// Local day of `date`, days since 1970-01-01.
    day: i64,
    /// `YYYY-MM-DD`.
    date: [u8; 10],
}

/// An instant's local time of day; its date is the clock's current one.
#[derive(Debug, Clone, Copy)]
struct TimeOfDay {
    hour: u8,
    minute: u8,
    second: u8,
}

impl LocalClock {
    pub(super) fn new(zone: TimeZone, style: TimestampStyle) -> Self {
        let table = transitions(&zone);
        let mut clock = Self {
            zone,
            style,
            segment: table[0],
            table,
            offset: String::new(),
            day: i64::MIN,
            date: *b"YYYY-MM-DD",
        };
        clock.write_offset();
        clock
    }

    /// Appends date, time and, in RFC 3339 style, offset; returns the hour of the day. Before 1970
    /// and after 9999 the nearest instant is taken.
    pub(super) fn append(&mut self, epoch_s: i64, micros: Option<u32>, out: &mut Vec<u8>) -> u8 {
        let time = self.enter(epoch_s.clamp(0, Timestamp::MAX.as_second()));
        let mut text = *b"YYYY-MM-DDThh:mm:ss";
        text[..10].copy_from_slice(&self.date);
        text[11..13].copy_from_slice(&digits(u32::from(time.hour)));
        text[14..16].copy_from_slice(&digits(u32::from(time.minute)));
        text[17..].copy_from_slice(&digits(u32::from(time.second)));
        out.extend_from_slice(&text);
        if let Some(micros) = micros {
            out.push(b'.');
            for pair in [micros / 10_000 % 100, micros / 100 % 100, micros % 100] {
                out.extend_from_slice(&digits(pair));
            }
        }
        out.extend_from_slice(self.offset.as_bytes());
        time.hour
    }

    /// Makes segment and date those of an instant that a calendar can express.
    fn enter(&mut self, epoch_s: i64) -> TimeOfDay {
        if !(self.segment.from_s..self.segment.until_s).contains(&epoch_s) {
            self.segment = self.find_segment(epoch_s);
            self.write_offset();
        }
        let local_s = epoch_s + i64::from(self.segment.offset.seconds());
        let day = local_s.div_euclid(DAY_S);
        if day != self.day {
            self.day = day;
            self.write_date(epoch_s);
        }
        let second = local_s.rem_euclid(DAY_S) as u32;
        TimeOfDay {
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        }
    }

    fn find_segment(&self, epoch_s: i64) -> Segment {
        if (TABLE_FROM_S..TABLE_UNTIL_S).contains(&epoch_s) {
            return self.table[self.table.partition_point(|s| s.until_s <= epoch_s)];
        }
        let offset = self.zone.to_offset(timestamp(epoch_s));
        Segment { from_s: epoch_s, until_s: epoch_s + 1, offset }
    }

    fn write_date(&mut self, epoch_s: i64) {
        let date = self.segment.offset.to_datetime(timestamp(epoch_s)).date();
        let year = u32::from(date.year().unsigned_abs());
        let [month, day] = [date.month(), date.day()].map(|part| u32::from(part.unsigned_abs()));
        self.date[..2].copy_from_slice(&digits(year / 100));
        self.date[2..4].copy_from_slice(&digits(year % 100));
        self.date[5..7].copy_from_slice(&digits(month));
        self.date[8..].copy_from_slice(&digits(day));
    }

    fn write_offset(&mut self) {
        use std::fmt::Write;

        self.offset.clear();
        if self.style == TimestampStyle::Naive {
            return;
        }
        let seconds = self.segment.offset.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let seconds = seconds.unsigned_abs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(self.offset, "{sign}{hours:02}:{minutes:02}").expect("a String takes all");
        // Only a hand-made POSIX zone has them after 2000.
        if seconds != 0 {
            write!(self.offset, ":{seconds:02}").expect("a String takes all");
        }
    }
}

/// The zone's segments from 2000 to 2100.
fn transitions(zone: &TimeZone) -> Vec<Segment> {
    let start = timestamp(TABLE_FROM_S);
    let offset = zone.to_offset(start);
    let mut table = vec![Segment { from_s: TABLE_FROM_S, until_s: TABLE_UNTIL_S, offset }];
    for transition in zone.following(start) {
        let at_s = transition.timestamp().as_second();
        if at_s >= TABLE_UNTIL_S {
            break;
        }
        if let Some(last) = table.last_mut() {
            last.until_s = at_s;
        }
        let offset = transition.offset();
        table.push(Segment { from_s: at_s, until_s: TABLE_UNTIL_S, offset });
    }
    table
}

fn timestamp(epoch_s: i64) -> Timestamp {
    Timestamp::from_second(epoch_s).expect("seconds were clamped to the calendar")
}

/// Two decimal digits of a number below 100.
fn digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

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

    /// What jiff says, without any cache.
    fn model(zone: &TimeZone, style: TimestampStyle, epoch_s: i64) -> (String, u8) {
        let at = timestamp(epoch_s).to_zoned_datetime(zone.clone());
        let format = match style {
            TimestampStyle::Naive => "%Y-%m-%dT%H:%M:%S",
            TimestampStyle::Rfc3339 => "%Y-%m-%dT%H:%M:%S%:z",
        };
        (at.strftime(format).to_string(), at.hour() as u8)
    }

    fn check(clock: &mut LocalClock, epoch_s: i64) -> Result<(), TestCaseError> {
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
                prop_oneof![0i64..5_000_000_000, TABLE_UNTIL_S - 9..TABLE_UNTIL_S + 9], 1..20),
        ) {
            let mut clock = LocalClock::new(zone(name), style);
            for epoch_s in instants {
                check(&mut clock, epoch_s)?;
            }
        }

        #[test]
        fn around_transitions_as_jiff_says(
            name in select(ZONES),
            style in style(),
            picks in prop::collection::vec((any::<prop::sample::Index>(), -3i64..3), 1..20),
        ) {
            let mut clock = LocalClock::new(zone(name), style);
            for (index, distance_s) in picks {
                let from_s = clock.table[index.index(clock.table.len())].from_s;
                check(&mut clock, from_s + distance_s)?;
            }
        }
    }

    #[test]
    fn zones_with_daylight_saving_have_their_transitions_listed() {
        let transitions = |name| LocalClock::new(zone(name), TimestampStyle::Naive).table.len();
        assert_eq!(transitions("UTC"), 1);
        assert_eq!(transitions("America/New_York"), 201);
    }

    #[test]
    fn microseconds_and_instants_beyond_the_calendar() {
        let mut clock = LocalClock::new(TimeZone::UTC, TimestampStyle::Rfc3339);
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
