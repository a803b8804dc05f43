//! Keeps the files of rows in step with what is followed. Owned by the replica.
//!
//! In:  rows, and the records that end their epochs; how far the journal was read. Out: the files.
//! Holds: workers read rows through the files while partitions are read, so these are needed: when
//! they cannot be written, the process ends. Memory has no room for all rows.

use std::time::Instant;

use crate::{
    error::RunError,
    ids::{Offset, PartitionId},
    journal::{Record, RowKey, RowValue, Stream},
    limits::COPY_WRITE_INTERVAL,
    rows::{RowFault, RowFiles},
};

/// The files, if there are rows, and when they were last written.
#[derive(Debug)]
pub(super) struct RowCopy {
    files: Option<RowFiles>,
    /// What was wrong where nobody could be told.
    fault: Option<RowFault>,
    written_at: Option<Instant>,
}

impl RowCopy {
    pub(super) fn new(files: Option<RowFiles>) -> Self {
        Self { files, fault: None, written_at: None }
    }

    /// From where the rows of a journal partition are to be read, of which the rest is known up to
    /// an offset; `None`: all of them.
    pub(super) fn position(&self, partition: PartitionId, known: Offset) -> Option<Offset> {
        self.files.as_ref().map_or(Some(known), |files| files.position(partition))
    }

    /// Takes a row; `None`: it is removed.
    pub(super) fn take(&mut self, partition: PartitionId, key: RowKey, value: Option<RowValue>) {
        if let Some(files) = &mut self.files {
            files.take(partition, key, value);
        }
    }

    /// Takes the record that ends an epoch of a stream.
    pub(super) fn applied(&mut self, record: &Record) {
        if let (Some(files), Stream::Partition(partition)) = (&mut self.files, record.stream) {
            files.taken(partition, record.epoch);
        }
    }

    /// Drops the rows of the input partitions that this is true of: a journal partition, or each,
    /// is read again.
    pub(super) fn drop_partitions(
        &mut self,
        journal: Option<PartitionId>,
        is_gone: impl Fn(PartitionId) -> bool,
    ) {
        if let Some(files) = &mut self.files {
            self.fault = files.drop_partitions(journal, is_gone).err().or(self.fault.take());
        }
    }

    /// The files are of no use: all rows are read again.
    pub(super) fn set_aside(&mut self, reason: &str) {
        if let Some(files) = &mut self.files {
            self.fault = files.set_aside(reason).err().or(self.fault.take());
        }
    }

    /// Writes what has come, if it is time or if this is the end. The journal was read up to
    /// `positions`.
    ///
    /// # Errors
    /// `Failed` when that fails.
    pub(super) fn write(
        &mut self,
        positions: impl Iterator<Item = (PartitionId, Offset)>,
        now: Instant,
        is_last: bool,
    ) -> Result<(), RunError> {
        let Some(files) = &mut self.files else { return Ok(()) };
        let waited = self.written_at.is_none_or(|at| now - at >= COPY_WRITE_INTERVAL);
        if !(is_last || waited || files.is_full()) {
            return Ok(());
        }
        self.written_at = Some(now);
        let written = self.fault.take().map_or(Ok(()), Err);
        let written = written.and_then(|()| files.write(&positions.collect()));
        written.map_err(|fault| RunError::Failed(fault.to_string()))
    }

    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.files.as_ref().map_or(0, RowFiles::memory_bytes)
    }
}
