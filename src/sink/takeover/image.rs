//! The window state of the group, as the journal has it. Pure.

use super::is_whole;
use crate::{epoch::RecoverRequest, journal::Stream, replica::Followed, window::StateImage};

/// What the journal holds, as the window state. A stream of others that is not whole says nothing:
/// it is waited for.
pub(super) fn image_of(request: &RecoverRequest, followed: &Followed) -> StateImage {
    let mut image = StateImage::default();
    for (partition, view) in &followed.partitions {
        let is_owned = request.partitions.iter().any(|facts| facts.partition == *partition);
        if !is_owned && !is_whole(request, followed, Stream::Partition(*partition)) {
            continue;
        }
        image.partitions.insert(*partition, view.head.state);
        let counts = view.windows.iter();
        image.partials.extend(counts.map(|(start, sum)| ((*partition, *start), sum.clone())));
        // A horizon of the same topic, or of one before it: what was closed stays closed.
        image.horizon = image.horizon.max(view.head.state.horizon);
    }
    if let Some(merger) = &followed.merger {
        if is_whole(request, followed, Stream::Merger) {
            image.windows.clone_from(&merger.windows);
            image.announced = merger.head.partitions;
        }
        image.past_usage = merger.past_usage.clone();
        image.watermark = merger.head.watermark;
        image.forgotten = merger.head.forgotten;
        image.horizon = image.horizon.max(merger.head.horizon);
    }
    image
}
