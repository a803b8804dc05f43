//! The topics that a run reads and writes: one row each.

use crate::limits;

/// The constant facts about a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name of the setting that names the topic: `input-topic`, with `--` the flag.
    pub setting: &'static str,
    /// The setting's help.
    pub help: &'static str,
    /// The topic's name when the setting is not given.
    pub default_name: DefaultName,
    /// Whether a run reads the topic.
    pub is_read: bool,
    /// What a run writes to it.
    pub written: Written,
    /// What `cleanup.policy=compact` does to it.
    pub compaction: Compaction,
}

/// A topic's name when its setting is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultName {
    /// This one.
    Fixed(&'static str),
    /// The consumer group's name, followed by this.
    AfterGroup(&'static str),
}

/// What a run writes to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Nothing: the topic is the input.
    Nothing,
    /// Records of its own making; the topic must accept a record of so many bytes.
    Made {
        /// The least value of `max.message.bytes`.
        record_bytes: usize,
    },
    /// Records as the input gave them, perhaps without a key, truncated to what the topic accepts.
    Rejected,
}

/// What `cleanup.policy=compact` does to a topic, in words for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compaction {
    /// It helps readers: a sentence with its subject.
    Helps(&'static str),
    /// It may lose records: a verb with its object.
    Risks(&'static str),
    /// It makes the output useless: a verb with its object.
    Breaks(&'static str),
    /// The topic works with this policy alone.
    Needed,
}

/// Declares the enum, the lists of its variants and their specs from one table.
macro_rules! topics_table {
    ($($topic:ident {
        setting: $setting:literal,
        help: $help:literal,
        $($fact:ident: $value:expr,)*
    })*) => {
        /// A topic of a run; the text of a variant is the help of its setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Topic {
            $(#[doc = concat!($help, ".")] $topic,)*
        }

        impl Topic {
            /// All topics, in the order of the table.
            pub const ALL: [Self; [$(Self::$topic),*].len()] = [$(Self::$topic),*];

            /// The topic's constant facts.
            pub const fn spec(self) -> TopicSpec {
                match self {
                    $(Self::$topic => TopicSpec {
                        setting: $setting,
                        help: $help,
                        $($fact: $value,)*
                    },)*
                }
            }
        }
    };
}

// The input first: all others are outputs.
topics_table! {
    Input {
        setting: "input-topic",
        help: "Topic of the login events",
        default_name: DefaultName::Fixed("user-login"),
        is_read: true,
        written: Written::Nothing,
        compaction: Compaction::Risks(
            "drops events whose key comes again, perhaps before they are read",
        ),
    }
    Processed {
        setting: "processed-topic",
        help: "Topic of the enriched events",
        default_name: DefaultName::Fixed("processed-logins"),
        is_read: false,
        written: Written::Made { record_bytes: limits::OUTPUT_RECORD_MIN_BYTES },
        compaction: Compaction::Breaks("keeps only the newest event of each user"),
    }
    Aggregated {
        setting: "aggregated-topic",
        help: "Topic of the window totals",
        default_name: DefaultName::Fixed("aggregated-usage"),
        is_read: false,
        written: Written::Made { record_bytes: limits::OUTPUT_RECORD_MIN_BYTES },
        compaction: Compaction::Helps("the newest revision of each window stays for ever"),
    }
    DeadLetter {
        setting: "dead-letter-topic",
        help: "Topic of the records that cannot be processed",
        default_name: DefaultName::Fixed("user-login-dlq"),
        is_read: false,
        written: Written::Rejected,
        compaction: Compaction::Breaks(REFUSES_WITHOUT_KEY),
    }
    Late {
        setting: "late-topic",
        help: "Topic of the events that came after the allowed lateness",
        default_name: DefaultName::Fixed("user-login-late"),
        is_read: false,
        written: Written::Rejected,
        compaction: Compaction::Breaks(REFUSES_WITHOUT_KEY),
    }
    Journal {
        setting: "journal-topic",
        help: "Topic of the group's committed state",
        default_name: DefaultName::AfterGroup("-journal"),
        is_read: true,
        written: Written::Made { record_bytes: limits::JOURNAL_RECORD_MIN_BYTES },
        compaction: Compaction::Needed,
    }
    Alerts {
        setting: "alerts-topic",
        help: "Topic of the alerts about logins",
        default_name: DefaultName::Fixed("login-alerts"),
        is_read: false,
        written: Written::Made { record_bytes: limits::OUTPUT_RECORD_MIN_BYTES },
        compaction: Compaction::Breaks("keeps only the newest alert of each user"),
    }
    Activity {
        setting: "activity-topic",
        help: "Topic of the users' sessions",
        default_name: DefaultName::Fixed("user-activity"),
        is_read: false,
        written: Written::Made { record_bytes: limits::OUTPUT_RECORD_MIN_BYTES },
        compaction: Compaction::Breaks("keeps only the newest session of each user"),
    }
}

const REFUSES_WITHOUT_KEY: &str =
    "refuses records without a key, which the input may have, and drops others";

impl DefaultName {
    /// The name in a group.
    pub fn in_group(self, group_id: &str) -> String {
        match self {
            Self::Fixed(name) => name.to_owned(),
            Self::AfterGroup(suffix) => format!("{group_id}{suffix}"),
        }
    }
}

impl Topic {
    /// The topics of a run that enriches and counts events, in the order of the table.
    pub const COUNTING: [Self; 6] = [
        Self::Input,
        Self::Processed,
        Self::Aggregated,
        Self::DeadLetter,
        Self::Late,
        Self::Journal,
    ];

    /// The topics of a run that keeps users' profiles, in the order of the table.
    pub const PROFILING: [Self; 5] =
        [Self::Input, Self::DeadLetter, Self::Journal, Self::Alerts, Self::Activity];

    /// Whether a run writes it.
    pub const fn is_output(self) -> bool {
        !matches!(self.spec().written, Written::Nothing)
    }

    /// Whether it takes rejected records.
    pub const fn is_side_topic(self) -> bool {
        matches!(self.spec().written, Written::Rejected)
    }

    /// The flag that names it.
    pub fn flag(self) -> String {
        format!("--{}", self.spec().setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_stand_in_the_order_of_the_table_and_only_the_input_is_not_written() {
        assert!(Topic::COUNTING.is_sorted() && Topic::PROFILING.is_sorted());
        assert!(Topic::ALL.is_sorted());
        let not_written = Topic::ALL.into_iter().filter(|topic| !topic.is_output());
        assert_eq!(not_written.collect::<Vec<_>>(), [Topic::Input]);
    }
}
