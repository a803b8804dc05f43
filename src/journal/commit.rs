//! What is committed beside an offset: who committed it, and where the journal of it is read.

use crate::ids::{Epoch, EventTimeMs, InstanceId, Offset, TopicMark};

/// The first field. Builds without a journal wrote an instance id there, and other fields.
const VERSION: &str = "2";

/// Epochs beyond this are nobody's: a thousand per second for 292 million years.
const HIGHEST_EPOCH: u64 = i64::MAX as u64;

/// Commit metadata of an input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalCommit {
    /// Who committed.
    pub instance: InstanceId,
    /// The epoch that was committed.
    pub epoch: Epoch,
    /// The journal that its record went to; `None` where the brokers have no topic ids.
    pub journal: Option<TopicMark>,
    /// A lower bound of the offset of the partition's newest snapshot in that journal. Of input
    /// partition 0 also of the merger's.
    pub restore_from: Offset,
    /// The partition's watermark.
    pub watermark: Option<EventTimeMs>,
    /// Of input partition 0: windows that end at or before this are forgotten.
    pub forgotten: Option<EventTimeMs>,
}

impl JournalCommit {
    /// `2:<instance>:<epoch>:<journal>:<restore_from>:<watermark>:<forgotten>`, the journal as the
    /// first 8 hex digits of its topic's id. Times are in milliseconds; they and the id are empty
    /// when there is none.
    pub fn encode(&self) -> String {
        let Self { instance, epoch, journal, restore_from, watermark, forgotten } = self;
        let journal = journal.map(|mark| mark.to_string()).unwrap_or_default();
        let [watermark, forgotten] = [watermark, forgotten]
            .map(|time| time.map(|time| time.to_string()).unwrap_or_default());
        format!("{VERSION}:{instance}:{epoch}:{journal}:{restore_from}:{watermark}:{forgotten}")
    }

    /// Reads what `encode` wrote; `None` when it is anything else, the metadata of builds without a
    /// journal included.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        parts.next().filter(|version| *version == VERSION)?;
        let instance = InstanceId::parse(parts.next()?)?;
        // Another program's numbers may be anything; there must be epochs after it.
        let epoch = Epoch(parts.next()?.parse().ok().filter(|epoch| *epoch <= HIGHEST_EPOCH)?);
        let journal = match parts.next()? {
            "" => None,
            mark => Some(TopicMark::parse(mark)?),
        };
        let restore_from = Offset(parts.next()?.parse().ok().filter(|offset| *offset >= 0)?);
        let time = |text: &str| match text {
            "" => Some(None),
            time => time.parse().ok().map(|time| Some(EventTimeMs(time))),
        };
        let (watermark, forgotten) = (time(parts.next()?)?, time(parts.next()?)?);
        let parsed = Self { instance, epoch, journal, restore_from, watermark, forgotten };
        parts.next().is_none().then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ids::TopicId, limits::INSTANCE_ID_MAX_BYTES};

    fn commit() -> impl Strategy<Value = JournalCommit> {
        let numbers = (0..=HIGHEST_EPOCH, any::<Option<u128>>(), 0..=i64::MAX);
        ("[a-zA-Z0-9._-]{1,128}", numbers, any::<[Option<i64>; 2]>()).prop_map(
            |(instance, (epoch, id, restore_from), [watermark, forgotten])| JournalCommit {
                instance: InstanceId::parse(&instance).expect("valid"),
                epoch: Epoch(epoch),
                journal: id.map(|id| TopicId(id).mark()),
                restore_from: Offset(restore_from),
                watermark: watermark.map(EventTimeMs),
                forgotten: forgotten.map(EventTimeMs),
            },
        )
    }

    proptest! {
        #[test]
        fn metadata_comes_back(commit in commit()) {
            prop_assert_eq!(JournalCommit::parse(&commit.encode()), Some(commit.clone()));
            // Brokers accept 4 096 bytes by default.
            prop_assert!(commit.encode().len() <= INSTANCE_ID_MAX_BYTES + 100);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(2:)?[0-9a-f:.+-]{0,60}|\\PC{0,30}") {
            if let Some(commit) = JournalCommit::parse(&text) {
                prop_assert_eq!(JournalCommit::parse(&commit.encode()), Some(commit));
            }
        }
    }

    #[test]
    fn metadata_is_as_documented() {
        let commit = JournalCommit {
            instance: InstanceId::parse("host-00c0ffee").expect("valid"),
            epoch: Epoch(17),
            journal: Some(TopicId(0x9ea0_2647 << 96).mark()),
            restore_from: Offset(4711),
            watermark: Some(EventTimeMs(-5)),
            forgotten: Some(EventTimeMs(-10)),
        };
        assert_eq!(commit.encode(), "2:host-00c0ffee:17:9ea02647:4711:-5:-10");
        let bare = JournalCommit { journal: None, watermark: None, forgotten: None, ..commit };
        assert_eq!(bare.encode(), "2:host-00c0ffee:17::4711::");
    }

    #[test]
    fn metadata_of_builds_without_a_journal_is_refused() {
        for text in [
            "",
            "a:17:100:5:start:5:5:9ea02647",
            "2:17:100:5:start:5:5:9ea02647",
            "2:17:100:5:start:5:5",
            "3:a:17:9ea02647:4711:5:",
            "2:a:17:9ea02647:4711:5",
            "2:a:17:9ea02647:4711:5::",
            "2:a:-1:9ea02647:4711:5:",
            "2:a:17:9ea0264:4711:5:",
            "2:a:17:9ea02647:-1:5:",
            "2:a:9223372036854775808:9ea02647:0:5:",
        ] {
            assert_eq!(JournalCommit::parse(text), None, "{text}");
        }
    }
}
