//! The text of `cluster`. Pure.

use std::io::{self, Write};

use super::text::{seconds, time};
use crate::{
    ids::EventTimeMs,
    status::{AboutInstance, Cluster, ClusterInstance, ClusterPartition},
};

/// Writes a group for a reader.
pub(super) fn write(out: &mut impl Write, cluster: &Cluster) -> io::Result<()> {
    writeln!(out, "group        {}", cluster.group_id)?;
    writeln!(out, "seen         {}", time(Some(EventTimeMs(cluster.at_ms))))?;
    writeln!(out, "merger       {}", cluster.merger.as_deref().unwrap_or("nobody"))?;
    writeln!(out, "partitions   {} announced", cluster.announced_partitions)?;
    if let Some(run) = &cluster.run {
        let state = if run.done { "done" } else { "under way" };
        writeln!(out, "bounded run  {}, {state}", run.number)?;
    }
    writeln!(out)?;
    write_table(out, &INSTANCE, cluster.instances.iter().map(|of| instance(cluster, of)))?;
    writeln!(out)?;
    let mut partitions: Vec<_> = cluster
        .instances
        .iter()
        .flat_map(|owner| owner.partitions.iter().map(move |of| (owner, of)))
        .collect();
    partitions.sort_by_key(|(_, of)| of.partition);
    let rows = partitions.into_iter().map(|(owner, of)| partition(cluster, owner, of));
    write_table(out, &PARTITION, rows)?;
    write_notes(out, cluster)
}

const INSTANCE: [&str; 14] = [
    "instance",
    "state",
    "partitions",
    "epoch",
    "last record",
    "version",
    "delivery",
    "window",
    "grace",
    "lateness",
    "commits",
    "idle",
    "session",
    "http",
];
const PARTITION: [&str; 6] =
    ["partition", "next offset", "lag", "last record", "watermark", "instance"];

fn instance(cluster: &Cluster, of: &ClusterInstance) -> [String; 14] {
    let state = match (of.silent, of.merges) {
        (true, _) => "silent",
        (false, true) => "merges",
        (false, false) => "writes",
    };
    let of_about =
        |show: &dyn Fn(&AboutInstance) -> String| of.about.as_ref().map_or_else(dash, show);
    [
        of.instance_id.clone(),
        state.to_owned(),
        of.partitions.len().to_string(),
        of.epoch.to_string(),
        age(cluster, of.written_at_ms),
        of_about(&|about| about.version.clone()),
        of_about(&|about| about.delivery.clone()),
        of_about(&|about| seconds(about.window_ms)),
        of_about(&|about| seconds(about.grace_ms)),
        of_about(&|about| seconds(about.allowed_lateness_ms)),
        of_about(&|about| seconds(about.commit_interval_ms as i64)),
        of_about(&|about| seconds(about.idle_timeout_ms as i64)),
        of_about(&|about| seconds(about.session_timeout_ms as i64)),
        of_about(&|about| about.http.clone().unwrap_or_else(|| "off".to_owned())),
    ]
}

fn partition(cluster: &Cluster, owner: &ClusterInstance, of: &ClusterPartition) -> [String; 6] {
    let is_unowned = cluster.unowned_partitions.contains(&of.partition);
    let owner = &owner.instance_id;
    [
        of.partition.to_string(),
        of.next_offset.to_string(),
        of.lag_records.map_or_else(dash, |lag| lag.to_string()),
        age(cluster, of.written_at_ms),
        time(of.watermark_ms.map(EventTimeMs)),
        if is_unowned { format!("none; the last was {owner}") } else { owner.clone() },
    ]
}

fn dash() -> String {
    "-".to_owned()
}

