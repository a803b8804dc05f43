//! The text of `state show`. Pure.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use jiff::Timestamp;

use super::report::{
    CommitState, CompleteWindows, HeadReport, IdentityReport, MergerReport, PartitionReport,
    ReportSource, StateReport, StreamState,
};
use crate::ids::EventTimeMs;

/// Writes a report for a reader.
pub(super) fn write(out: &mut impl Write, report: &StateReport) -> io::Result<()> {
    write_source(out, report)?;
    write_identity(out, report)?;
    match &report.merger {
        Some(merger) => write_merger(out, merger, report.merger_stream)?,
        None => writeln!(out, "\nmerger       no record of it was read")?,
    }
    writeln!(out)?;
    write_row(out, HEADINGS)?;
    for partition in &report.partitions {
        write_partition(out, partition)?;
    }
    let totals = &report.totals;
    writeln!(
        out,
        "\nrecords      {} in, {} processed, {} dead-lettered, {} late, {} tombstones",
        totals.records_in, totals.processed, totals.dead_lettered, totals.late, totals.tombstones
    )?;
    write_notes(out, report)
}

fn write_source(out: &mut impl Write, report: &StateReport) -> io::Result<()> {
    let partitions = report.identity.journal_partitions;
    let of_topic = |topic: &str, id: &Option<String>| {
        format!("{topic} ({partitions} partitions{})", id_of(id.as_deref()))
    };
    match &report.source {
        ReportSource::Journal { brokers, topic, topic_id } => {
            writeln!(out, "journal      {} on {brokers}", of_topic(topic, topic_id))
        }
        ReportSource::Copy { folder, bytes, topic, topic_id } => {
            writeln!(out, "copy         {} ({})", folder.display(), size(*bytes))?;
            writeln!(out, "journal      {}", of_topic(topic, topic_id))
        }
    }
}

fn write_identity(out: &mut impl Write, report: &StateReport) -> io::Result<()> {
    let identity = &report.identity;
    let IdentityReport { input_topic, first_partitions, .. } = identity;
    let heads = report.partitions.iter().filter_map(|row| row.head.as_ref());
    // More than one after the topic was deleted and created again, until all have begun.
    let ids: BTreeSet<_> = heads.filter_map(|head| head.topic_id.as_deref()).collect();
    let id = ids.into_iter().map(|id| format!(", id {id}")).collect::<Vec<_>>().concat();
    writeln!(out, "format       {}", identity.format)?;
    writeln!(out, "group        {}", identity.group_id)?;
    writeln!(out, "input        {input_topic} ({first_partitions} partitions at first{id})")?;
    writeln!(out, "cluster      {}", identity.cluster_id)?;
    writeln!(out, "begun        {}", time(Some(EventTimeMs(identity.began_ms))))?;
    writeln!(out, "window       {}", seconds(identity.window_ms))
}

fn write_merger(
    out: &mut impl Write,
    merger: &MergerReport,
    stream: StreamState,
) -> io::Result<()> {
    let MergerReport { epoch, writer, windows, window_events, window_late_events, .. } = merger;
    let gap = if stream == StreamState::Gap { "; its stream has a gap" } else { "" };
    writeln!(out, "\nmerger       epoch {epoch}, by {writer}{gap}")?;
    writeln!(out, "watermark    {}", time(merger.watermark_ms))?;
    writeln!(out, "horizon      {}", time(merger.horizon_ms))?;
    writeln!(out, "forgotten    up to {}", time(merger.forgotten_up_to_ms))?;
    writeln!(out, "partitions   {} announced", merger.announced_partitions)?;
    writeln!(
        out,
        "windows      {windows} published and retained, with {window_events} events, \
         {window_late_events} of them late"
    )?;
    let (grace, lateness) = (seconds(merger.grace_ms), seconds(merger.allowed_lateness_ms));
    writeln!(out, "rules        grace {grace}, allowed lateness {lateness}")?;
    let Some(run) = &merger.run else { return Ok(()) };
    let state = if run.done { "done" } else { "under way" };
    writeln!(out, "bounded run  {}, {state}", run.number)
}

const HEADINGS: [&str; 11] = [
    "partition",
    "next offset",
    "committed",
    "offset",
    "epoch",
    "input",
    "windows",
    "stream",
    "watermark",
    "complete windows",
    "written by",
];

fn write_partition(out: &mut impl Write, row: &PartitionReport) -> io::Result<()> {
    let committed = row.committed_offset.map_or_else(|| "-".to_owned(), |o| o.to_string());
    let commit = row.commit.map_or("-", commit_name);
    let stream = stream_name(row.stream);
    let partition = row.partition.to_string();
    let Some(head) = &row.head else {
        let cells = [&partition, "-", &committed, commit, "-", "-", "-", stream, "-", "-", "-"];
        return write_row(out, cells);
    };
    let cells = [
        &partition,
        &*head.next_offset.to_string(),
        &committed,
        commit,
        &*head.epoch.to_string(),
        input(head),
        &*head.windows.to_string(),
        stream,
        &*time(head.watermark_ms),
        &*complete(head),
        &*head.writer,
    ];
    write_row(out, cells)
}

