//! An instance's copy of the journal: the committed state of the whole group. Thread `replica`.
//!
//! In:  the journal's records of committed transactions; `FollowRequest`s of the sink.
//! Out: heads and counts of every partition, what the merger has published: at once as news, and
//! as `Followed`, once the journal is read as far as a request says; the group for people; the
//! local copy on disk.
//! Holds: nothing is known here that was not committed; all journal partitions are followed all
//! the time; the thread ends when nobody can ask any more.

mod cluster;
mod copying;
mod follower;
mod link;
mod memory;
mod news_board;
mod positions;
mod reader;
mod request;
mod row_copy;
mod skips;
mod sums;
mod takeover;
mod untold;
mod view;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crossbeam_channel::TryRecvError;

pub(crate) use self::cluster::cluster;
use self::{
    follower::{Follower, Then},
    link::SinkLink,
    memory::MemoryWatch,
    reader::JournalReader,
    takeover::Takeover,
};
pub use self::{
    link::ReplicaLink,
    news_board::{Damage, Heard, NewsBoard},
    positions::Positions,
    request::{BeginAt, FollowRequest, Followed},
    view::{MergerView, PartitionView, View, Written},
};
use crate::{
    client::{Client, Clock},
    control::Control,
    error::RunError,
    kafka::ConsumerSettings,
    limits,
    rows::RowFiles,
    state::JournalCopy,
    status::Board,
    window::WindowRules,
};

/// What a replica is made of.
#[derive(Debug)]
pub struct ReplicaSettings {
    /// A consumer of the journal topic, without an instance id, of committed records only.
    pub consumer: ConsumerSettings,
    /// Partitions of the journal topic.
    pub partitions: u32,
    /// Window rules: the size says when a window is forgotten.
    pub rules: WindowRules,
    /// Bytes of counts above which the process ends.
    pub memory_limit: usize,
    /// The local copy, if there is one.
    pub copy: Option<Box<dyn JournalCopy>>,
    /// The files of rows, where partitions have rows.
    pub rows: Option<RowFiles>,
    /// Where people see the group.
    pub board: Arc<Board>,
}

/// The replica.
#[derive(Debug)]
pub struct Replica<C: Client> {
    client: C,
    link: SinkLink,
    control: Arc<Control>,
    follower: Follower,
    reader: JournalReader<C::Consumer>,
    takeover: Option<Takeover>,
    memory: MemoryWatch,
    board: Arc<Board>,
    /// When the group is shown again; not before all of the journal was read.
    next_show: Option<Instant>,
    /// Version of the newest look at the topics that was taken in.
    topics_version: u64,
    has_begun: bool,
}

/// What comes after a turn.
#[expect(clippy::large_enum_variant, reason = "one exists, and is taken apart at once")]
#[derive(Debug)]
pub enum Step<C: Client> {
    /// The next turn.
    Continue(Replica<C>),
    /// Nothing: nobody can ask any more.
    Ended,
}

impl<C: Client> Replica<C> {
    /// A replica that has read nothing, and the sink's way to it.
    ///
    /// # Errors
    /// `Refused` when a setting of the consumer is.
    pub fn new(
        settings: ReplicaSettings,
        client: C,
        control: Arc<Control>,
    ) -> Result<(Self, ReplicaLink), RunError> {
        let ReplicaSettings { consumer, partitions, rules, memory_limit, copy, rows, board } =
            settings;
        assert!(!consumer.reads_uncommitted, "only what was committed is followed");
        let follower = Follower::new(&consumer.topic, partitions, rules, copy, rows);
        let consumer =
            client.consumer(&consumer).map_err(|error| RunError::Refused(error.to_string()))?;
        let (of_replica, of_sink) = link::link(partitions);
        let replica = Self {
            client,
            link: of_replica,
            control,
            follower,
            reader: JournalReader::new(consumer),
            takeover: None,
            memory: MemoryWatch::new(memory_limit),
            board,
            next_show: None,
            topics_version: 0,
            has_begun: false,
        };
        Ok((replica, of_sink))
    }

