//! Sessions: logins of a user without a longer pause between them. Pure.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{
    login::{Fingerprint, Login, Named},
    names::Name,
};
use crate::limits;

/// A session, open or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its first login, whole seconds since the Unix epoch.
    pub start_s: i64,
    /// Its last login.
    pub end_s: i64,
    /// Logins.
    pub logins: u32,
    /// Different devices; more than these are not told apart.
    pub devices: ArrayVec<Fingerprint, { limits::SESSION_VALUES }>,
    /// Different networks; more than these are not told apart.
    pub networks: ArrayVec<Fingerprint, { limits::SESSION_VALUES }>,
    /// Different places; more than these are not told apart.
    pub places: ArrayVec<Name, { limits::SESSION_VALUES }>,
    /// What was unusual.
    pub novelty: Novelty,
}

/// What of a login its user was not known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent")]
pub struct Novelty {
    /// Its device.
    pub device: bool,
    /// Its network.
    pub network: bool,
    /// Its place.
    pub place: bool,
    /// Its hour of the day.
    pub hour: bool,
}

/// What a login does to a user's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It joins the open session, or opens the first.
    Goes,
    /// It opens a session, and this one is over.
    Ends(Session),
    /// It is a session of its own.
    Apart(Session),
}

impl Session {
    /// The session that a login opens.
    pub fn open(login: &Login<'_>, named: Named, novelty: Novelty) -> Self {
        let mut session = Self {
            start_s: login.at_s,
            end_s: login.at_s,
            logins: 0,
            devices: ArrayVec::new(),
            networks: ArrayVec::new(),
            places: ArrayVec::new(),
            novelty: Novelty::default(),
        };
        session.join(login, named, novelty);
        session
    }

    /// Whether a login at or after a time never joins it any more.
    pub fn is_over(&self, earliest_s: i64) -> bool {
        earliest_s > self.end_s + limits::SESSION_GAP_S
    }

    /// Takes a login into a user's open session.
    pub fn take_up(
        open: &mut Option<Self>,
        login: &Login<'_>,
        named: Named,
        novelty: Novelty,
    ) -> Turn {
        let Some(session) = open else {
            *open = Some(Self::open(login, named, novelty));
            return Turn::Goes;
        };
        if login.at_s < session.start_s - limits::SESSION_GAP_S {
            return Turn::Apart(Self::open(login, named, novelty));
        }
        if login.at_s > session.end_s + limits::SESSION_GAP_S {
            let over = std::mem::replace(session, Self::open(login, named, novelty));
            return Turn::Ends(over);
        }
        session.join(login, named, novelty);
        Turn::Goes
    }

    fn join(&mut self, login: &Login<'_>, named: Named, novelty: Novelty) {
        self.start_s = self.start_s.min(login.at_s);
        self.end_s = self.end_s.max(login.at_s);
        self.logins = self.logins.saturating_add(1);
        note(&mut self.devices, login.device);
        note(&mut self.networks, login.network);
        note(&mut self.places, named.place);
        self.novelty.device |= novelty.device;
        self.novelty.network |= novelty.network;
        self.novelty.place |= novelty.place;
        self.novelty.hour |= novelty.hour;
    }
}

fn note<T: PartialEq, const MOST: usize>(noted: &mut ArrayVec<T, MOST>, value: Option<T>) {
    if let Some(value) = value.filter(|value| !noted.contains(value)) {
        // One too many is not told apart.
        _ = noted.try_push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::login, *};

    #[test]
    fn a_pause_ends_a_session_and_an_older_login_stands_apart() {
        let mut open = None;
        let mut take =
            |at_s| Session::take_up(&mut open, &login(at_s), Named::default(), Novelty::default());
        assert_eq!([take(10_000), take(11_800), take(8_200)], [Turn::Goes, Turn::Goes, Turn::Goes]);
        let Turn::Apart(apart) = take(6_399) else { panic!("it is too old to join") };
        assert_eq!((apart.start_s, apart.end_s, apart.logins), (6_399, 6_399, 1));
        let Turn::Ends(over) = take(13_601) else { panic!("the pause was longer") };
        assert_eq!((over.start_s, over.end_s, over.logins), (8_200, 11_800, 3));
        let open = open.expect("the newest login opened one");
        assert_eq!((open.start_s, open.logins), (13_601, 1));
        assert_eq!([13_601 + 1_800, 13_601 + 1_801].map(|at| open.is_over(at)), [false, true]);
    }
}