fn write_row(out: &mut impl Write, cells: [&str; 11]) -> io::Result<()> {
    let [partition, next, committed, commit, epoch, input, windows, stream, time, complete, by] =
        cells;
    writeln!(
        out,
        "{partition:>9}  {next:>11}  {committed:>11}  {commit:<13}  {epoch:>7}  {input:<7}  \
         {windows:>7}  {stream:<6}  {time:<24}  {complete:<30}  {by}"
    )
}

fn write_notes(out: &mut impl Write, report: &StateReport) -> io::Result<()> {
    let commits: BTreeSet<_> = report.partitions.iter().filter_map(|row| row.commit).collect();
    for commit in commits {
        if let Some(note) = commit_note(commit) {
            writeln!(out, "\n{}: {note}", commit_name(commit))?;
        }
    }
    let mut streams: BTreeSet<_> = report.partitions.iter().map(|row| row.stream).collect();
    streams.insert(report.merger_stream);
    for stream in streams {
        if let Some(note) = stream_note(stream) {
            writeln!(out, "\n{}: {note}", stream_name(stream))?;
        }
    }
    let (hidden, unknown) = (report.hidden_offsets, report.unknown_records);
    if hidden > 0 {
        writeln!(
            out,
            "\nAn open transaction hides {hidden} offsets of the journal, so that a row may be \
             older than its committed offset. An instance that works ends its own within a commit \
             interval, a dead one's ends with its timeout."
        )?;
    }
    if unknown > 0 {
        writeln!(
            out,
            "\n{unknown} records of the journal topic are none that this program writes. Find out \
             what else writes to it."
        )?;
    }
    Ok(())
}

fn commit_name(commit: CommitState) -> &'static str {
    match commit {
        CommitState::Agrees => "agrees",
        CommitState::Older => "older",
        CommitState::Newer => "newer",
        CommitState::OtherJournal => "other journal",
        CommitState::Foreign => "foreign",
        CommitState::Missing => "missing",
    }
}

fn commit_note(commit: CommitState) -> Option<&'static str> {
    match commit {
        CommitState::Agrees => None,
        CommitState::Older => Some(
            "the offset was committed before the journal's newest record. The next owner goes on \
             at the journal's offset.",
        ),
        CommitState::Newer => Some(
            "the journal does not have what was committed last: it has lost its end. The next \
             owner goes on at the committed offset, and says which windows are lost.",
        ),
        CommitState::OtherJournal => Some(
            "the offset was committed beside another journal. The next owner goes on at the \
             committed offset, and says which windows are lost.",
        ),
        CommitState::Foreign => Some(
            "another program has committed the offset. The next owner goes on there; windows are \
             incomplete until its first event.",
        ),
        CommitState::Missing => Some(
            "the group has no offset: it has expired, or was deleted. The next owner goes on at \
             the journal's offset, if there is one.",
        ),
    }
}

fn stream_name(stream: StreamState) -> &'static str {
    match stream {
        StreamState::Whole => "whole",
        StreamState::Gap => "gap",
        StreamState::Unseen => "unseen",
    }
}

fn stream_note(stream: StreamState) -> Option<&'static str> {
    match stream {
        StreamState::Whole => None,
        StreamState::Gap => Some(
            "newer records were read than can be applied, because some before them are missing. \
             What is shown is older; the stream's next snapshot ends this.",
        ),
        StreamState::Unseen => Some("no record of this stream was read."),
    }
}

fn input(head: &HeadReport) -> &'static str {
    match (head.idle, head.at_end) {
        (true, _) => "idle",
        (false, true) => "at end",
        (false, false) => "reading",
    }
}

fn complete(head: &HeadReport) -> String {
    match head.complete {
        CompleteWindows::All => "all".to_owned(),
        CompleteWindows::AfterFirstEvent => "after its first event".to_owned(),
        CompleteWindows::AfterWindow => {
            let window = head.incomplete_up_to_ms.map(EventTimeMs);
            format!("after {}", time(window))
        }
    }
}

/// A moment for a reader.
pub(super) fn time(event_time: Option<EventTimeMs>) -> String {
    let Some(time) = event_time else { return "-".to_owned() };
    // Beyond the calendar the number itself is the honest answer.
    Timestamp::from_millisecond(time.0)
        .map_or_else(|_| format!("{time} ms"), |time| format!("{time:.3}"))
}

/// A duration for a reader.
pub(super) fn seconds(ms: i64) -> String {
    if ms % 1000 == 0 { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}

/// The end of a parenthesis about a topic.
fn id_of(id: Option<&str>) -> String {
    id.map(|id| format!(", id {id}")).unwrap_or_default()
}

/// Bytes for a reader.
pub(super) fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}
