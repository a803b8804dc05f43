//! The profiles of a shard, and what it knows beside them. Owned by the worker that has the shard.
//!
//! In:  the shard's rows; its logins in the order of their offsets.
//! Out: alerts, and sessions that are over; the rows that have changed.
//! Holds: what comes out depends on the logins alone, not on when rows were taken or given back; a
//! user's id is kept while its session is open, and no longer.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use arrayvec::ArrayVec;
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::{
    cached_rows::CachedRows,
    detector::{Alert, Detector},
    login::{Login, UserKey},
    profile::Profile,
    rules::Rule,
    session::Session,
    shard::ShardState,
};
use crate::{
    ids::{Epoch, PartitionId},
    journal::{RowChanges, RowKey, RowValue},
    limits,
    rows::{RowFault, RowReader},
};

/// What is known of a user.
#[derive(Debug, Clone, Default)]
struct Known {
    profile: Profile,
    /// The user's id while a session is open.
    user_id: Option<Box<str>>,
}

/// What stands first in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct RowHead {
    /// End of the open session.
    open_until_s: Option<i64>,
    /// Which shard's the row is: one that has begun anew passes over the rows of before.
    generation: u64,
}

/// The end of a row's open session, if it has one, seconds since the Unix epoch.
pub fn open_until_s(row: &[u8]) -> Option<i64> {
    let head = postcard::take_from_bytes::<RowHead>(row);
    head.ok().and_then(|(head, _)| head.open_until_s)
}

impl Known {
    /// The user of a row; `None` if it is of another generation.
    fn decode(row: &[u8], generation: u64) -> Result<Option<Self>, postcard::Error> {
        let (head, rest) = postcard::take_from_bytes::<RowHead>(row)?;
        if head.generation != generation {
            return Ok(None);
        }
        let (profile, user_id) = postcard::from_bytes(rest)?;
        Ok(Some(Self { profile, user_id }))
    }

