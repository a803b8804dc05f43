//! What an instance says of itself: its version, and the settings that concern the group. Pure.
//!
//! In:  the settings of the writer. Out: a record beside those of the lowest partition it owns.
//! Holds: it belongs to no stream, and nothing that is counted or committed depends on it. Who
//! reads a stream from its newest snapshot on also reads the record of the instance that owns it.

use super::{
    FORMAT_VERSION,
    bytes::{ByteReader, ByteWriter, Flaw, flaw},
    header::KIND_INSTANCE,
    key::Key,
    writer::Written,
};
use crate::{
    ids::{Epoch, InstanceId, PartitionId},
    limits,
    window::WindowRules,
};

/// What an instance says of itself. All but the times of its own and the address must be the same
/// in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRecord {
    /// The epoch that it was written in; of two records the higher one counts.
    pub epoch: Epoch,
    /// Version of the program.
    pub version: String,
    /// When the process began, milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// Address of dashboard and API, as it was set; `None` where it has none.
    pub http: Option<String>,
    /// Window size, grace and allowed lateness.
    pub rules: WindowRules,
    /// Whether outputs are part of the transaction.
    pub exactly_once: bool,
    /// Time between two epoch cuts, milliseconds.
    pub commit_interval_ms: u64,
    /// Silence after which a partition is idle, milliseconds.
    pub idle_timeout_ms: u64,
    /// How long the group waits for a member that is gone, milliseconds.
    pub session_timeout_ms: u64,
}

impl InstanceRecord {
    /// Its record, to be sent to the journal partition of the lowest partition that the instance
    /// owns.
    pub fn record(&self, instance: &InstanceId, partition: PartitionId) -> Written {
        Written { partition, chunks: vec![(Self::key(instance), self.encode())] }
    }

    /// Longer than this it does not write while there is something to write, milliseconds: some
    /// epochs, each of which may last several commit intervals.
    pub fn patience_ms(&self) -> i64 {
        let intervals = u64::from(limits::EPOCH_INTERVALS_MOST * limits::SILENT_EPOCHS);
        i64::try_from(self.commit_interval_ms.saturating_mul(intervals)).unwrap_or(i64::MAX)
    }

    /// Key of an instance's record.
    pub fn key(instance: &InstanceId) -> Vec<u8> {
        Key::Instance(instance.clone()).encode()
    }

    /// Value of the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = ByteWriter::default();
        writer.byte(FORMAT_VERSION);
        writer.byte(KIND_INSTANCE);
        writer.unsigned(self.epoch.0);
        writer.text(&self.version);
        writer.signed(self.started_ms);
        writer.option(self.http.as_deref(), ByteWriter::text);
        writer.signed(self.rules.size_ms);
        writer.signed(self.rules.grace_ms);
        writer.signed(self.rules.allowed_lateness_ms);
        writer.flag(self.exactly_once);
        writer.unsigned(self.commit_interval_ms);
        writer.unsigned(self.idle_timeout_ms);
        writer.unsigned(self.session_timeout_ms);
        writer.finish()
    }

    /// The record in a value whose version byte has been read.
    pub(super) fn decode(mut reader: ByteReader) -> Result<Self, Flaw> {
        let kind = reader.byte()?;
        if kind != KIND_INSTANCE {
            return flaw(format!("is of kind {kind} where an instance was expected"));
        }
        let read = Self {
            epoch: Epoch(reader.unsigned()?),
            version: reader.text()?.to_owned(),
            started_ms: reader.signed()?,
            http: reader.option(|reader| reader.text().map(str::to_owned))?,
            rules: WindowRules {
                size_ms: reader.signed()?,
                grace_ms: reader.signed()?,
                allowed_lateness_ms: reader.signed()?,
            },
            exactly_once: reader.flag()?,
            commit_interval_ms: reader.unsigned()?,
            idle_timeout_ms: reader.unsigned()?,
            session_timeout_ms: reader.unsigned()?,
        };
        reader.finish()?;
        Ok(read)
    }
}
