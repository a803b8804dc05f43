//! What an epoch writes into the journal. Sink thread.
//!
//! In:  a prepared epoch, what the source and the workers say of each partition.
//! Out: a record of every owned stream and the commits beside them.

use std::collections::BTreeMap;

use super::context::Context;
use crate::{
    client::{Client, Clock},
    epoch::{AlignedEpoch, CutPartition},
    ids::PartitionId,
    journal::{
        Content, InstanceRecord, MergerRecord, Moment, PartitionCommit, PartitionRecord,
        RecordKind, RowChanges, Stream, Written,
    },
    window::{
        BoundedRun, MergerChange, MergerHead, PartitionHead, PartitionTotals, Prepared, WindowRules,
    },
};

/// What is not in the window state, per owned partition.
pub(super) type Accounts = BTreeMap<PartitionId, Account>;

/// Progress of a partition in an epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    at_end: bool,
    totals: PartitionTotals,
}

/// The accounts after an epoch.
pub(super) fn accounts<C: Client>(cx: &Context<C>, aligned: &AlignedEpoch) -> Accounts {
    let counts = aligned.counts();
    let account = |cut: &CutPartition| {
        let partition = cut.progress.partition;
        let before = cx.totals.get(&partition).copied().unwrap_or_default();
        let made = counts.get(&partition).copied().unwrap_or_default();
        let totals = PartitionTotals {
            records_in: before.records_in + cut.routed + cut.tombstones,
            processed: before.processed + made.processed,
            dead_lettered: before.dead_lettered + made.dead_lettered,
            late: before.late + made.late,
            tombstones: before.tombstones + cut.tombstones,
        };
        (partition, Account { at_end: cut.at_end, totals })
    };
    aligned.cut.partitions.iter().map(account).collect()
}

/// The totals of all accounts.
pub(super) fn totals(accounts: &Accounts) -> BTreeMap<PartitionId, PartitionTotals> {
    accounts.iter().map(|(partition, account)| (*partition, account.totals)).collect()
}

/// Queues the journal's records of an epoch; `ends_run`: the bounded run is done with it. Returns
/// what is committed with them, and their bytes.
pub(super) fn write<C: Client>(
    cx: &mut Context<C>,
    prepared: &Prepared,
    rows: &[RowChanges],
    accounts: &Accounts,
    ends_run: bool,
) -> (BTreeMap<PartitionId, PartitionCommit>, usize) {
    let moment = Moment {
        epoch: prepared.epoch,
        now_ms: cx.clock.now_ms(),
        positions: cx.settings.replica.positions.get(),
    };
    let rules = cx.settings.rules;
    let writer = cx.writer.as_mut().expect("there is one once partitions are taken over");
    let mut records = writer.begin(moment);
    let mut written: Vec<Written> = Vec::with_capacity(prepared.partitions.len() + rows.len() + 1);
    written.extend(rows.iter().map(|changes| records.rows(changes)));
    // The first epoch of an owner: what was committed before it is not known here.
    let mut introduces = cx.committed_epoch.is_none();
    for (n, change) in prepared.partitions.iter().enumerate() {
        let Account { at_end, totals } = accounts[&change.partition];
        let head = PartitionHead { state: change.state, at_end, totals };
        written.push(records.write(Stream::Partition(change.partition), |kind| {
            introduces |= n == 0 && kind == RecordKind::Snapshot;
            let windows = match kind {
                RecordKind::Epoch => change.partials.clone(),
                RecordKind::Snapshot => cx.windows.counts_after(change),
            };
            Content::Partition(PartitionRecord { head, windows })
        }));
    }
    if let Some(beside) =
        written.get(rows.len()).map(|first| first.partition).filter(|_| introduces)
    {
        let said = InstanceRecord { epoch: prepared.epoch, ..cx.settings.introduction.clone() };
        written.push(said.record(&cx.settings.instance, beside));
    }
    if let Some(merge) = &prepared.merge {
        let head = merger_head(&merge.change, cx.runs.after(ends_run), rules);
        let mut is_snapshot = false;
        written.push(records.write(Stream::Merger, |kind| {
            is_snapshot = kind == RecordKind::Snapshot;
            let (past_usage, windows) = match kind {
                RecordKind::Epoch => {
                    (merge.change.past_usage.clone(), merge.change.published.clone())
                }
                RecordKind::Snapshot => {
                    (Some(cx.windows.past_usage_after(merge)), cx.windows.published_after(merge))
                }
            };
            Content::Merger(MergerRecord { head, past_usage, windows })
        }));
        if is_snapshot {
            // Written once, it could be lost for good with the journal's end.
            written.push(cx.settings.identity.record());
        }
    }
    let commits = records.finish();
    let mut bytes = 0;
    for record in written {
        bytes += record.chunks.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        cx.outputs.journal(record);
    }
    (commits, bytes)
}

fn merger_head(change: &MergerChange, run: Option<BoundedRun>, rules: WindowRules) -> MergerHead {
    MergerHead {
        watermark: change.watermark,
        horizon: change.horizon,
        forgotten: change.forgotten,
        partitions: change.announced,
        run,
        rules,
    }
}
