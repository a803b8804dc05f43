//! The newest records of the input, as a run would process them.
//!
//! In:  a consumer in no group, the number of records. Out: each record enriched, or the
//! reason of its rejection, then counts. Uses the workers' own parser and enricher.
//! Holds: offsets are assigned, nothing is committed; raw bytes are escaped and shortened.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use serde_json::json;

use super::findings::Form;
use crate::{
    client::{ScanEnd, ScanEvent, ScanRange, ShortLog, SystemClock, TopicScan},
    clock,
    error::RunError,
    event::{Enricher, EventConfig, Field, Parser, RejectReason, SoftProblem},
    ids::{Offset, PartitionId},
    kafka::{Consumer, Flow, KafkaError, Record},
    limits,
    output::{printed, shortened},
    plain,
};

/// What is read: `count` records of these partitions, and how long to wait for the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) count: usize,
    pub(super) partitions: i32,
    pub(super) patience: Duration,
    pub(super) form: Form,
}

/// Reads the records and shows them; fewer than `count` when there are no more.
pub(super) fn show(
    plan: Plan,
    event: &EventConfig,
    consumer: Consumer,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let failed = |error: KafkaError| RunError::Kafka(error.to_string());
    let ranges = ranges(plan, &consumer).map_err(failed)?;
    let mut scan = TopicScan::begin(consumer, &ranges, ShortLog::Ends).map_err(failed)?;
    let mut tasting = Tasting::new(event, plan.form);
    let mut wrong = None;
    let mut written = Ok(());
    let end = scan.run(&SystemClock, plan.patience, |event| {
        match event {
            ScanEvent::Record(record) => written = tasting.record(&record, out),
            ScanEvent::Error(error) => wrong = Some(error),
            _ => {}
        }
        let enough = tasting.taken >= plan.count || wrong.is_some() || written.is_err();
        if enough { Flow::Stop } else { Flow::Continue }
    });
    printed(written)?;
    let end = end.map_err(failed)?;
    wrong.map_or(Ok(()), |error| Err(failed(error)))?;
    if end == ScanEnd::Stalled {
        return Err(RunError::Failed(format!(
            "--sample: no further record within {:?}; allow more time with --timeout",
            plan.patience
        )));
    }
    printed(tasting.summary(out))
}

/// From where to read to where the log ends now, of each partition with records: an even share of
/// each, and what the short ones leave to the others.
fn ranges(plan: Plan, consumer: &Consumer) -> Result<Vec<ScanRange>, KafkaError> {
    let partitions: Vec<_> = (0..plan.partitions).map(PartitionId).collect();
    let logs = consumer.logs(&partitions, limits::BROKER_QUERY_TIMEOUT)?;
    let lengths: Vec<usize> = logs.values().map(|(low, high)| (high.0 - low.0) as usize).collect();
    let logs = logs.into_iter().zip(shares(&lengths, plan.count));
    let range = |((partition, (_, high)), share): ((PartitionId, (Offset, Offset)), usize)| {
        ScanRange { partition, from: Offset(high.0 - share as i64), until: high }
    };
    Ok(logs.map(range).collect())
}

/// Divides `count` over logs of these lengths; no share is longer than its log.
fn shares(lengths: &[usize], count: usize) -> Vec<usize> {
    let mut shares = vec![0; lengths.len()];
    let mut left = count;
    let mut by_length: Vec<usize> = (0..lengths.len()).collect();
    by_length.sort_by_key(|index| lengths[*index]);
    for (done, index) in by_length.iter().enumerate() {
        let share = left.div_ceil(lengths.len() - done).min(lengths[*index]).min(left);
        shares[*index] = share;
        left -= share;
    }
    shares
}

/// Shows records one by one.
struct Tasting {
    parser: Parser,
    enricher: Enricher,
    form: Form,
    enriched: Vec<u8>,
    taken: usize,
    tombstones: usize,
    rejected: BTreeMap<RejectReason, usize>,
    soft: BTreeMap<(Field, SoftProblem), usize>,
}

