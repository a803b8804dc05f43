//! The replica: a journal that is followed, left and found again.

use std::{collections::BTreeMap, path::Path, time::Duration};

use logintide::{
    client::{Client, Clock, Questions, RecordProducer},
    control::Control,
    ids::{Epoch, Incarnation, InstanceId, Offset, PartitionId, TopicId},
    journal::{
        Chain, Content, CopyOf, Identity, MergerRecord, Moment, PartitionRecord, Stream,
        Writer as Journal,
    },
    kafka::{ClientSettings, OutRecord},
    metrics::Health,
    replica::{FollowRequest, Followed, Replica, ReplicaLink, ReplicaSettings, Step},
    state::{RecordCopy, SledTable},
    status::Board,
    window::{
        Completeness, MergerHead, PartitionHead, PartitionState, PartitionTotals, WindowRules,
    },
};

use super::stage::{PATIENCE, Play, Stage, Writer};

pub(crate) const FOLLOWED: &[&str] = &[
    "committed: 0=3 1=3 m=3",
    "an open transaction: no answer",
    "it was aborted: 0=3 1=3 m=3",
    "a start with a copy: nothing to read",
    "the rest: 0=4 1=4 m=4",
    "created again: 0=1 1=1 m=1",
];

const PARTITIONS: [PartitionId; 2] = [PartitionId(0), PartitionId(1)];
const RULES: WindowRules = WindowRules { size_ms: 10_000, grace_ms: 0, allowed_lateness_ms: 0 };
/// A transaction that is left open is ended by its successor, and never by its age.
const TRANSACTION: Duration = Duration::from_mins(1);

pub(crate) fn followed<S: Stage>(play: &mut Play<S>) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let folder = folder.path();
    let mut writer = play.writer(Some("w"), TRANSACTION);
    let mut journal = journal_of(&BTreeMap::new());
    write_identity(play, &writer);
    (1..4).for_each(|epoch| write_epoch(play, &writer, &mut journal, epoch, true));
    let mut running = Running::start(play, folder);
    let answer = running.follow(play, 1);
    play.note(format!("committed: {}", shown(&answer)));

    write_epoch(play, &writer, &mut journal, 4, false);
    running.ask(play, 2);
    let deadline = play.stage.client().clock().now() + Duration::from_secs(4);
    while running.answered().is_none() && play.stage.client().clock().now() < deadline {
        running.step();
        play.stage.pass(Duration::from_millis(20));
    }
    let is_waiting = running.is_waiting();
    play.note(format!(
        "an open transaction: {}",
        if is_waiting { "no answer" } else { "answered" }
    ));
    // Who registers the id ends it.
    writer = play.writer(Some("w"), TRANSACTION);
    let answer = running.follow(play, 3);
    play.note(format!("it was aborted: {}", shown(&answer)));
    let chains = answer.chains;
    let reached = running.stop();

    let mut running = Running::start(play, folder);
    running.step();
    let is_there = running.positions() >= reached;
    let what = if is_there { "nothing to read" } else { "it is read again" };
    play.note(format!("a start with a copy: {what}"));
    journal = journal_of(&chains);
    write_epoch(play, &writer, &mut journal, 5, true);
    let answer = running.follow(play, 4);
    play.note(format!("the rest: {}", shown(&answer)));

    play.stage.delete_topic(&play.topic);
    play.until("no topic", || topic_id(play).is_none().then_some(()));
    play.stage.create_topic(&play.topic, 2);
    play.until("a topic", || topic_id(play));
    let writer = play.writer(Some("w"), TRANSACTION);
    write_identity(play, &writer);
    write_epoch(play, &writer, &mut journal_of(&BTreeMap::new()), 6, true);
    let answer = running.follow(play, 5);
    play.note(format!("created again: {}", shown(&answer)));
    running.stop();
}

/// The last number of each stream that is whole.
fn shown(followed: &Followed) -> String {
    let seqs: Vec<_> = followed
        .chains
        .iter()
        .filter(|(_, chain)| chain.condition() == logintide::journal::Condition::Whole)
        .map(|(stream, chain)| format!("{stream}={}", chain.applied_seq()))
        .collect();
    let (merger, partitions) = seqs.split_first().expect("something was read");
    format!("{} {merger}", partitions.join(" "))
}

/// The streams' owner, as it has followed them.
fn journal_of(chains: &BTreeMap<Stream, Chain>) -> Journal {
    let instance = InstanceId::parse("one").expect("valid");
    let mut journal = Journal::new(instance, None, PARTITIONS.len() as u32);
    for stream in PARTITIONS.map(Stream::Partition).into_iter().chain([Stream::Merger]) {
        let unseen = Chain::default();
        journal.take_over(stream, chains.get(&stream).unwrap_or(&unseen), Offset(0), 0);
    }
    journal
}

fn write_identity<S: Stage>(play: &Play<S>, writer: &Writer<S>) {
    let identity = Identity {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: None,
        window_size_ms: RULES.size_ms,
        journal_partitions: PARTITIONS.len() as u32,
        first_partitions: PARTITIONS.len() as u32,
        began_ms: 0,
    };
    writer.producer.begin_transaction().expect("begin");
    send(play, writer, PARTITIONS[0], &Identity::key(), &identity.encode());
    writer.producer.commit_transaction(PATIENCE).expect("commit");
}