    fn encode(&self, generation: u64) -> RowValue {
        let head = RowHead { open_until_s: self.open_until(), generation };
        let row = postcard::to_allocvec(&(head, &self.profile, &self.user_id));
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
#[derive(Debug)]
pub struct Profiles {
    partition: PartitionId,
    state: ShardState,
    has_moved: bool,
    /// The profiles as of the last barrier.
    rows: CachedRows,
    /// Those that have changed since.
    changed: HashMap<UserKey, Known, FixedState>,
    /// Ends of the open sessions.
    open: BTreeSet<(i64, UserKey)>,
}

impl Profiles {
    /// The shard of a partition: as its rows say, or else one that knows nothing, whose rows are
    /// told from earlier ones by the epoch that begins. `room_bytes`: for rows in memory.
    pub fn of(
        partition: PartitionId,
        reader: &RowReader,
        (begins_anew, epoch): (bool, Epoch),
        room_bytes: usize,
    ) -> Self {
        let reader = reader.shard(partition);
        let found = reader.partition_row().filter(|_| !begins_anew);
        let read = found.map(|row| ShardState::decode(&row)).transpose();
        let state = read.unwrap_or_else(|error| {
            error!(
                %partition, %error,
                "the profiles of a partition cannot be read: they begin anew, and give no alert \
                 until they have learned"
            );
            None
        });
        let is_known = state.is_some();
        let state = state.unwrap_or_else(|| ShardState::begun_in(epoch));
        let open = if is_known { reader.marked() } else { Vec::new() };
        let rows = CachedRows::new(reader, room_bytes);
        Self {
            partition,
            state,
            has_moved: false,
            rows,
            changed: HashMap::default(),
            open: open.into_iter().map(|(end_s, user)| (end_s, UserKey(user))).collect(),
        }
    }

    /// What the shard knows beside profiles.
    pub fn state(&self) -> &ShardState {
        &self.state
    }

    /// Judges a login and takes it up.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn judge(
        &mut self,
        detector: &Detector,
        login: &Login<'_>,
        user_id: &str,
    ) -> Result<Judged, RowFault> {
        self.has_moved = true;
        let known = known_of(&mut self.changed, &mut self.rows, &self.state, login.user)?;
        let before = known.open_until();
        let judgement = detector.judge(login, &mut known.profile, &mut self.state);
        let mut judged = Judged { is_late: judgement.is_late, ..Judged::default() };
        if known.profile.logins == 0 {
            // It came too late, and its user is not known.
            self.changed.remove(&login.user);
            return Ok(judged);
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
        self.end_sessions(detector, &mut judged.over)?;
        Ok(judged)
    }

    /// Ends the sessions that no login can join any more.
    fn end_sessions(
        &mut self,
        detector: &Detector,
        over: &mut Vec<(Box<str>, Session)>,
    ) -> Result<(), RowFault> {
        let Some(earliest_s) = detector.earliest_s(&self.state) else { return Ok(()) };
        while let Some((end_s, user)) = self.open.first().copied() {
            if end_s + limits::SESSION_GAP_S >= earliest_s {
                break;
            }
            self.open.pop_first();
            let known = known_of(&mut self.changed, &mut self.rows, &self.state, user)?;
            let user_id = known.user_id.take().unwrap_or_default();
            over.extend(known.profile.session.take().map(|session| (user_id, session)));
        }
        Ok(())
    }

    /// Memory of what has changed since the last barrier, bytes.
    pub fn changed_bytes(&self) -> usize {
        self.changed.len() * size_of::<(UserKey, Known)>()
    }

    /// Memory of rows beyond the room for them, bytes.
    pub fn excess_bytes(&self) -> usize {
        self.rows.excess_bytes()
    }

    /// Takes the rows that have changed since the last barrier, if any have, as those of the epoch
    /// that it ends.
    pub fn take_changes(&mut self, epoch: Epoch) -> Option<RowChanges> {
        if !std::mem::take(&mut self.has_moved) {
            return None;
        }
        let generation = self.state.generation();
        let mut changes: Vec<_> =
            self.changed.drain().map(|(user, known)| (user, known.encode(generation))).collect();
        changes.sort_unstable_by_key(|(user, _)| *user);
        let mut rows = Vec::with_capacity(changes.len() + 1);
        rows.push((RowKey::Partition, Some(self.state.encode().into())));
        for (user, row) in changes {
            rows.push((RowKey::Entity(user.0), Some(RowValue::clone(&row))));
            self.rows.put(user, Some(row), epoch);
        }
        Some(RowChanges { partition: self.partition, rows })
    }
}

/// What is known of a user, to be changed. One whose row cannot be understood is not known.
fn known_of<'a>(
    changed: &'a mut HashMap<UserKey, Known, FixedState>,
    rows: &mut CachedRows,
    state: &ShardState,
    user: UserKey,
) -> Result<&'a mut Known, RowFault> {
    let vacant = match changed.entry(user) {
        Entry::Occupied(known) => return Ok(known.into_mut()),
        Entry::Vacant(vacant) => vacant,
    };
    let known = match rows.get(user)? {
        None => None,
        Some(row) => Known::decode(&row, state.generation()).unwrap_or_else(|error| {
            error!(%error, "a profile cannot be read: it begins anew");
            None
        }),
    };
    Ok(vacant.insert(known.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{DetectorSettings, tests::login},
        *,
    };
    use crate::rows::RowFiles;

    const P: PartitionId = PartitionId(3);
    const ROOM: usize = 1 << 20;

    fn detector() -> Detector {
        let settings = DetectorSettings { learn_s: 0, learn_logins: 0, ..Default::default() };
        Detector::new(settings)
    }

    fn of(user: u64, at_s: i64) -> Login<'static> {
        Login { user: UserKey(user), ..login(at_s) }
    }

    /// A shard, and the files that its rows come to.
    struct House {
        files: RowFiles,
        shard: Profiles,
        epoch: Epoch,
        room_bytes: usize,
    }

    impl House {
        fn new(room_bytes: usize) -> Self {
            let files = RowFiles::in_memory(open_until_s);
            let shard = Profiles::of(P, &files.reader(), (false, Epoch(1)), room_bytes);
            Self { files, shard, epoch: Epoch(1), room_bytes }
        }

        fn judge(&mut self, login: &Login<'_>, user_id: &str) -> Judged {
            self.shard.judge(&detector(), login, user_id).expect("memory can be read")
        }

        /// Ends the epoch. Its rows are not committed yet.
        fn cut(&mut self) -> RowChanges {
            let changes = self.shard.take_changes(self.epoch);
            self.epoch = self.epoch.next();
            changes.expect("it has moved")
        }

        /// The rows of the epoch before the one that is open are committed.
        fn commit(&mut self, changes: RowChanges) {
            for (key, row) in changes.rows {
                self.files.take(P, key, row);
            }
            self.files.taken(P, Epoch(self.epoch.0 - 1));
        }