impl Tasting {
    fn new(event: &EventConfig, form: Form) -> Self {
        Self {
            parser: Parser::new(event),
            enricher: Enricher::new(event),
            form,
            enriched: Vec::new(),
            taken: 0,
            tombstones: 0,
            rejected: BTreeMap::new(),
            soft: BTreeMap::new(),
        }
    }

    fn record(&mut self, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
        self.taken += 1;
        let place = format!("partition {} offset {}", record.partition, record.offset);
        let Some(raw) = record.value else {
            self.tombstones += 1;
            return match self.form {
                Form::Text => writeln!(out, "\n{place}: a tombstone, which is skipped"),
                Form::Json => writeln!(out, "{}", line(record, "tombstone", &json!({}))),
            };
        };
        let timestamp = if record.timestamp_ms < 0 { clock::now_ms() } else { record.timestamp_ms };
        match self.parser.parse(raw, timestamp) {
            Ok(event) => {
                let soft: Vec<_> = event.soft.iter().collect();
                self.enriched.clear();
                self.enricher.append(raw, &event, clock::now_us(), &mut self.enriched);
                for problem in &soft {
                    *self.soft.entry(*problem).or_default() += 1;
                }
                self.processed(record, &place, &soft, out)
            }
            Err(reject) => {
                *self.rejected.entry(reject.reason).or_default() += 1;
                let (reason, detail) = (reject.reason.as_str(), reject.to_string());
                match self.form {
                    Form::Text => {
                        writeln!(out, "\n{place}: rejected, {reason}: {detail}")?;
                        writeln!(out, "  {}", shortened(raw))
                    }
                    Form::Json => {
                        let more =
                            json!({"reason": reason, "detail": detail, "raw": shortened(raw)});
                        writeln!(out, "{}", line(record, "rejected", &more))
                    }
                }
            }
        }
    }

    fn processed(
        &self,
        record: &Record<'_>,
        place: &str,
        soft: &[(Field, SoftProblem)],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let names: Vec<String> = soft
            .iter()
            .map(|(field, what)| format!("{} {}", field.name(), what.as_str()))
            .collect();
        let event = std::str::from_utf8(&self.enriched).expect("an accepted event is UTF-8");
        match self.form {
            Form::Text => {
                let odd = if names.is_empty() { String::new() } else { names.join(", ") };
                let comma = if odd.is_empty() { "" } else { ", odd: " };
                writeln!(out, "\n{place}: processed{comma}{odd}")?;
                writeln!(out, "  {}", plain::json_line(event))
            }
            Form::Json => {
                let head = line(record, "processed", &json!({"odd": names})).to_string();
                // The enriched event is JSON already, with every digit as it was.
                out.write_all(head.strip_suffix('}').expect("an object").as_bytes())?;
                writeln!(out, ",\"value\":{}}}", plain::json_line(event))
            }
        }
    }

    fn summary(&self, out: &mut impl Write) -> io::Result<()> {
        let rejected: usize = self.rejected.values().sum();
        let processed = self.taken - rejected - self.tombstones;
        let soft = self
            .soft
            .iter()
            .map(|((field, what), count)| (format!("{} {}", field.name(), what.as_str()), *count));
        let reasons: BTreeMap<&str, usize> =
            self.rejected.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        let soft: BTreeMap<String, usize> = soft.collect();
        if self.form == Form::Json {
            let counts = json!({
                "kind": "counts", "records": self.taken, "processed": processed,
                "rejected": rejected, "tombstones": self.tombstones,
                "reasons": reasons, "odd": soft,
            });
            return writeln!(out, "{counts}");
        }
        writeln!(
            out,
            "\nsample of {}: {processed} processed, {rejected} rejected, {} tombstones",
            self.taken, self.tombstones
        )?;
        for (reason, count) in reasons {
            writeln!(out, "  {count:>6}  rejected, {reason}")?;
        }
        for (problem, count) in soft {
            writeln!(out, "  {count:>6}  odd, {problem}")?;
        }
        Ok(())
    }
}