fn send<S: Stage>(
    play: &Play<S>,
    writer: &Writer<S>,
    partition: PartitionId,
    key: &[u8],
    value: &[u8],
) {
    let record = OutRecord { key, value, ..OutRecord::default() };
    let outcome = writer.producer.send_batch(&writer.topic, partition, [record]);
    assert_eq!(outcome.accepted, 1, "{outcome:?}");
    play.flush(writer);
}

fn write_epoch<S: Stage>(
    play: &Play<S>,
    writer: &Writer<S>,
    journal: &mut Journal,
    epoch: u64,
    commits: bool,
) {
    let moment = Moment { epoch: Epoch(epoch), now_ms: 0, positions: BTreeMap::new() };
    let mut records = journal.begin(moment);
    let mut written = Vec::new();
    for p in PARTITIONS {
        let head = PartitionHead {
            state: PartitionState::new(Offset(epoch as i64), Completeness::FromStart),
            at_end: false,
            totals: PartitionTotals::default(),
        };
        let record = PartitionRecord { head, windows: BTreeMap::new() };
        written.push(records.write(Stream::Partition(p), |_| Content::Partition(record)));
    }
    let head = MergerHead {
        watermark: None,
        horizon: None,
        forgotten: None,
        partitions: PARTITIONS.len() as u32,
        run: None,
        rules: RULES,
    };
    let record = MergerRecord { head, past_usage: None, windows: BTreeMap::new() };
    written.push(records.write(Stream::Merger, |_| Content::Merger(record)));
    writer.producer.begin_transaction().expect("begin");
    for written in written {
        for (key, value) in written.chunks {
            send(play, writer, written.partition, &key, &value);
        }
    }
    if commits {
        writer.producer.commit_transaction(PATIENCE).expect("commit");
    }
}

fn topic_id<S: Stage>(play: &Play<S>) -> Option<TopicId> {
    let settings = ClientSettings { brokers: play.stage.brokers(), properties: Vec::new() };
    let admin = play.stage.client().uncommitted(&settings).expect("an admin client");
    let described = admin.describe_topics(&[&play.topic], PATIENCE).expect("an answer").remove(0);
    described.ok().and_then(|topic| topic.id)
}

/// A replica, and the sink's ends of its channels.
struct Running<C: Client> {
    replica: Option<Replica<C>>,
    link: ReplicaLink,
    has_answer: Option<Followed>,
}

impl<C: Client> Running<C> {
    fn start<S: Stage<Client = C>>(play: &Play<S>, folder: &Path) -> Self {
        let of = CopyOf {
            cluster_id: "cluster".to_owned(),
            group_id: "group".to_owned(),
            topic: play.topic.clone(),
        };
        let settings = ReplicaSettings {
            consumer: play.consumer_settings(None),
            partitions: PARTITIONS.len() as u32,
            rules: RULES,
            memory_limit: 1 << 30,
            copy: Some(Box::new(RecordCopy::new(SledTable::new(folder), of))),
            rows: None,
            board: Board::new(),
        };
        let control = Control::new(Health::new(1), 1);
        let replica = Replica::new(settings, play.stage.client(), control);
        let (replica, link) = replica.expect("the settings are right");
        Self { replica: Some(replica), link, has_answer: None }
    }

    fn step(&mut self) {
        let replica = self.replica.take().expect("it runs");
        if let Step::Continue(replica) = replica.step().expect("it goes on") {
            self.replica = Some(replica);
        }
    }

    /// Asks for everything up to the high watermarks of now.
    fn ask<S: Stage<Client = C>>(&self, play: &Play<S>, incarnation: u64) {
        let settings = ClientSettings { brokers: play.stage.brokers(), properties: Vec::new() };
        let admin = play.stage.client().uncommitted(&settings).expect("an admin client");
        let until = admin.all_ends(&play.topic, &PARTITIONS, PATIENCE).expect("an answer");
        let journal = topic_id(play);
        let incarnation = Incarnation(incarnation);
        let request = FollowRequest { incarnation, journal, until, begin: BTreeMap::new() };
        self.link.requests.send(request).expect("it listens");
    }

    fn answered(&mut self) -> Option<&Followed> {
        if let Ok(followed) = self.link.followed.try_recv() {
            self.has_answer = Some(followed);
        }
        self.has_answer.as_ref()
    }

    fn is_waiting(&mut self) -> bool {
        self.answered().is_none()
    }

    fn follow<S: Stage<Client = C>>(&mut self, play: &Play<S>, incarnation: u64) -> Followed {
        self.has_answer = None;
        self.ask(play, incarnation);
        play.until("an answer", || {
            self.step();
            self.answered().is_some().then_some(())
        });
        let followed = self.has_answer.take().expect("it is there");
        assert_eq!(followed.incarnation, Incarnation(incarnation));
        followed
    }

    fn positions(&self) -> BTreeMap<PartitionId, Offset> {
        self.link.positions.get()
    }

    /// Ends it as the pipeline does; returns how far it has come.
    fn stop(mut self) -> BTreeMap<PartitionId, Offset> {
        let positions = self.positions();
        let replica = self.replica.take().expect("it runs");
        drop(self.link.requests);
        assert!(matches!(replica.step(), Ok(Step::Ended)), "nobody can ask any more");
        positions
    }
}