        fn restart(&mut self, begins_anew: bool) {
            let begin = (begins_anew, self.epoch);
            self.shard = Profiles::of(P, &self.files.reader(), begin, self.room_bytes);
        }
    }

    /// Whatever the barriers and the room in memory, and whether a worker goes on or another one
    /// begins with the rows, the same comes out.
    #[test]
    fn barriers_restarts_and_room_change_nothing() {
        let logins: Vec<_> = (0..600_u64)
            .map(|n| of(n * n % 7, 1_000_000 + (n * 400) as i64 - (n % 5 * 300) as i64))
            .collect();
        let run = |barrier_every: usize, restarts: bool, room_bytes: usize| {
            let (mut house, mut said) = (House::new(room_bytes), Vec::new());
            // As long as the replica has not read the last epoch, it is in memory alone.
            let mut uncommitted = None;
            for (n, login) in logins.iter().enumerate() {
                let judged = house.judge(login, &format!("user-{}", login.user.0));
                said.push(format!("{judged:?}"));
                if n % barrier_every == 0 {
                    if let Some(changes) = uncommitted.take() {
                        house.commit(changes);
                    }
                    uncommitted = Some(house.cut());
                    if restarts {
                        house.commit(uncommitted.take().expect("just cut"));
                        house.restart(false);
                    }
                }
            }
            (said, house.shard.state.encode())
        };
        let once = run(usize::MAX, false, ROOM);
        assert!(once.0.iter().any(|judged| judged.contains("user-")), "sessions end");
        assert_eq!(run(1, true, ROOM), once);
        assert_eq!(run(7, false, ROOM), once);
        assert_eq!(run(13, true, 0), once);
        assert_eq!(run(1, false, 0), once);
        assert_eq!(run(3, false, 1_000), once);
    }

    #[test]
    fn a_session_ends_with_the_watermark_and_names_its_user() {
        let mut house = House::new(ROOM);
        assert!(house.judge(&of(1, 1_000), "ann").over.is_empty());
        assert!(house.judge(&of(2, 1_010), "bob").over.is_empty());
        assert_eq!(house.cut().rows.len(), 3);
        assert_eq!(house.shard.take_changes(house.epoch), None);
        let end_s = 1_000 + limits::SESSION_GAP_S + 60;
        assert!(house.judge(&of(3, end_s), "cem").over.is_empty());
        let over = house.judge(&of(3, end_s + 1), "cem").over;
        let said: Vec<_> = over.iter().map(|(user, it)| (&**user, it.start_s, it.logins)).collect();
        assert_eq!(said, [("ann", 1_000, 1)]);
        let over = house.judge(&of(1, end_s + 20), "ann").over;
        assert_eq!(over.iter().map(|(user, _)| &**user).collect::<Vec<_>>(), ["bob"]);
    }

    #[test]
    fn a_shard_that_begins_anew_knows_no_user_of_before_now_or_later() {
        let mut house = House::new(0);
        for user in 1..9 {
            house.judge(&of(user, 1_000), "ann");
        }
        let changes = house.cut();
        house.commit(changes);
        house.restart(true);
        house.judge(&of(1, 2_000), "ann");
        let changes = house.cut();
        house.commit(changes);
        house.restart(false);
        assert_eq!(house.shard.state().logins(), 1);
        let logins = |house: &mut House, user| {
            house.judge(&of(user, 2_010), "ann");
            house.shard.changed[&UserKey(user)].profile.logins
        };
        assert_eq!(logins(&mut house, 1), 2, "a login since");
        assert_eq!(logins(&mut house, 2), 1, "none since");
    }

    #[test]
    fn rows_that_cannot_be_read_begin_anew() {
        let mut house = House::new(0);
        house.judge(&of(1, 1_000), "ann");
        house.judge(&of(2, 1_000), "bob");
        let changes = house.cut();
        house.commit(changes);
        house.files.take(P, RowKey::Entity(1), Some(RowValue::from(&b"x"[..])));
        house.restart(false);
        house.judge(&of(1, 1_001), "ann");
        house.judge(&of(2, 1_001), "bob");
        let logins = |user| house.shard.changed[&UserKey(user)].profile.logins;
        assert_eq!((logins(1), logins(2)), (1, 2));
        house.files.take(P, RowKey::Partition, Some(RowValue::from(&b"x"[..])));
        house.restart(false);
        assert_eq!(house.shard.state().logins(), 0);
    }
}