/// How long ago something was written, to a tenth of a second.
fn age(cluster: &Cluster, written_at_ms: i64) -> String {
    let ms = cluster.at_ms.saturating_sub(written_at_ms).max(0);
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// Columns as wide as their widest cell, two blanks apart.
fn write_table<const N: usize>(
    out: &mut impl Write,
    headings: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> io::Result<()> {
    let rows: Vec<_> = [headings.map(str::to_owned)].into_iter().chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn write_notes(out: &mut impl Write, cluster: &Cluster) -> io::Result<()> {
    if !cluster.unowned_partitions.is_empty() {
        let numbers: Vec<_> = cluster.unowned_partitions.iter().map(i32::to_string).collect();
        writeln!(
            out,
            "\nNo instance that writes owns partition {}. When an instance is lost, others have its \
             partitions after --session-timeout. If this stays, see whether enough instances run.",
            numbers.join(", ")
        )?;
    }
    if !cluster.differences.is_empty() {
        writeln!(
            out,
            "\nInstances differ in {}. Give all of a group the same version and the same settings.",
            cluster.differences.join(", ")
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ClusterRun;

    fn of(name: &str, written_at_ms: i64, partitions: &[i32]) -> ClusterInstance {
        let partition = |p: &i32| ClusterPartition {
            partition: *p,
            next_offset: 100,
            watermark_ms: Some(1_730_624_400_000),
            lag_records: (*p == 0).then_some(12),
            written_at_ms,
        };
        let about = AboutInstance {
            version: "1.2.3".to_owned(),
            started_at_ms: 0,
            http: None,
            delivery: "exactly-once".to_owned(),
            window_ms: 10_000,
            grace_ms: 2500,
            allowed_lateness_ms: 60_000,
            commit_interval_ms: 100,
            idle_timeout_ms: 30_000,
            session_timeout_ms: 10_000,
        };
        ClusterInstance {
            instance_id: name.to_owned(),
            epoch: 7,
            written_at_ms,
            merges: name == "one",
            silent: name == "three",
            about: (name != "two").then_some(about),
            partitions: partitions.iter().map(partition).collect(),
        }
    }

    fn shown(cluster: &Cluster) -> String {
        let mut out = Vec::new();
        write(&mut out, cluster).expect("to memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_group_is_shown_as_two_tables_and_what_is_wrong_with_it() {
        let at_ms = 1_730_624_460_000;
        let cluster = Cluster {
            at_ms,
            group_id: "g".to_owned(),
            announced_partitions: 4,
            merger: Some("one".to_owned()),
            run: Some(ClusterRun { number: 4, done: true }),
            unowned_partitions: vec![1, 3],
            differences: vec!["version".to_owned(), "grace".to_owned()],
            instances: vec![
                of("one", at_ms - 250, &[0]),
                of("three", at_ms - 61_040, &[1]),
                of("two", at_ms, &[2]),
            ],
        };
        let text = shown(&cluster);
        let expected = "\
group        g
seen         2024-11-03T09:01:00.000Z
merger       one
partitions   4 announced
bounded run  4, done

instance  state   partitions  epoch  last record  version  delivery      window  grace    \
lateness  commits  idle  session  http
one       merges  1           7      0.2 s        1.2.3    exactly-once  10 s    2500 ms  \
60 s      100 ms   30 s  10 s     off
three     silent  1           7      61.0 s       1.2.3    exactly-once  10 s    2500 ms  \
60 s      100 ms   30 s  10 s     off
two       writes  1           7      0.0 s        -        -             -       -        \
-         -        -     -        -

partition  next offset  lag  last record  watermark                 instance
0          100          12   0.2 s        2024-11-03T09:00:00.000Z  one
1          100          -    61.0 s       2024-11-03T09:00:00.000Z  none; the last was three
2          100          -    0.0 s        2024-11-03T09:00:00.000Z  two
";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("owns partition 1, 3. "), "{text}");
        assert!(text.contains("differ in version, grace. "), "{text}");
        let well =
            Cluster { unowned_partitions: vec![], differences: vec![], merger: None, ..cluster };
        let text = shown(&well);
        assert!(text.contains("\nmerger       nobody\n") && text.ends_with("  two\n"), "{text}");
    }
}
