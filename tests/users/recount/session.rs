//! Sessions: logins of a user with no more than half an hour between them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Novelty, PlainLogin, PlainSession};

const PAUSE_S: i64 = 1_800;
const TOLD_APART: usize = 8;

struct Session {
    start_s: i64,
    end_s: i64,
    logins: u32,
    devices: BTreeSet<u32>,
    networks: BTreeSet<u32>,
    places: BTreeSet<String>,
    new: Novelty,
    rare_hour: bool,
}

impl Session {
    fn new(login: &PlainLogin, new: Novelty, rare_hour: bool) -> Self {
        let mut session = Self {
            start_s: login.at_s,
            end_s: login.at_s,
            logins: 0,
            devices: BTreeSet::new(),
            networks: BTreeSet::new(),
            places: BTreeSet::new(),
            new,
            rare_hour,
        };
        session.join(login, new, rare_hour);
        session
    }

    fn join(&mut self, login: &PlainLogin, new: Novelty, rare_hour: bool) {
        self.start_s = self.start_s.min(login.at_s);
        self.end_s = self.end_s.max(login.at_s);
        self.logins += 1;
        self.devices.extend(login.device);
        self.networks.extend(login.network);
        self.places.extend(login.place.clone());
        self.new.device |= new.device;
        self.new.network |= new.network;
        self.new.place |= new.place;
        self.rare_hour |= rare_hour;
    }

    fn said(self, user: u64) -> PlainSession {
        PlainSession {
            user,
            start_s: self.start_s,
            end_s: self.end_s,
            logins: self.logins,
            devices: self.devices.len().min(TOLD_APART),
            networks: self.networks.len().min(TOLD_APART),
            places: self.places.len().min(TOLD_APART),
            new_device: self.new.device,
            new_network: self.new.network,
            new_place: self.new.place,
            rare_hour: self.rare_hour,
        }
    }
}

/// The sessions of a shard: those that are over, and at most one open session of each user.
#[derive(Default)]
pub(super) struct Sessions {
    over: Vec<PlainSession>,
    open: BTreeMap<u64, Session>,
}

impl Sessions {
    /// Ends the open session of a user.
    pub(super) fn close(&mut self, user: u64) {
        let session = self.open.remove(&user);
        self.over.extend(session.map(|session| session.said(user)));
    }

    /// `final_up_to_s` is the watermark less the allowed lateness.
    pub(super) fn take_up(
        &mut self,
        login: &PlainLogin,
        new: Novelty,
        rare_hour: bool,
        final_up_to_s: i64,
    ) {
        let (user, at_s) = (login.user, login.at_s);
        if self.open.get(&user).is_some_and(|it| final_up_to_s > it.end_s + PAUSE_S) {
            self.close(user);
        }
        if self.open.get(&user).is_some_and(|it| at_s > it.end_s + PAUSE_S) {
            self.close(user);
        }
        match self.open.get_mut(&user) {
            Some(open) if at_s < open.start_s - PAUSE_S => {
                self.over.push(Session::new(login, new, rare_hour).said(user));
            }
            Some(open) => open.join(login, new, rare_hour),
            None => {
                self.open.insert(user, Session::new(login, new, rare_hour));
            }
        }
    }

    /// All sessions: those that are over, then the open ones by user.
    pub(super) fn end(mut self) -> Vec<PlainSession> {
        let open: Vec<u64> = self.open.keys().copied().collect();
        for user in open {
            self.close(user);
        }
        self.over
    }
}
