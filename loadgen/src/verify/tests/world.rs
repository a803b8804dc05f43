//! A world in memory: an input topic, and the outputs of an honest processor.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::super::{
    judge::{Judge, JudgeSettings},
    murmur2::partition_of,
    prediction::Prediction,
    report::{Mistake, Report},
};
pub(super) use super::owned::Owned;
use crate::{
    args::{ExpectLate, TimestampStyle},
    generate::{self, Generator, Plan, Shares},
    json,
    rules::Rules,
};

pub(super) const START_S: i64 = 1_694_479_550;
pub(super) const SEED: u64 = 11;
pub(super) const PARTITIONS: usize = 4;
const WINDOW_S: i64 = 10;
const LATENESS_MS: i64 = 300_000;
const RULES: Rules = Rules { max_future_ms: 3_600_000, max_event_bytes: 65_536 };

/// All five topics.
#[derive(Clone)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) input_topic: String,
    pub(super) input: Vec<Owned>,
    pub(super) processed: Vec<Owned>,
    pub(super) dead_letters: Vec<Owned>,
    pub(super) late: Vec<Owned>,
    pub(super) windows: Vec<Owned>,
    /// Windows that are not published yet.
    open: BTreeMap<i64, Window>,
    /// Highest event time so far.
    watermark_ms: i64,
    /// Events are late when their window is this far behind the watermark.
    pub(super) late_after_ms: i64,
    pub(super) timezone: TimeZone,
    pub(super) style: TimestampStyle,
    pub(super) most_repeats: u8,
    /// Whether that is said of all outputs, not of enriched events alone.
    pub(super) repeats_everywhere: bool,
    pub(super) expect_late: ExpectLate,
    pub(super) input_from: Vec<i64>,
    pub(super) allow_incomplete: bool,
    pub(super) expect_complete: bool,
    pub(super) predict: Option<u64>,
}

pub(super) fn plan() -> Plan {
    Plan {
        seed: Some(SEED),
        users: 200,
        zipf: 1.0,
        population: None,
        flat_hours: false,
        locales: 50,
        bare: false,
        required_only: false,
        event_size: 0,
        events_per_second_of_event_time: Some(20.0),
        start_time: None,
        disorder: SignedDuration::from_secs(2),
        run_length: 10,
        partition_shares: Vec::new(),
        shares: Shares {
            share_missing_device: 0.05,
            share_late: 0.05,
            late_by: SignedDuration::from_secs(600),
            share_early: 0.0,
            early_by: SignedDuration::ZERO,
            share_duplicate: 0.05,
            share_odd: 0.2,
            share_poison: 0.1,
            share_tombstone: 0.02,
            share_huge: 0.0,
            share_aborted: 0.0,
            transaction_size: 100,
        },
    }
}

impl World {
    /// The default plan, 1 000 events.
    pub(super) fn new() -> Self {
        Self::of(&plan(), 1_000, &TimeZone::UTC, TimestampStyle::Naive)
    }

    /// The same without late events.
    pub(super) fn punctual() -> Self {
        let mut plan = plan();
        plan.shares.share_late = 0.0;
        Self::of(&plan, 1_000, &TimeZone::UTC, TimestampStyle::Naive)
    }

    /// What an honest processor makes of a plan's events.
    pub(super) fn of(plan: &Plan, count: u64, zone: &TimeZone, style: TimestampStyle) -> Self {
        Self::with(Self::empty(plan, zone, style), count)
    }

    /// What a processor makes of a plan's events; `world` is empty and says how it processes.
    pub(super) fn with(mut world: Self, count: u64) -> Self {
        let generator = Generator::new(&world.plan, START_S, PARTITIONS).expect("a valid plan");
        world.predict = Some(count);
        let mut made = generate::Record::new();
        let mut next_offsets = [100_i64; PARTITIONS];
        for event_no in 0..count {
            generator.make(event_no, 1_700_000_000_000_000 + event_no, &mut made);
            let offset = &mut next_offsets[made.partition as usize];
            *offset += 1 + i64::from(event_no.is_multiple_of(97));
            let input = Owned {
                partition: made.partition,
                offset: *offset,
                timestamp_ms: (START_S + 1_000) * 1_000,
                key: Some(made.key.to_vec()),
                value: made.payload().map(<[u8]>::to_vec),
                headers: Vec::new(),
            };
            world.process(&input);
            world.input.push(input);
        }
        world.close_windows();
        world
    }