    /// Runs until nobody can ask any more.
    ///
    /// # Errors
    /// See [`Self::step`].
    pub fn run(self) -> Result<(), RunError> {
        let mut next = Step::Continue(self);
        while let Step::Continue(replica) = next {
            next = replica.step()?;
        }
        Ok(())
    }

    /// One turn: reads what is there, and waits a little when there is nothing.
    ///
    /// # Errors
    /// `Refused` when a record is of a later version, the topic has lost partitions, or the counts
    /// need more memory than the budget; `Kafka` when the journal cannot be read; `Failed` when
    /// rows cannot be written.
    pub fn step(mut self) -> Result<Step<C>, RunError> {
        if !self.has_begun {
            self.has_begun = true;
            self.follower.load_copy();
        }
        if !self.hear() {
            self.follower.write_copy(self.client.clock().now(), true)?;
            self.reader.close();
            return Ok(Step::Ended);
        }
        self.look_at_topics();
        if let Some(takeover) = &mut self.takeover {
            takeover.advance(&mut self.follower, &mut self.reader, self.client.clock())?;
        }
        self.reader.turn(&mut self.follower, self.client.clock())?;
        self.memory.look(self.follower.memory_bytes())?;
        let follower = &self.follower;
        self.link.positions.set(follower.partitions().map(|p| follower.position(p)));
        self.follower.tell(&self.link.news);
        self.answer();
        self.show();
        self.follower.write_copy(self.client.clock().now(), false)?;
        let activity = self.control.activity();
        activity.replica_turns.fetch_add(1, Relaxed);
        let read: i64 = self.follower.partitions().map(|p| self.follower.position(p).0).sum();
        activity.followed.store(read.unsigned_abs(), Relaxed);
        activity.following.store(self.takeover.is_some(), Relaxed);
        Ok(Step::Continue(self))
    }

    /// Begins anew when the journal is another topic by now, also when nobody takes over: positions
    /// of the earlier one may be in the log of the new one.
    fn look_at_topics(&mut self) {
        let seen = self.control.topics().newer(&mut self.topics_version);
        let journal = seen.and_then(|seen| seen.journal);
        if journal.is_some() && self.follower.is_of(journal) == Then::Assign {
            self.reader.outdated();
        }
    }

    /// Takes what the sink asks for; the newest request is the one that counts. `false` when nobody
    /// can ask any more.
    fn hear(&mut self) -> bool {
        loop {
            match self.link.requests.try_recv() {
                Ok(request) => {
                    let waiting = self.takeover.as_ref().map(Takeover::request);
                    if waiting.is_none_or(|waiting| waiting.incarnation <= request.incarnation) {
                        let now = self.client.clock().now();
                        self.takeover = Some(Takeover::new(request, now));
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Shows the group to people, if it is time. A takeover may read parts of the journal again,
    /// and until then less is known.
    fn show(&mut self) {
        let now = self.client.clock().now();
        let is_due = match self.next_show {
            None => self.follower.partitions().all(|p| self.follower.is_at_end(p)),
            Some(at) => now >= at,
        };
        if is_due && self.takeover.is_none() {
            let at_ms = self.client.clock().now_ms();
            self.board.set_group(self.follower.group(self.board.wants_sums(), at_ms));
            let done = self.client.clock().now();
            let took = done.saturating_duration_since(now);
            self.next_show = Some(done + limits::GROUP_INTERVAL.max(took * limits::GROUP_PAUSE));
        }
    }

    /// Answers the request, if all is read.
    fn answer(&mut self) {
        let Some(takeover) = &mut self.takeover else { return };
        if takeover.is_reached(&self.follower, &self.reader) {
            let followed = self.follower.followed(takeover.request().incarnation);
            // A sink that is gone reports its own reason.
            let _ = self.link.followed.send(followed);
            self.takeover = None;
        } else {
            takeover.say(&self.follower, self.client.clock().now());
        }
    }
}
