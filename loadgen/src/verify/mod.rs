//! `loadgen verify`: verifies a processor's outputs.
//!
//! In:  the input topic and four output topics, each from its first record to its end.
//! Out: a report of everything that is missing, doubled or wrong; exit code 1 if it has mistakes.
//! Holds: nothing is shared with the processor; the whole input is recounted.

mod added;
mod cuts;
mod input;
mod judge;
mod murmur2;
mod prediction;
mod processed_part;
mod record;
mod recount;
mod report;
mod side;
mod topic;
mod window_record;
mod windows;

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::tz::TimeZone;

use crate::{Failure, Outcome, args::VerifyArgs, rules::Rules, stop::Stop};
use judge::{Judge, JudgeSettings};
use prediction::Prediction;
pub use report::RecordCounts;
pub(crate) use report::{Report, TopicNames};
use topic::Topic;

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs, stop: &Stop) -> Result<Outcome, Failure> {
    let (report, names) = judge(args, stop)?;
    if args.json {
        println!("{:#}", report.to_json(&names));
    } else {
        println!("{}", report.print(&names));
    }
    Ok(if report.is_fine() { Outcome::Fine } else { Outcome::Wrong })
}

/// Recounts everything. Returns the report and the topics' names for it.
pub(crate) fn judge(args: &VerifyArgs, stop: &Stop) -> Result<(Report, TopicNames), Failure> {
    args.plan.check().map_err(Failure::Usage)?;
    if args.plan.seed.is_some() {
        args.plan.check_population().map_err(Failure::Usage)?;
    }
    let window_s = args.window.as_secs();
    if window_s < 1 || args.window.subsec_nanos() != 0 {
        return Err(Failure::Usage("--window: expected whole seconds, at least 1s".to_owned()));
    }
    let timezone = TimeZone::get(&args.timezone).map_err(|error| {
        Failure::Usage(format!("--timezone {}: {error}; expected an IANA name", args.timezone))
    })?;
    let names = TopicNames {
        input: args.input_topic.clone(),
        processed: args.processed_topic.clone(),
        dead_letter: args.dead_letter_topic.clone(),
        late: args.late_topic.clone(),
        aggregated: args.aggregated_topic.clone(),
    };
    let report = verify(args, &names, window_s, timezone, stop)?;
    Ok((report, names))
}

fn verify(
    args: &VerifyArgs,
    names: &TopicNames,
    window_s: i64,
    timezone: TimeZone,
    stop: &Stop,
) -> Result<Report, Failure> {
    let open = |name: &str| Topic::open(&args.kafka, name);
    let input = open(&names.input)?;
    let processed = open(&names.processed)?;
    let dead_letter = open(&names.dead_letter)?;
    let late = open(&names.late)?;
    let aggregated = open(&names.aggregated)?;

    let given = args.input_from.len();
    if given > 0 && given != input.partitions {
        return Err(Failure::Usage(format!(
            "--input-from: {given} offsets, but {} has {} partitions",
            names.input, input.partitions
        )));
    }
    let settings = JudgeSettings {
        input_topic: names.input.clone(),
        processed_partitions: processed.partitions,
        rules: Rules {
            max_future_ms: args.max_future.as_millis() as i64,
            max_event_bytes: args.max_event_bytes,
        },
        window_s,
        timezone,
        timestamp_style: args.timestamp_style,
        max_values: args.max_values,
        most_repeats: args.allow_duplicates,
        most_other_repeats: if args.duplicates_everywhere { args.allow_duplicates } else { 0 },
        allowed_lateness_ms: args.allowed_lateness.as_millis() as i64,
        expect_late: args.expect_late,
        input_from: args.input_from.clone(),
        allow_incomplete: args.allow_incomplete,
        expect_complete: args.expect_complete,
        unique_tolerance: args.unique_tolerance,
    };
    let prediction = args.plan.seed.map(|seed| {
        Prediction::new(&args.plan, seed, input.partitions, args.count, args.transactional)
    });
    let mut judge = Judge::new(settings, prediction.transpose()?);
    let patience = Duration::try_from(args.timeout).context("--timeout")?;
    dead_letter.read(patience, stop, |record| judge.cut(record))?;
    // NOTE: the whole input comes first, because every output is compared with it.
    input.read(patience, stop, |record| judge.input(record))?;
    late.read(patience, stop, |record| judge.late(record))?;
    dead_letter.read(patience, stop, |record| judge.dead_letter(record))?;
    processed.read(patience, stop, |record| judge.processed(record))?;
    aggregated.read(patience, stop, |record| judge.window(record))?;
    Ok(judge.finish())
}
