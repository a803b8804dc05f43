//! The topics that a run reads and writes: one row each.

use crate::limits;

/// The constant facts about a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name of the setting that names the topic: `input-topic`, with `--` the flag.
    pub setting: &'static str,
    /// The topic's name when the setting is not given.
    pub default_name: &'static str,
    /// The setting's help.
    pub help: &'static str,
    /// Whether a run reads the topic.
    pub is_read: bool,
    /// What a run writes to it.
    pub written: Written,
    /// What `cleanup.policy=compact` does to it.
    pub compaction: Compaction,
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
}

/// Declares the enum, the lists of its variants and their specs from one table.
macro_rules! topics_table {
    ($($topic:ident {
        setting: $setting:literal,
        default_name: $default_name:literal,
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
                        default_name: $default_name,
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
        default_name: "user-login",
        help: "Topic of the login events",
        is_read: true,
        written: Written::Nothing,
        compaction: Compaction::Risks(
            "drops events whose key comes again, perhaps before they are read",
        ),
    }
    Processed {
        setting: "processed-topic",
        default_name: "processed-logins",
        help: "Topic of the enriched events",
        is_read: false,
        written: Written::Made { record_bytes: limits::OUTPUT_RECORD_MIN_BYTES },
        compaction: Compaction::Breaks("keeps only the newest event of each user"),
    }
    Aggregated {
        setting: "aggregated-topic",
        default_name: "aggregated-usage",
        help: "Topic of the window totals",
        // The windows of a lost state are read back.
        is_read: true,
        written: Written::Made { record_bytes: limits::OUTPUT_RECORD_MIN_BYTES },
        compaction: Compaction::Helps("the newest revision of each window stays for ever"),
    }
    DeadLetter {
        setting: "dead-letter-topic",
        default_name: "user-login-dlq",
        help: "Topic of the records that cannot be processed",
        is_read: false,
        written: Written::Rejected,
        compaction: Compaction::Breaks(REFUSES_WITHOUT_KEY),
    }
    Late {
        setting: "late-topic",
        default_name: "user-login-late",
        help: "Topic of the events that came after the allowed lateness",
        is_read: false,
        written: Written::Rejected,
        compaction: Compaction::Breaks(REFUSES_WITHOUT_KEY),
    }
}

const REFUSES_WITHOUT_KEY: &str =
    "refuses records without a key, which the input may have, and drops others";

impl Topic {
    /// The topics that a run writes, in the order of the table.
    pub const OUTPUTS: [Self; Self::ALL.len() - 1] =
        *Self::ALL.last_chunk().expect("the input is a topic");

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
    fn outputs_are_the_topics_that_are_written() {
        let mut written = Topic::ALL.to_vec();
        written.retain(|topic| topic.is_output());
        assert_eq!(written, Topic::OUTPUTS);
    }
}