/// One record's line; `more` is an object.
fn line(record: &Record<'_>, result: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut line = json!({
        "kind": "record", "result": result, "partition": record.partition.0,
        "offset": record.offset, "timestamp": record.timestamp_ms,
    });
    if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
        line.extend(more.clone());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Headers;

    #[test]
    fn short_logs_leave_their_share_to_the_others() {
        assert_eq!(shares(&[100, 100], 10), [5, 5]);
        assert_eq!(shares(&[100, 0, 2], 10), [8, 0, 2]);
        assert_eq!(shares(&[1, 1], 10), [1, 1]);
        assert_eq!(shares(&[100, 100, 100], 2).iter().sum::<usize>(), 2);
        assert_eq!(shares(&[], 10), Vec::<usize>::new());
    }

    fn tasted(form: Form, records: &[(&[u8], i64)]) -> String {
        let mut tasting = Tasting::new(&EventConfig::default(), form);
        let mut out = Vec::new();
        for (offset, (value, timestamp_ms)) in (0..).zip(records) {
            let record = Record {
                partition: PartitionId(3),
                offset,
                timestamp_ms: *timestamp_ms,
                key: None,
                value: Some(value),
                headers: Headers::NONE,
            };
            tasting.record(&record, &mut out).expect("a Vec takes everything");
        }
        tasting.summary(&mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("escaped")
    }

    const NOW_MS: i64 = 1_730_653_310_000;
    const GOOD: &[u8] = b"{\"user_id\":\"u\",\n\"timestamp\":1730653310.10, \"ip\":\"x\"}";

    #[test]
    fn an_event_is_shown_enriched_and_a_reject_with_its_reason_and_bytes() {
        let text = tasted(Form::Text, &[(GOOD, NOW_MS), (b"\xff\x00nonsense", NOW_MS)]);
        assert!(text.contains("partition 3 offset 0: processed, odd: ip bad_ip\n"), "{text}");
        assert!(text.contains("\"timestamp\":1730653310.10") && text.contains("hour_of_day"));
        assert!(text.contains("offset 1: rejected, invalid_utf8: "), "{text}");
        assert!(text.contains("  \\xff\\x00nonsense\n"), "{text}");
        assert!(text.contains("sample of 2: 1 processed, 1 rejected, 0 tombstones"), "{text}");
    }

    #[test]
    fn every_line_of_json_is_an_object_and_keeps_its_digits() {
        let text = tasted(Form::Json, &[(GOOD, NOW_MS), (b"{}", NOW_MS)]);
        assert!(text.contains("1730653310.10"), "{text}");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["value"]["user_id"], "u");
        assert_eq!(lines[0]["odd"][0], "ip bad_ip");
        assert_eq!(
            (&lines[1]["reason"], &lines[1]["raw"]),
            (&json!("missing_field"), &json!("{}"))
        );
        assert_eq!(lines[2]["reasons"]["missing_field"], 1);
    }

    #[test]
    fn an_event_that_acts_on_a_terminal_is_shown_without_effect_and_is_still_json() {
        let raw = "{\"user_id\":\"u\",\t\"timestamp\":1730653310,\"locale\":\"\u{202e}abc\u{9b}2J\",\
                   \"\u{200b}\":\"\u{7f}\u{2028}\u{feff}\"}";
        for form in [Form::Text, Form::Json] {
            let text = tasted(form, &[(raw.as_bytes(), NOW_MS)]);
            assert!(!text.replace('\n', "").contains(plain::is_hidden), "{text}");
            assert!(text.contains("\\u202eabc\\u009b2J"), "{text}");
            let event =
                text.lines().find_map(|line| line.find("{\"user_id\"").map(|at| &line[at..]));
            let event = event.expect("the event");
            let event = if form == Form::Json { event.strip_suffix('}') } else { Some(event) };
            let event: serde_json::Value =
                serde_json::from_str(event.expect("it ends the line's object")).expect("JSON");
            assert_eq!(event["locale"], "\u{202e}abc\u{9b}2J");
            assert_eq!(event["\u{200b}"], "\u{7f}\u{2028}\u{feff}");
        }
    }

    #[test]
    fn long_bytes_are_cut_and_say_so() {
        let text = shortened(&vec![b'x'; 100_000]);
        assert!(text.len() < 2 * limits::SHOWN_RAW_BYTES && text.ends_with("… (100000 bytes)"));
    }
}
