//! Judges what the machine has to offer: state folder, port, cores. Nothing is created or taken.

use super::findings::Findings;
use crate::{
    config::{OnTopicRecreated, RunConfig, Surroundings},
    http,
    ids::TopicId,
    limits,
    state::{self, Identity, Peek, StateError},
    topics::Topic,
};

/// Judges the state folder, except the cluster that it belongs to.
pub(super) fn judge(
    config: &RunConfig,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Peek {
    let peek = state::peek(&config.state_dir);
    for problem in &peek.problems {
        match problem {
            // A run helps itself: it moves the folder's database aside and reads the journal.
            StateError::Unreadable { .. } => findings.hint(problem.to_string()),
            problem => findings.problem(problem.to_string()),
        }
    }
    if let Some(free) = peek.free_bytes.filter(|free| *free < limits::STATE_FREE_MIN_BYTES) {
        findings.problem(format!(
            "the disk of the state folder {} (--state-dir) has {} left, and {} are needed; free \
             space there, or name a folder on a larger disk",
            config.state_dir.display(),
            size(free),
            size(limits::STATE_FREE_MIN_BYTES)
        ));
    }
    if let Some(bytes) = peek.unread_bytes {
        findings.hint(format!(
            "the state in {} (--state-dir) has {}, too much to be copied for a look; whether it \
             belongs to this topic and group shows at the start",
            config.state_dir.display(),
            size(bytes)
        ));
    }
    if let Some(address) = config.http {
        // The listener is closed at once, before it answers anything.
        if let Err(error) = http::bind(address) {
            findings.problem(error.to_string());
        }
    }
    let cores = surroundings.cores;
    if config.workers > cores {
        findings.hint(format!(
            "--workers {}: this machine has {cores} cores for them, the source and the sink; use \
             --workers {}",
            config.workers,
            surroundings.default_workers(&config.memory)
        ));
    }
    peek
}

/// Judges whether the state belongs to this run. Without an answer of the broker, its cluster is
/// assumed to be right.
pub(super) fn judge_identity(
    config: &RunConfig,
    peek: &Peek,
    cluster_id: Option<&str>,
    findings: &mut Findings,
) {
    let Some(summary) = &peek.summary else { return };
    let stored = &summary.identity;
    let configured = Identity {
        cluster_id: cluster_id.unwrap_or(&stored.cluster_id).to_owned(),
        topic: config.topics[Topic::Input].clone(),
        group_id: config.group_id.clone(),
        window_size_ms: config.window.size_ms,
    };
    if let Err(error) = state::fits(&config.state_dir, stored, &configured) {
        findings.problem(error.to_string());
    }
}

/// Judges positions in an earlier topic that had the input's name.
pub(super) fn judge_topic(
    config: &RunConfig,
    peek: &Peek,
    topic: Option<TopicId>,
    findings: &mut Findings,
) {
    let (Some(summary), Some(topic)) = (&peek.summary, topic) else { return };
    let now = topic.to_string();
    let Some(was) = summary.topic_ids.iter().find(|id| **id != now) else { return };
    let name = &config.topics[Topic::Input];
    let what = format!(
        "topic {name} (--input-topic): it was deleted and created again: its id is {now}, and the \
         state in {} (--state-dir) is of the topic with the id {was}",
        config.state_dir.display()
    );
    match config.on_topic_recreated {
        OnTopicRecreated::Fail => findings.problem(format!(
            "{what}; to read the new topic from its log's start, set --on-topic-recreated begin"
        )),
        OnTopicRecreated::Begin => findings.hint(format!(
            "{what}; the run reads the new topic from its log's start, and published windows take \
             no more events"
        )),
    }
}

/// A number of bytes with a unit.
pub(super) fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}
