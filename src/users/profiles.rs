//! The profiles of a shard, and what it knows beside them. Owned by the worker that has the shard.
//!
//! In:  the shard's rows; its logins in the order of their offsets.
//! Out: alerts, and sessions that are over; the rows that have changed.
//! Holds: what comes out depends on the logins alone, not on when rows were taken or given back; a
//! user's id is kept while its session is open, and no longer.

use std::collections::{BTreeSet, HashMap};

use arrayvec::ArrayVec;
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::{
    detector::{Alert, Detector},
    login::{Login, UserKey},
    profile::Profile,
    rules::Rule,
    session::Session,
    shard::ShardState,
};
use crate::{
    ids::PartitionId,
    journal::{RowChanges, RowKey, RowValue, Rows},
    limits,
};

/// What is known of a user, as a row has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Known {
    profile: Profile,
    /// The user's id while a session is open.
    user_id: Option<Box<str>>,
}

impl Known {
    fn decode(row: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(row)
    }

    fn encode(&self) -> RowValue {
        let row = postcard::to_allocvec(self);
        row.expect("a profile serialises into memory without errors").into()
    }

    /// End of the open session.
    fn open_until(&self) -> Option<i64> {
        self.profile.session.as_ref().map(|session| session.end_s)
    }
}

/// What comes of a login.
#[derive(Debug, Default)]
pub struct Judged {
    /// It was too late to say anything.
    pub is_late: bool,
    /// Alerts about it, in the order of the rules.
    pub alerts: ArrayVec<Alert, { Rule::ALL.len() }>,
    /// Sessions that are over, with their users' ids.
    pub over: Vec<(Box<str>, Session)>,
}

/// A shard.
#[derive(Debug, Default)]
pub struct Profiles {
    state: ShardState,
    has_moved: bool,
    /// The profiles as of the last barrier.
    rows: HashMap<UserKey, RowValue, FixedState>,
    /// Those that have changed since.
    changed: HashMap<UserKey, Known, FixedState>,
    /// Ends of the open sessions.
    open: BTreeSet<(i64, UserKey)>,
}

impl Profiles {
    /// The shard of a partition that has these rows. Where one cannot be read, none counts: rules
    /// that go by half a shard would be wrong for long, and one that learns is quiet.
    pub fn of(partition: PartitionId, rows: &Rows) -> Self {
        Self::read(rows).unwrap_or_else(|error| {
            error!(
                %partition, %error,
                "the profiles of a partition cannot be read: they begin anew, and give no alert \
                 until they have learned"
            );
            Self::default()
        })
    }

    fn read(rows: &Rows) -> Result<Self, postcard::Error> {
        let mut shard = Self::default();
        for (key, row) in rows {
            match key {
                RowKey::Partition => shard.state = ShardState::decode(row)?,
                RowKey::Entity(user) => {
                    let user = UserKey(*user);
                    if let Some(end_s) = Known::decode(row)?.open_until() {
                        shard.open.insert((end_s, user));
                    }
                    shard.rows.insert(user, row.clone());
                }
            }
        }
        Ok(shard)
    }

    /// What the shard knows beside profiles.
    pub fn state(&self) -> &ShardState {
        &self.state
    }

    /// Judges a login and takes it up.
    pub fn judge(&mut self, detector: &Detector, login: &Login<'_>, user_id: &str) -> Judged {
        self.has_moved = true;
        let (known, before) = known_of(&mut self.changed, &self.rows, login.user);
        let judgement = detector.judge(login, &mut known.profile, &mut self.state);
        let mut judged = Judged { is_late: judgement.is_late, ..Judged::default() };
        if known.profile.logins == 0 {
            // It came too late, and its user is not known.
            self.changed.remove(&login.user);
            return judged;
        }
        for session in judgement.over {
            judged.over.push((user_id.into(), session));
        }
        judged.alerts = judgement.alerts;
        let after = known.open_until();
        if before != after {
            self.open.extend(after.map(|end_s| (end_s, login.user)));
            before.map(|end_s| self.open.remove(&(end_s, login.user)));
        }
        if after.is_none() {
            known.user_id = None;
        } else if known.user_id.is_none() {
            known.user_id = Some(user_id.into());
        }
        self.end_sessions(detector, &mut judged.over);
        judged
    }

    /// Ends the sessions that no login can join any more.
    fn end_sessions(&mut self, detector: &Detector, over: &mut Vec<(Box<str>, Session)>) {
        let Some(earliest_s) = detector.earliest_s(&self.state) else { return };
        while let Some((end_s, user)) = self.open.first().copied() {
            if end_s + limits::SESSION_GAP_S >= earliest_s {
                return;
            }
            self.open.pop_first();
            let (known, _) = known_of(&mut self.changed, &self.rows, user);
            let user_id = known.user_id.take().unwrap_or_default();
            over.extend(known.profile.session.take().map(|session| (user_id, session)));
        }
    }

