//! Places from which a later login must be reachable. Pure.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{login::LoginRef, names::Name, place::Place};

/// A place of a login that was no surprise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrustedPlace {
    /// Where.
    pub place: Place,
    /// The shard's number of it.
    pub name: Name,
    /// The newest login from there.
    pub login: LoginRef,
}

/// The two newest of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trusted {
    places: ArrayVec<TrustedPlace, 2>,
}

/// A way that nobody travels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// From where.
    pub from: TrustedPlace,
    /// How far at least, kilometres.
    pub gap_km: u32,
    /// How fast at least, kilometres per hour.
    pub speed_kmh: f64,
}

/// What is too far and too fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TravelLimits {
    /// Kilometres.
    pub gap_km: u32,
    /// Kilometres per hour.
    pub speed_kmh: f64,
}

impl Trusted {
    /// The places.
    pub fn places(&self) -> &[TrustedPlace] {
        &self.places
    }

    /// From where nobody gets to a place in time; of two, the one nearer in time.
    pub fn jump(
        &self,
        (to, name): (Place, Name),
        at_s: i64,
        limits: TravelLimits,
        is_excused: impl Fn(&TrustedPlace) -> bool,
    ) -> Option<Jump> {
        let others = self.places.iter().filter(|from| from.name != name);
        let jumps = others.filter(|from| !is_excused(from)).filter_map(|from| {
            let gap_km = from.place.gap_km(to);
            let seconds = from.login.at_s.abs_diff(at_s).max(60) as f64;
            let speed_kmh = f64::from(gap_km) * 3_600.0 / seconds;
            let is_one = gap_km >= limits.gap_km && speed_kmh >= limits.speed_kmh;
            is_one.then_some(Jump { from: *from, gap_km, speed_kmh })
        });
        jumps.min_by_key(|jump| jump.from.login.at_s.abs_diff(at_s))
    }

    /// Trusts the place of a login, unless it is older than both that are trusted.
    pub fn take_up(&mut self, place: Place, name: Name, login: LoginRef) {
        let newest = TrustedPlace { place, name, login };
        if let Some(index) = self.places.iter().position(|it| it.name == name) {
            if self.places[index].login.at_s < login.at_s {
                self.places[index] = newest;
            }
        } else if !self.places.is_full() {
            self.places.push(newest);
        } else if let Some(oldest) = self.places.iter_mut().min_by_key(|it| it.login.at_s)
            && oldest.login.at_s <= login.at_s
        {
            *oldest = newest;
        }
    }
}
