//! Questions about the cluster, its topics, brokers and groups; creation and deletion.
//!
//! Used by whoever owns the client: the start-up checks, the sink at an epoch cut, a run that asks
//! why it cannot read. In: names. Out: what the brokers say, within a timeout per call.
//! Holds: asking for a topic never creates it; no group is joined, no id registered. [`Admin`]
//! asks; each kind of question is a file with its functions and the type of its answer.

mod answers;
mod brokers;
mod client;
mod cluster;
mod commits;
mod configs;
mod creation;
mod deletion;
mod ends;
mod groups;
mod options;
mod replicas;
mod requests;
mod rights;
mod topics;

pub use self::{
    brokers::{UnreachableBroker, find_unreachable_brokers, unreachable_brokers},
    client::Admin,
    cluster::{ClusterDescription, cluster_id, describe_cluster},
    commits::commit_metadata,
    configs::{broker_config, topic_config},
    creation::{NewTopic, create_topics},
    deletion::{delete_group, delete_topic},
    ends::{all_log_ends, log_ends},
    groups::{GroupDescription, GroupMember, describe_group},
    replicas::{TopicReplicas, describe_topics},
    rights::{Operation, Rights},
    topics::{TopicInfo, find_topics},
};