    /// Memory of what has changed since the last barrier, bytes.
    pub fn changed_bytes(&self) -> usize {
        self.changed.len() * size_of::<(UserKey, Known)>()
    }

    /// Takes the rows that have changed since the last barrier, if any have. The shard is that of
    /// this partition.
    pub fn take_changes(&mut self, partition: PartitionId) -> Option<RowChanges> {
        if !std::mem::take(&mut self.has_moved) {
            return None;
        }
        let mut changes: Vec<_> =
            self.changed.drain().map(|(user, known)| (user, known.encode())).collect();
        changes.sort_unstable_by_key(|(user, _)| *user);
        let mut rows = Vec::with_capacity(changes.len() + 1);
        rows.push((RowKey::Partition, Some(self.state.encode().into())));
        for (user, row) in changes {
            rows.push((RowKey::Entity(user.0), Some(RowValue::clone(&row))));
            self.rows.insert(user, row);
        }
        Some(RowChanges { partition, rows })
    }
}

/// What is known of a user, to be changed, and until when its session was open.
fn known_of<'a>(
    changed: &'a mut HashMap<UserKey, Known, FixedState>,
    rows: &HashMap<UserKey, RowValue, FixedState>,
    user: UserKey,
) -> (&'a mut Known, Option<i64>) {
    let read = || {
        let known = rows.get(&user).map(|row| Known::decode(row));
        known.map(|known| known.expect("it was read at the beginning, or written here"))
    };
    let known = changed.entry(user).or_insert_with(|| read().unwrap_or_default());
    let before = known.open_until();
    (known, before)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{DetectorSettings, tests::login},
        *,
    };

    const P: PartitionId = PartitionId(3);

    fn detector() -> Detector {
        let settings = DetectorSettings { learn_s: 0, learn_logins: 0, ..Default::default() };
        Detector::new(settings)
    }

    fn of(user: u64, at_s: i64) -> Login<'static> {
        Login { user: UserKey(user), ..login(at_s) }
    }

    /// Whatever the barriers, and whether a worker goes on or another one begins with the rows, the
    /// same comes out.
    #[test]
    fn barriers_and_restarts_change_nothing() {
        let logins: Vec<_> = (0..600_u64)
            .map(|n| of(n * n % 7, 1_000_000 + (n * 400) as i64 - (n % 5 * 300) as i64))
            .collect();
        let run = |barrier_every: usize, restarts: bool| {
            let (mut shard, mut rows, mut said) =
                (Profiles::default(), Rows::default(), Vec::new());
            for (n, login) in logins.iter().enumerate() {
                let judged = shard.judge(&detector(), login, &format!("user-{}", login.user.0));
                said.push(format!("{judged:?}"));
                if n % barrier_every == 0 {
                    shard.take_changes(P).expect("it has moved").apply(&mut rows);
                    if restarts {
                        shard = Profiles::of(P, &rows);
                    }
                }
            }
            shard.take_changes(P).into_iter().for_each(|changes| changes.apply(&mut rows));
            let mut rows: Vec<_> = rows.into_iter().collect();
            rows.sort();
            (said, rows)
        };
        let once = run(usize::MAX, false);
        assert!(once.0.iter().any(|judged| judged.contains("user-")), "sessions end");
        assert_eq!(run(1, true), once);
        assert_eq!(run(7, false), once);
        assert_eq!(run(13, true), once);
    }

    #[test]
    fn a_session_ends_with_the_watermark_and_names_its_user() {
        let (mut shard, detector) = (Profiles::default(), detector());
        assert!(shard.judge(&detector, &of(1, 1_000), "ann").over.is_empty());
        assert!(shard.judge(&detector, &of(2, 1_010), "bob").over.is_empty());
        let changes = shard.take_changes(P).expect("it has moved");
        assert_eq!(changes.rows.len(), 3);
        assert_eq!(shard.take_changes(P), None);
        let end_s = 1_000 + limits::SESSION_GAP_S + 60;
        assert!(shard.judge(&detector, &of(3, end_s), "cem").over.is_empty());
        let over = shard.judge(&detector, &of(3, end_s + 1), "cem").over;
        let said: Vec<_> = over.iter().map(|(user, it)| (&**user, it.start_s, it.logins)).collect();
        assert_eq!(said, [("ann", 1_000, 1)]);
        let over = shard.judge(&detector, &of(1, end_s + 20), "ann").over;
        assert_eq!(over.iter().map(|(user, _)| &**user).collect::<Vec<_>>(), ["bob"]);
    }

    #[test]
    fn rows_that_cannot_be_read_begin_anew() {
        let mut shard = Profiles::default();
        shard.judge(&detector(), &of(1, 1_000), "ann");
        let mut rows = Rows::default();
        shard.take_changes(P).expect("it has moved").apply(&mut rows);
        assert_eq!(Profiles::of(P, &rows).state().logins(), 1);
        rows.insert(RowKey::Entity(7), RowValue::from(&b"x"[..]));
        assert_eq!(Profiles::of(P, &rows).state().logins(), 0);
    }
}
