//! The names that a shard has numbered.
//!
//! In:  logins that are not late, in their order.
//! Out: the same logins without the names that count as missing, and the number of names.

use super::PlainLogin;

/// Names longer than this many bytes count as missing.
const LONGEST: usize = 64;

/// The names of one kind, in the order in which they were met.
struct Kind {
    most: usize,
    met: Vec<String>,
}

impl Kind {
    fn new(most: usize) -> Self {
        Self { most, met: Vec::new() }
    }

    /// The name if it has a number or gets one, otherwise nothing.
    fn numbered(&mut self, name: Option<&String>) -> Option<String> {
        let name = name?;
        if name.len() > LONGEST {
            return None;
        }
        if !self.met.contains(name) {
            if self.met.len() == self.most {
                return None;
            }
            self.met.push(name.clone());
        }
        Some(name.clone())
    }
}

/// All kinds of names of a shard.
pub(super) struct Names {
    types: Kind,
    versions: Kind,
    locales: Kind,
    places: Kind,
}

/// How many names of each kind of the score have a number.
pub(super) struct Numbered {
    pub(super) types: usize,
    pub(super) versions: usize,
    pub(super) locales: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            types: Kind::new(63),
            versions: Kind::new(1_023),
            locales: Kind::new(1_023),
            places: Kind::new(4_095),
        }
    }

    /// The login with only those names that have a number.
    pub(super) fn number(&mut self, login: &PlainLogin) -> PlainLogin {
        let mut login = login.clone();
        login.device_type = self.types.numbered(login.device_type.as_ref());
        login.app_version = self.versions.numbered(login.app_version.as_ref());
        login.locale = self.locales.numbered(login.locale.as_ref());
        login.place = self.places.numbered(login.place.as_ref());
        login
    }

    pub(super) fn numbered(&self) -> Numbered {
        Numbered {
            types: self.types.met.len(),
            versions: self.versions.met.len(),
            locales: self.locales.met.len(),
        }
    }
}
