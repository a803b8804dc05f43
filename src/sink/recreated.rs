//! The input topic was deleted and created again. Sink thread.
//!
//! In:  partitions whose state, or whose commit, is of the topic that had the name before.
//! Out: the end of the run; or starts at the new log's start, and a horizon.
//! Holds: no offset of the earlier topic is taken for one of the new topic; a window that was
//! published takes no more events, so that no total is replaced by a smaller one. Open windows keep
//! what they have counted: its outputs are committed.

use super::{EpochFailure, context::Context, rebuilding::end_of_published};
use crate::{
    client::Client,
    config::OnTopicRecreated,
    epoch::RecoverRequest,
    error::RunError,
    ids::EventTimeMs,
    state::{CommitMetadata, PartitionRecovery, Start},
    topics::Topic,
    window::{StateImage, WindowRules},
};

/// What is known of the earlier topic.
#[derive(Debug)]
struct Earlier<'a> {
    /// Its id, or the mark that was committed.
    was: &'a str,
    partitions: usize,
    commits: Vec<&'a CommitMetadata>,
}

/// Ends the run, or closes what was published, if partitions that are owned begin in a topic
/// that was created again.
pub(super) fn check_topic<C: Client>(
    cx: &Context<C>,
    decided: &[PartitionRecovery],
    request: &RecoverRequest,
    image: &mut StateImage,
) -> Result<(), EpochFailure> {
    let Some(earlier) = earlier(decided, request) else { return Ok(()) };
    let topic = &cx.settings.outputs.topics[Topic::Input];
    let (was, partitions) = (earlier.was, earlier.partitions);
    let now = request.topic.map(|id| id.to_string()).unwrap_or_default();
    if cx.settings.on_topic_recreated == OnTopicRecreated::Fail {
        return Err(EpochFailure::Stop(RunError::Failed(format!(
            "topic {topic} (--input-topic) was deleted and created again: its id is {now}, and \
             the positions of {partitions} partitions are of the topic with the id {was}; to \
             read the new topic from its log's start, start with --on-topic-recreated begin \
             (windows that were published keep their totals); to go on without the old \
             windows, clear them with `logintide state reset` and name another --group-id"
        ))));
    }
    let sealed = sealed_before(&cx.settings.rules, &earlier, image);
    image.horizon = image.horizon.max(sealed);
    tracing::warn!(
        topic,
        was,
        now,
        partitions,
        sealed_until_ms = sealed.map(|end| end.0),
        "the input topic was deleted and created again: reading begins at its log's start; what \
         the earlier topic had behind the committed offsets is gone, and how much is not \
         known; published windows keep their totals, and events of them go to the late topic; \
         open windows are marked incomplete"
    );
    Ok(())
}

/// Where windows begin that were not published out of the earlier topic.
fn sealed_before(
    rules: &WindowRules,
    earlier: &Earlier<'_>,
    image: &StateImage,
) -> Option<EventTimeMs> {
    // With a lost state folder only the commits tell how far windows had come.
    let reached = earlier.commits.iter().filter_map(|commit| commit.global_watermark).max();
    let of_commits = reached.filter(|_| image.windows.is_empty() && image.partials.is_empty());
    let of_commits = of_commits.map(|time| rules.end(rules.window_of(time)));
    end_of_published(rules, image, None).max(of_commits)
}

fn earlier<'a>(decided: &'a [PartitionRecovery], request: &RecoverRequest) -> Option<Earlier<'a>> {
    let is_owned = |decided: &&PartitionRecovery| {
        request.partitions.iter().any(|facts| facts.partition == decided.partition)
    };
    let recreated = decided.iter().filter(is_owned).filter_map(|decided| match &decided.start {
        Start::Recreated { was, metadata } => Some((was.as_str(), metadata.as_ref())),
        _ => None,
    });
    let recreated: Vec<_> = recreated.collect();
    Some(Earlier {
        was: recreated.first()?.0,
        partitions: recreated.len(),
        commits: recreated.iter().filter_map(|(_, metadata)| *metadata).collect(),
    })
}
