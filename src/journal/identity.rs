//! Whose journal it is: the record that the first owner of input partition 0 writes before it
//! reads, and that everybody has read before beginning. Pure.

use std::fmt;

use super::{
    FORMAT_VERSION, JournalError,
    bytes::{ByteReader, ByteWriter, Flaw, flaw},
    header::KIND_IDENTITY,
    heads,
    key::Key,
    writer::Written,
};
use crate::ids::{PartitionId, TopicId};

/// What a journal belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Cluster id, as the brokers report it.
    pub cluster_id: String,
    /// Consumer group.
    pub group_id: String,
    /// Input topic.
    pub topic: String,
    /// Its id; `None` where the brokers have no ids.
    pub topic_id: Option<TopicId>,
    /// Window size, milliseconds.
    pub window_size_ms: i64,
    /// Partitions of the journal, for ever: they say where a stream is.
    pub journal_partitions: u32,
    /// Input partitions when the journal began. Those beyond begin at their log's start.
    pub first_partitions: u32,
    /// When the journal began, milliseconds since the Unix epoch: its totals are since then.
    pub began_ms: i64,
}

/// A part of the identity that must agree, shown as the setting it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityPart {
    /// The cluster behind the bootstrap servers.
    Cluster,
    /// The consumer group.
    Group,
    /// The input topic.
    Topic,
    /// The window size.
    Window,
}

impl fmt::Display for IdentityPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "Kafka cluster id (of --brokers)",
            Self::Group => "consumer group (--group-id)",
            Self::Topic => "input topic (--input-topic)",
            Self::Window => "window size (--window)",
        })
    }
}

impl Identity {
    /// Key of its record; it lies in journal partition 0.
    pub fn key() -> Vec<u8> {
        Key::Identity.encode()
    }

    /// Its record.
    pub fn record(&self) -> Written {
        Written { partition: PartitionId(0), chunks: vec![(Self::key(), self.encode())] }
    }

    /// Value of its record.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = ByteWriter::default();
        writer.byte(FORMAT_VERSION);
        writer.byte(KIND_IDENTITY);
        writer.text(&self.cluster_id);
        writer.text(&self.group_id);
        writer.text(&self.topic);
        heads::write_topic(&mut writer, self.topic_id);
        writer.signed(self.window_size_ms);
        writer.unsigned(self.journal_partitions.into());
        writer.unsigned(self.first_partitions.into());
        writer.signed(self.began_ms);
        writer.finish()
    }

    /// The identity in a record's value; `None` when there is none of this format.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = ByteReader::new(value);
        let is_ours = reader.byte().ok()? == FORMAT_VERSION;
        if is_ours { Self::decode(reader).ok() } else { None }
    }

    /// The identity in a value whose version byte has been read.
    pub(super) fn decode(mut reader: ByteReader) -> Result<Self, Flaw> {
        let kind = reader.byte()?;
        if kind != KIND_IDENTITY {
            return flaw(format!("is of kind {kind} where the identity was expected"));
        }
        let read = Self {
            cluster_id: reader.text()?.to_owned(),
            group_id: reader.text()?.to_owned(),
            topic: reader.text()?.to_owned(),
            topic_id: heads::read_topic(&mut reader)?,
            window_size_ms: reader.signed()?,
            journal_partitions: reader.number()?,
            first_partitions: reader.number()?,
            began_ms: reader.signed()?,
        };
        reader.finish()?;
        if !(1..=i32::MAX as u32).contains(&read.journal_partitions) {
            return flaw(format!("names {} journal partitions", read.journal_partitions));
        }
        Ok(read)
    }

    /// Refuses a journal of something else. `self` is what the journal says. Which input topic it
    /// was begun with does not matter: each head names the one that its offset is a place in.
    ///
    /// Fails with `OtherIdentity`.
    pub fn check(&self, ours: &Self) -> Result<(), JournalError> {
        let sizes = [self, ours].map(|identity| format!("{} ms", identity.window_size_ms));
        let parts: [(_, &str, &str); 4] = [
            (IdentityPart::Cluster, &self.cluster_id, &ours.cluster_id),
            (IdentityPart::Group, &self.group_id, &ours.group_id),
            (IdentityPart::Topic, &self.topic, &ours.topic),
            (IdentityPart::Window, &sizes[0], &sizes[1]),
        ];
        match parts.into_iter().find(|(_, journal, ours)| journal != ours) {
            None => Ok(()),
            Some((part, journal, ours)) => Err(JournalError::OtherIdentity {
                part,
                journal: journal.to_owned(),
                ours: ours.to_owned(),
            }),
        }
    }
}
