//! What the follower has found and the sink was not told yet. Owned by the replica.
//!
//! In:  records that were applied or are missing. Out: news, once a turn.
//! Holds: the sink is told of a partition's newest state only, and of no bounded run that history
//! has.

use std::{collections::BTreeSet, mem};

use super::{
    news_board::{Damage, NewsBoard},
    view::{PartitionView, View},
};
use crate::{journal::Stream, window::PartitionNews};

/// What a replica knows of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Knowledge {
    /// Some of what was there when it began to read is missing.
    #[default]
    History,
    /// It has been at the end of every partition.
    Present,
}

/// Streams with news, and what is missing.
#[derive(Debug, Default)]
pub(super) struct Untold {
    has_news: bool,
    changed: BTreeSet<Stream>,
    damage: Damage,
    knowledge: Knowledge,
}

impl Untold {
    /// A record was applied.
    pub(super) fn applied(&mut self, stream: Stream) {
        self.has_news = true;
        self.changed.insert(stream);
    }

    /// A stream has a gap.
    pub(super) fn misses(&mut self, stream: Option<Stream>) {
        self.has_news = true;
        self.damage.gaps.extend(stream);
    }

    /// A log has lost its end.
    pub(super) fn lost_end(&mut self) {
        self.has_news = true;
        self.damage.lost_end = true;
    }

    /// The journal is read from further back.
    pub(super) fn reads_history(&mut self) {
        self.knowledge = Knowledge::History;
    }

    /// Tells it. `has_caught_up`: every partition was read to its end.
    pub(super) fn tell(&mut self, view: &View, has_caught_up: bool, board: &NewsBoard) {
        self.tell_run(view, has_caught_up, board);
        if !mem::take(&mut self.has_news) {
            return;
        }
        let (mut news, mut applied) = (Vec::new(), Vec::new());
        for stream in mem::take(&mut self.changed) {
            let written = match stream {
                Stream::Merger => view.merger().map(|merger| &merger.written),
                Stream::Partition(p) => view.partition(p).map(|view| {
                    let PartitionView { head, windows, written } = view;
                    news.push((p, PartitionNews { head: *head, windows: windows.clone() }));
                    written
                }),
            };
            applied.extend(written.map(|written| (stream, written.epoch)));
        }
        board.add(news, view.facts(), applied, mem::take(&mut self.damage));
    }

    fn tell_run(&mut self, view: &View, has_caught_up: bool, board: &NewsBoard) {
        let before = self.knowledge;
        if has_caught_up {
            self.knowledge = Knowledge::Present;
        }
        let is_new = self.has_news || self.knowledge != before;
        if is_new && self.knowledge == Knowledge::Present {
            board.set_run(view.run());
        }
    }
}
