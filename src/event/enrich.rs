//! Writes the enriched event. Pure; one per worker thread.
//!
//! In:  the unchanged bytes of an event and what the parser found in them.
//! Out: one JSON object: the input's own text, then defaults of missing optional fields, then the
//! added fields.
//! Holds: the input's text is copied byte for byte, numbers too; no added or defaulted field occurs
//! twice; the event grows by at most `ENRICH_MAX_ADDED_BYTES`.

use super::{
    ADDED_FIELDS, EventConfig, Field,
    field::{FieldNames, KeyMeaning, KnownKeys},
    layout::Layout,
    local_time::LocalClock,
    parse::Event,
};
use crate::limits::ENRICH_MAX_ADDED_BYTES;

/// Writes enriched events. It caches the text of the latest times.
pub struct Enricher {
    known: KnownKeys,
    clock: LocalClock,
    /// The added text for each style of separators: `,` and `:`, or `, ` and `: ` as Python writes.
    compact: Suffix,
    spaced: Suffix,
}

impl Enricher {
    /// An enricher for the given names, zone and style.
    pub fn new(config: &EventConfig) -> Self {
        Self {
            known: KnownKeys::new(&config.fields),
            clock: LocalClock::new(config.timezone.clone(), config.timestamp_style),
            compact: Suffix::new(&config.fields, ",", ":"),
            spaced: Suffix::new(&config.fields, ", ", ": "),
        }
    }

    /// Appends the enriched event to `out`. `raw` are the bytes that `event` was parsed from;
    /// `processed_at_us` is the time of processing, microseconds since the Unix epoch. It is
    /// fastest when a whole batch has the same time.
    pub fn append(
        &mut self,
        raw: &[u8],
        event: &Event<'_>,
        processed_at_us: i64,
        out: &mut Vec<u8>,
    ) {
        let layout = &event.layout;
        debug_assert_eq!(raw.len(), layout.raw_len, "the event was parsed from other bytes");
        out.reserve(raw.len() + ENRICH_MAX_ADDED_BYTES);
        if layout.rewrite {
            self.copy_members(raw, layout, out);
        } else {
            out.extend_from_slice(&raw[layout.start..layout.end]);
        }
        let ending = if layout.spaced { &mut self.spaced } else { &mut self.compact };
        if !layout.absent.is_empty() {
            for (field, member) in Field::OPTIONAL.into_iter().zip(&ending.defaults) {
                if layout.absent.contains(field) {
                    out.extend_from_slice(member);
                }
            }
        }
        let event_s = event.event_time.0.div_euclid(1000);
        ending.append_times(&self.clock, processed_at_us, event_s, out);
    }

    /// The slow path: copies the object without its closing brace, member by member, leaves out
    /// the added fields and writes the default over null and "".
    fn copy_members(&self, raw: &[u8], layout: &Layout<'_>, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for member in layout.members(raw) {
            let meaning = self.known.find_raw(&raw[member.key_start + 1..member.key_end - 1]);
            if meaning == Some(KeyMeaning::Added) {
                continue;
            }
            // The member is copied with the separator before it, so that the text does not grow.
            let from = if first { member.key_start } else { member.separator };
            first = false;
            match meaning {
                Some(KeyMeaning::Input(field)) if layout.replaced.contains(field) => {
                    out.extend_from_slice(&raw[from..member.value_start]);
                    out.extend_from_slice(b"\"unknown\"");
                }
                _ => out.extend_from_slice(&raw[from..member.value_end]),
            }
        }
    }
}

/// The text to append to an event, in one style of separators.
struct Suffix {
    /// `, "device_type": "unknown"` for each of [`Field::OPTIONAL`].
    defaults: [Vec<u8>; Field::OPTIONAL.len()],
    /// The text before each added value; for the first two it ends with the opening quote.
    before: [String; ADDED_FIELDS.len()],
    processed_at_us: i64,
    /// The first added field, and the second up to its value.
    processed: Vec<u8>,
    /// The seconds written last, each at an index from its time: events arrive nearly in order.
    seconds: [Second; SECONDS_KEPT],
}

/// Seconds of event time whose text is kept. Without any, a worker takes 5 % more instructions per
/// event, with a single one 1 % (benches/instructions.rs, events that are up to 1 s out of order).
const SECONDS_KEPT: usize = 16;

/// The text of all added fields and the closing brace, for the events of one second.
struct Second {
    event_s: i64,
    text: Vec<u8>,
}

impl Suffix {
    fn new(names: &FieldNames, comma: &str, colon: &str) -> Self {
        let default = |field| format!("{comma}\"{}\"{colon}\"unknown\"", names.get(field));
        let [processed, readable, hour] =
            ADDED_FIELDS.map(|name| format!("{comma}\"{name}\"{colon}"));
        Self {
            defaults: Field::OPTIONAL.map(|field| default(field).into_bytes()),
            before: [processed + "\"", format!("\"{readable}\""), format!("\"{hour}")],
            processed_at_us: i64::MIN,
            processed: Vec::with_capacity(ENRICH_MAX_ADDED_BYTES),
            seconds: std::array::from_fn(|_| Second {
                event_s: i64::MIN,
                text: Vec::with_capacity(ENRICH_MAX_ADDED_BYTES),
            }),
        }
    }

    /// Appends the added fields and the closing brace.
    #[inline]
    fn append_times(
        &mut self,
        clock: &LocalClock,
        processed_at_us: i64,
        event_s: i64,
        out: &mut Vec<u8>,
    ) {
        if self.processed_at_us != processed_at_us {
            self.write_processed(clock, processed_at_us);
        }
        let at = event_s as usize % SECONDS_KEPT;
        if self.seconds[at].event_s != event_s {
            self.write_second(clock, event_s);
        }
        out.extend_from_slice(&self.seconds[at].text);
    }

    #[cold]
    fn write_processed(&mut self, clock: &LocalClock, processed_at_us: i64) {
        let [before_processed, before_readable, _] = &self.before;
        self.processed_at_us = processed_at_us;
        self.processed.clear();
        self.processed.extend_from_slice(before_processed.as_bytes());
        let micros = processed_at_us.rem_euclid(1_000_000) as u32;
        clock.append(processed_at_us.div_euclid(1_000_000), Some(micros), &mut self.processed);
        self.processed.extend_from_slice(before_readable.as_bytes());
        for second in &mut self.seconds {
            second.event_s = i64::MIN;
        }
    }

    #[cold]
    fn write_second(&mut self, clock: &LocalClock, event_s: i64) {
        let [.., before_hour] = &self.before;
        let second = &mut self.seconds[event_s as usize % SECONDS_KEPT];
        second.event_s = event_s;
        second.text.clone_from(&self.processed);
        let hour = clock.append(event_s, None, &mut second.text);
        second.text.extend_from_slice(before_hour.as_bytes());
        if hour >= 10 {
            second.text.push(b'0' + hour / 10);
        }
        second.text.extend_from_slice(&[b'0' + hour % 10, b'}']);
    }
}
