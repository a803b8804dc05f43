//! Collects the reports of an epoch. Pure; owned by the sink.
//!
//! In:  the source's cut and every worker's answer. Out: the complete epoch.
//! Holds: one epoch is collected at a time, and completes once; per partition, records in =
//! processed + dead-lettered.

use std::collections::BTreeMap;

use super::{EpochCut, PartitionCounts, WorkerEpoch};
use crate::ids::{Epoch, PartitionId};

/// A complete epoch: the cut and every worker's answer.
#[derive(Debug)]
pub struct AlignedEpoch {
    /// The source's report.
    pub cut: EpochCut,
    /// The workers' reports, in the order they arrived.
    pub workers: Vec<WorkerEpoch>,
}

impl AlignedEpoch {
    /// The counts of all workers, added up per partition.
    pub fn counts(&self) -> BTreeMap<PartitionId, PartitionCounts> {
        let mut sums: BTreeMap<PartitionId, PartitionCounts> = BTreeMap::new();
        for (partition, counts) in self.workers.iter().flat_map(|worker| &worker.counts) {
            let sum = sums.entry(*partition).or_default();
            sum.processed += counts.processed;
            sum.dead_lettered += counts.dead_lettered;
            sum.late += counts.late;
        }
        sums
    }

    /// The conservation invariant: every routed record was processed or dead-lettered, per
    /// partition; no partition was counted that is not owned.
    pub fn assert_conserved(&self) {
        let counts = self.counts();
        for cut in &self.cut.partitions {
            let made = counts.get(&cut.progress.partition).copied().unwrap_or_default();
            assert_eq!(
                cut.routed,
                made.processed + made.dead_lettered,
                "epoch {}: partition {}: records routed = processed + dead-lettered",
                self.cut.epoch,
                cut.progress.partition
            );
        }
        assert!(
            counts.keys().all(|p| self.cut.partitions.iter().any(|c| c.progress.partition == *p)),
            "epoch {}: a worker counted a partition that is not owned",
            self.cut.epoch
        );
    }
}

/// Collects the reports of one epoch. One epoch at a time is enough: the source cuts the next one
/// only after the sink has answered that this one is committed.
#[derive(Debug)]
pub struct Alignment {
    workers: usize,
    epoch: Epoch,
    cut: Option<EpochCut>,
    answers: Vec<WorkerEpoch>,
}

impl Alignment {
    /// Collects `workers` answers per epoch, beginning with `epoch`.
    pub fn new(workers: usize, epoch: Epoch) -> Self {
        Self { workers, epoch, cut: None, answers: Vec::with_capacity(workers) }
    }

    /// The epoch that is open: its records may be sent, later ones wait.
    pub fn open_epoch(&self) -> Epoch {
        self.epoch
    }

    /// Takes the source's report.
    pub fn offer_cut(&mut self, cut: EpochCut) {
        assert_eq!(cut.epoch, self.epoch, "the source cuts the open epoch only");
        assert!(self.cut.is_none(), "an epoch is cut once");
        self.cut = Some(cut);
    }

    /// Takes a worker's report.
    pub fn offer_worker(&mut self, answer: WorkerEpoch) {
        assert_eq!(answer.epoch, self.epoch, "workers answer the open epoch only");
        let answered = self.answers.iter().any(|other| other.worker == answer.worker);
        assert!(!answered, "a worker answers an epoch once");
        self.answers.push(answer);
    }

    /// The open epoch once it is complete. It stays open until `finish`.
    pub fn take_complete(&mut self) -> Option<AlignedEpoch> {
        if self.answers.len() < self.workers {
            return None;
        }
        let cut = self.cut.take()?;
        Some(AlignedEpoch { cut, workers: std::mem::take(&mut self.answers) })
    }

    /// Opens the next epoch, after the one before is committed.
    pub fn finish(&mut self) {
        assert!(self.cut.is_none() && self.answers.is_empty(), "an epoch finishes once complete");
        self.epoch = self.epoch.next();
    }

    /// Bytes of the deltas that were collected and not taken yet.
    pub fn waiting_delta_bytes(&self) -> usize {
        self.answers.iter().map(|answer| answer.delta_bytes).sum()
    }
}
