//! Ends what instances that have gone left open. Owned by the source thread.
//!
//! In:  who has committed, who wrote the journal's heads, who was seen in the group, who is in it.
//! Out: nothing but a member's transaction hides outputs or offsets; or a warning.
//! Holds: the id of an instance is registered from here only while the group does not list it, and
//! once until the group lists it again; what fails costs a wait until the transaction expires.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use super::context::Context;
use crate::{
    client::{Client, Questions, RecordProducer},
    journal::JournalCommit,
    kafka::{GroupMember, KafkaError, ProducerSettings, Transactional},
    limits,
};

/// Other instances, and the transactional ids of those that have gone.
#[derive(Debug)]
pub(super) struct Departed<P> {
    peers: Peers,
    round: Round<P>,
}

/// How far a takeover has come with those that have gone.
#[derive(Debug)]
enum Round<P> {
    /// Who has gone is to be asked; when it was first asked in vain.
    Asking(Option<Instant>),
    /// Ids whose registration is under way.
    Registering {
        until: Instant,
        left: VecDeque<(String, P)>,
    },
    Done,
}

/// What is known of instances. Pure.
#[derive(Debug, Default)]
struct Peers {
    /// Those that a commit or a head has named, or the group has listed.
    known: BTreeSet<String>,
    /// Those whose ids were registered after they had gone.
    registered: BTreeSet<String>,
}

impl<P: RecordProducer> Departed<P> {
    pub(super) fn new() -> Self {
        Self { peers: Peers::default(), round: Round::Asking(None) }
    }

    /// A takeover begins: who has gone is asked anew.
    pub(super) fn begin(&mut self) {
        self.round = Round::Asking(None);
    }

    /// Notes who has written the journal. One that no commit names is looked after as well.
    pub(super) fn note_writers(&mut self, writers: impl IntoIterator<Item = String>) {
        if self.peers.note(writers) {
            self.begin();
        }
    }

    /// Begins to register the ids, all at the same time: the work goes on behind the calls.
    fn register(&mut self, producers: Vec<(String, P)>, now: Instant) {
        let until = now + limits::DEPARTED_PATIENCE;
        self.round = Round::Registering { until, left: VecDeque::new() };
        for (name, producer) in producers {
            self.attempt(name, producer, limits::TRANSACTION_INIT_ATTEMPT, now);
        }
    }

    /// One attempt to register an id.
    fn attempt(&mut self, name: String, producer: P, timeout: Duration, now: Instant) {
        let Round::Registering { until, left } = &mut self.round else { return };
        match producer.init_transactions(timeout) {
            Ok(()) => {
                tracing::info!(
                    instance = name,
                    "an instance has gone: the transaction that it left open is ended"
                );
                self.peers.registered(name);
            }
            Err(error) if (error.is_retriable() || error.is_abortable()) && now < *until => {
                left.push_back((name, producer));
            }
            Err(error) => tracing::warn!(
                instance = name,
                %error,
                "an instance has gone, and the transaction that it left open cannot be ended: \
                 records stay hidden until it expires{}",
                remedy(&error, "Write on all transactional ids that begin with the group's and '-'")
            ),
        }
    }
}

/// Takes one step towards ending what those that have gone left open. True: it is done, or has
/// taken too long.
///
/// # Errors
/// `Timeout` or `Retriable` while a broker is away.
pub(super) fn advance<C: Client>(cx: &mut Context<C>) -> Result<bool, KafkaError> {
    let Some(settings) = cx.settings.registration.clone() else { return Ok(true) };
    let now = cx.now();
    match &mut cx.departed.round {
        Round::Done => return Ok(true),
        Round::Registering { left, .. } => match left.pop_front() {
            Some((name, producer)) => {
                let timeout = limits::TRANSACTION_CALL_TIMEOUT;
                cx.departed.attempt(name, producer, timeout, now);
            }
            None => cx.departed.round = Round::Done,
        },
        Round::Asking(since) => {
            let since = *since.get_or_insert(now);
            match producers(cx, &settings) {
                Ok(producers) => {
                    let now = cx.now();
                    cx.departed.register(producers, now);
                }
                Err(error) if error.is_retriable() && now - since < limits::DEPARTED_PATIENCE => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "cannot ask which instances have gone: transactions that they left open \
                         hide records until they expire{}",
                        remedy(&error, "Describe on the group (--group-id)")
                    );
                    cx.departed.round = Round::Done;
                }
            }
        }
    }
    Ok(false)
}

