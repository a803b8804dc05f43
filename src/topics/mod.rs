//! The topics of a run: what each is, a value for each, and what the brokers report about them.

mod board;
mod per_topic;
mod topic;

pub use self::{
    board::{SeenTopics, TopicBoard},
    per_topic::{PerOutput, PerTopic, TopicMap},
    topic::{Compaction, DefaultName, Topic, TopicSpec, Written},
};