    /// Five empty topics.
    pub(super) fn empty(plan: &Plan, zone: &TimeZone, style: TimestampStyle) -> Self {
        Self {
            plan: plan.clone(),
            input_topic: "user-login".to_owned(),
            input: Vec::new(),
            processed: Vec::new(),
            dead_letters: Vec::new(),
            late: Vec::new(),
            windows: Vec::new(),
            open: BTreeMap::new(),
            watermark_ms: i64::MIN,
            late_after_ms: LATENESS_MS,
            timezone: zone.clone(),
            style,
            most_repeats: 0,
            repeats_everywhere: true,
            expect_late: ExpectLate::Any,
            input_from: Vec::new(),
            allow_incomplete: false,
            expect_complete: true,
            predict: None,
        }
    }

    /// Publishes every window.
    pub(super) fn close_windows(&mut self) {
        for (start_s, window) in std::mem::take(&mut self.open) {
            self.windows.extend(window.records(start_s));
        }
    }

    /// Processes one record.
    pub(super) fn process(&mut self, input: &Owned) {
        let Some(value) = &input.value else { return };
        let from = self.input_from.get(input.partition as usize);
        if from.is_some_and(|from| input.offset < *from) {
            return;
        }
        let reading = match RULES.read_input(value, input.timestamp_ms) {
            Ok(reading) => reading,
            Err(broken) => {
                let reason = broken.reasons()[0];
                return self.dead_letters.push(side(input, &self.input_topic, reason));
            }
        };
        self.processed.push(Owned {
            partition: partition_of(reading.user_id.as_bytes(), PARTITIONS),
            offset: self.processed.len() as i64,
            timestamp_ms: input.timestamp_ms,
            key: Some(reading.user_id.as_bytes().to_vec()),
            value: Some(self.enrich(value, reading.time_ms).into_bytes()),
            headers: Vec::new(),
        });
        let start_s = reading.time_ms.div_euclid(1_000 * WINDOW_S) * WINDOW_S;
        let end_ms = (start_s + WINDOW_S) * 1_000;
        let is_late = end_ms.saturating_add(self.late_after_ms) <= self.watermark_ms;
        self.watermark_ms = self.watermark_ms.max(reading.time_ms.min(input.timestamp_ms));
        if is_late {
            return self.late.push(side(input, &self.input_topic, "late"));
        }
        let window = self.open.entry(start_s).or_default();
        window.total += 1;
        window.users.insert(reading.user_id.to_string());
        for (map, value) in window.maps.iter_mut().zip(&reading.counted) {
            *map.entry(value.to_string()).or_default() += 1;
        }
    }

    fn enrich(&self, value: &[u8], time_ms: i64) -> String {
        let local = Timestamp::from_millisecond(time_ms).expect("in range");
        let local = local.to_zoned_datetime(self.timezone.clone());
        let text = std::str::from_utf8(value).expect("a valid event");
        let json::Fields(input) = json::Fields::read(text).expect("a valid event");
        let mut event: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: String| match event.iter_mut().find(|f| f.0 == name) {
            Some(field) => field.1 = value,
            None => event.push((name.to_owned(), value)),
        };
        for (name, value) in &input {
            put(std::str::from_utf8(name).expect("no half surrogates in keys"), value.to_string());
        }
        for name in ["app_version", "device_type", "ip", "locale", "device_id"] {
            let found = input.iter().rev().find(|field| *field.0 == *name.as_bytes());
            if found.is_none_or(|field| matches!(field.1.get(), "null" | "\"\"")) {
                put(name, json!("unknown").to_string());
            }
        }
        let offset = if self.style == TimestampStyle::Rfc3339 { "%:z" } else { "" };
        let processed = format!("2024-11-02T15:14:15.044112{}", local.strftime(offset));
        let readable = local.strftime(&format!("%Y-%m-%dT%H:%M:%S{offset}")).to_string();
        put("hour_of_day", json!(local.hour()).to_string());
        put("processed_timestamp", json!(processed).to_string());
        put("readable_timestamp", json!(readable).to_string());
        let fields = event.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }

    /// How this world was processed, and what is to be accepted.
    pub(super) fn settings(&self) -> JudgeSettings {
        JudgeSettings {
            input_topic: self.input_topic.clone(),
            processed_partitions: PARTITIONS,
            rules: RULES,
            window_s: WINDOW_S,
            timezone: self.timezone.clone(),
            timestamp_style: self.style,
            max_values: 1_000,
            most_repeats: self.most_repeats,
            most_other_repeats: if self.repeats_everywhere { self.most_repeats } else { 0 },
            allowed_lateness_ms: LATENESS_MS,
            expect_late: self.expect_late,
            input_from: self.input_from.clone(),
            allow_incomplete: self.allow_incomplete,
            expect_complete: self.expect_complete,
            unique_tolerance: 0.05,
        }
    }