/// What to do about an error, if it is a right that is missing.
fn remedy(error: &KafkaError, right: &str) -> String {
    if error.is_authorization() { format!("; allow this user {right}") } else { String::new() }
}

/// A producer for each instance that has gone.
fn producers<C: Client>(
    cx: &mut Context<C>,
    settings: &ProducerSettings,
) -> Result<Vec<(String, C::Producer)>, KafkaError> {
    let timeout = limits::RECOVERY_QUERY_TIMEOUT;
    // NOTE: the names first. Who commits after the group was listed is in it.
    let commits = cx.admin.commit_metadata(&cx.settings.consumer.group_id, timeout)?;
    let commits = commits.iter().filter_map(|metadata| JournalCommit::parse(metadata));
    cx.departed.peers.note(commits.map(|commit| commit.instance.as_str().to_owned()));
    cx.serve();
    let group = &cx.settings.consumer.group_id;
    let members = cx.admin.describe_group(group, timeout)?.members;
    let gone = cx.departed.peers.gone(&cx.settings.instance, &members);
    let producer = |name: String| {
        let timeout = cx.settings.timing.transaction();
        let transactional = Some(Transactional::of(group, &name, timeout));
        let settings = ProducerSettings { transactional, ..settings.clone() };
        Ok((name, cx.client.producer(&settings)?))
    };
    gone.into_iter().map(producer).collect()
}

impl Peers {
    /// Whether any of them is new.
    fn note(&mut self, names: impl IntoIterator<Item = String>) -> bool {
        let before = self.known.len();
        self.known.extend(names);
        self.known.len() > before
    }

    fn registered(&mut self, name: String) {
        self.registered.insert(name);
    }

    /// Those that have gone and whose ids were not registered since. A listing without this
    /// instance is not of the generation that it is in, and says nothing of the others.
    fn gone(&mut self, own: &str, members: &[GroupMember]) -> Vec<String> {
        let listed: BTreeSet<_> =
            members.iter().map(|member| member.instance_id.as_str()).collect();
        if !listed.contains(own) {
            return Vec::new();
        }
        let named = listed.iter().filter(|name| !name.is_empty()).map(|name| (*name).to_owned());
        self.note(named);
        self.registered.retain(|name| !listed.contains(name.as_str()));
        let is_gone =
            |name: &&String| !listed.contains(name.as_str()) && !self.registered.contains(*name);
        self.known.iter().filter(is_gone).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> Vec<GroupMember> {
        let member = |name: &&str| GroupMember {
            client_id: "logintide".to_owned(),
            host: "host".to_owned(),
            instance_id: (*name).to_owned(),
            assigned: Vec::new(),
        };
        names.iter().map(member).collect()
    }

    fn peers(names: &[&str]) -> Peers {
        let mut peers = Peers::default();
        peers.note(names.iter().map(|name| (*name).to_owned()));
        peers
    }

    #[test]
    fn gone_is_who_is_known_and_not_listed() {
        let mut peers = peers(&["a", "b", "c"]);
        assert_eq!(peers.gone("a", &members(&["a", "c", ""])), ["b"]);
        assert_eq!(peers.gone("a", &members(&["a", "b", "c"])), [""; 0]);
    }

    #[test]
    fn who_was_only_seen_in_the_group_is_known() {
        let mut peers = peers(&["a"]);
        assert_eq!(peers.gone("a", &members(&["a", "b"])), [""; 0]);
        assert_eq!(peers.gone("a", &members(&["a"])), ["b"]);
    }

    #[test]
    fn an_id_is_registered_once_until_its_instance_was_there_again() {
        let mut peers = peers(&["b"]);
        assert_eq!(peers.gone("a", &members(&["a"])), ["b"]);
        assert_eq!(peers.gone("a", &members(&["a"])), ["b"], "not registered yet");
        peers.registered("b".to_owned());
        peers.note(["b".to_owned()]);
        assert_eq!(peers.gone("a", &members(&["a"])), [""; 0]);
        assert_eq!(peers.gone("a", &members(&["a", "b"])), [""; 0]);
        assert_eq!(peers.gone("a", &members(&["a"])), ["b"]);
    }

    #[test]
    fn a_listing_without_this_instance_says_nothing() {
        let mut peers = peers(&["a", "b"]);
        assert_eq!(peers.gone("a", &members(&[])), [""; 0]);
        assert_eq!(peers.gone("a", &members(&["c"])), [""; 0]);
    }
}