    /// The judge's verdict.
    pub(super) fn judge(&self) -> Report {
        let prediction = self.predict.map(|count| {
            let is_transactional = self.plan.shares.share_aborted > 0.0;
            Prediction::new(&self.plan, SEED, PARTITIONS, Some(count), is_transactional)
                .expect("a valid plan")
        });
        let mut judge = Judge::new(self.settings(), prediction);
        self.dead_letters.iter().for_each(|record| judge.cut(&record.borrow()));
        self.input.iter().for_each(|record| judge.input(&record.borrow()));
        self.late.iter().for_each(|record| judge.late(&record.borrow()));
        self.dead_letters.iter().for_each(|record| judge.dead_letter(&record.borrow()));
        self.processed.iter().for_each(|record| judge.processed(&record.borrow()));
        self.windows.iter().for_each(|record| judge.window(&record.borrow()));
        judge.finish()
    }

    /// Asserts that exactly these kinds of mistakes are found.
    #[track_caller]
    pub(super) fn expect(&self, expected: &[Mistake]) {
        let report = self.judge();
        let found: Vec<Mistake> = report.mistakes.keys().copied().collect();
        assert_eq!(found, expected, "{:#?}", report.mistakes);
    }

    /// The index of an output of a plain event.
    pub(super) fn plain_output(&self) -> usize {
        self.processed
            .iter()
            .position(|record| record.text().contains("\"locale\":\"CA\""))
            .expect("one")
    }

    /// Changes the fields of a window's record.
    pub(super) fn change_window(&mut self, index: usize, change: impl FnOnce(&mut Value)) {
        let mut window: Value = serde_json::from_str(self.windows[index].text()).expect("JSON");
        change(&mut window);
        self.windows[index].set_text(window.to_string());
    }

    /// The index of a window with at least 20 events.
    pub(super) fn full_window(&self) -> usize {
        let total = |record: &Owned| {
            let window: Value = serde_json::from_str(record.text()).expect("JSON");
            window["total_events"].as_u64()
        };
        self.windows.iter().position(|record| total(record) > Some(20)).expect("one")
    }
}

fn side(input: &Owned, topic: &str, reason: &str) -> Owned {
    let header = |name: &str, value: String| (format!("logintide.{name}"), value);
    Owned {
        partition: 0,
        headers: vec![
            header("reason", reason.to_owned()),
            header("detail", "why".to_owned()),
            header("topic", topic.to_owned()),
            header("partition", input.partition.to_string()),
            header("offset", input.offset.to_string()),
            header("timestamp", input.timestamp_ms.to_string()),
        ],
        ..input.clone()
    }
}

#[derive(Clone, Default)]
struct Window {
    total: u64,
    users: HashSet<String>,
    maps: [BTreeMap<String, u64>; 3],
}

impl Window {
    /// Two revisions, the first with one event less.
    fn records(&self, start_s: i64) -> Vec<Owned> {
        let mut records = Vec::new();
        if self.total > 1 {
            let mut maps = self.maps.clone();
            for map in &mut maps {
                let (value, count) =
                    map.iter_mut().next().map(|(v, c)| (v.clone(), c)).expect("one");
                *count -= 1;
                if *count == 0 {
                    map.remove(&value);
                }
            }
            records.push(self.record(start_s, 1, self.total - 1, 0, &maps));
        }
        let revision = records.len() as u64 + 1;
        records.push(self.record(start_s, revision, self.total, revision - 1, &self.maps));
        records
    }

    fn record(
        &self,
        start_s: i64,
        revision: u64,
        total: u64,
        late: u64,
        maps: &[BTreeMap<String, u64>; 3],
    ) -> Owned {
        let capped = maps.clone().map(|map| {
            let other: u64 = map.values().skip(1_000).sum();
            let mut kept: BTreeMap<String, u64> = map.into_iter().take(1_000).collect();
            if other > 0 {
                *kept.entry("other".to_owned()).or_default() += other;
            }
            kept
        });
        let time = |seconds| Timestamp::from_second(seconds).expect("in range").to_string();
        let value = json!({
            "current_time": start_s as f64,
            "time_window": WINDOW_S as f64,
            "batch_size": total as f64 / WINDOW_S as f64,
            "location_stats": capped[0],
            "device_stats": capped[1],
            "version_stats": capped[2],
            "total_events": total,
            "unique_users": self.users.len(),
            "window_start": time(start_s),
            "window_end": time(start_s + WINDOW_S),
            "revision": revision,
            "complete": true,
            "late_events": late,
        });
        let key = start_s.to_string().into_bytes();
        Owned { key: Some(key), value: Some(value.to_string().into_bytes()), ..Owned::default() }
    }
}
