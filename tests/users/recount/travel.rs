//! `impossible_travel`: trusted places, and a login that is too far from one.

use super::{DAY_S, Fired, PlainLogin, profile::Profile};

const MOST_TRUSTED: usize = 2;

/// A place that the user was at, by a login that does not jump.
pub(super) struct Trusted {
    place: String,
    at_s: i64,
    offset: i64,
}

/// The trusted places of a user. What replaces one stands where that stood.
#[derive(Default)]
pub(super) struct TrustedPlaces {
    places: Vec<Trusted>,
}

/// A login that jumps, from this trusted place.
pub(super) struct Jump {
    from: String,
    offset: i64,
    gap_km: u32,
    distance_s: i64,
}

/// The jump of the login, from the trusted place that is nearer in time, then the first.
pub(super) fn jump(
    login: &PlainLogin,
    profile: &Profile,
    gap_km: &dyn Fn(&str, &str) -> u32,
) -> Option<Jump> {
    let here = login.place.as_ref()?;
    let mut jumps = Vec::new();
    for trusted in &profile.trusted.places {
        if trusted.place == *here {
            continue;
        }
        let gap_km = gap_km(here, &trusted.place);
        let distance_s = (login.at_s - trusted.at_s).abs();
        // 900 km/h is a kilometre in four seconds.
        let is_fast = i64::from(gap_km) * 4 >= distance_s.max(60);
        let both_habitual = profile.is_habitual(here) && profile.is_habitual(&trusted.place);
        if gap_km >= 500 && is_fast && !both_habitual {
            let (from, offset) = (trusted.place.clone(), trusted.offset);
            jumps.push(Jump { from, offset, gap_km, distance_s });
        }
    }
    // Of equal ones, this takes the first.
    jumps.into_iter().min_by_key(|jump| jump.distance_s)
}

pub(super) fn judge(login: &PlainLogin, profile: &Profile, jump: Option<&Jump>) -> Option<Fired> {
    let jump = jump?;
    let is_established = profile.n >= 10 || login.at_s - profile.first >= 14 * DAY_S;
    if !is_established || profile.different_last_places() >= 5 {
        return None;
    }
    let is_known = login.device.is_some_and(|device| profile.devices.has(&device));
    let severity = if is_known { "low" } else { "high" };
    let evidence = format!("from {} at {} gap {}", jump.from, jump.offset, jump.gap_km);
    Some(Fired { rule: "impossible_travel", severity, evidence })
}

impl TrustedPlaces {
    /// Takes up a login that does not jump.
    pub(super) fn take_up(&mut self, login: &PlainLogin) {
        let Some(place) = login.place.clone() else { return };
        let taken = Trusted { place, at_s: login.at_s, offset: login.offset };
        if let Some(there) = self.places.iter_mut().find(|it| it.place == taken.place) {
            if taken.at_s > there.at_s {
                *there = taken;
            }
        } else if self.places.len() < MOST_TRUSTED {
            self.places.push(taken);
        } else {
            let earlier = usize::from(self.places[1].at_s < self.places[0].at_s);
            if taken.at_s >= self.places[earlier].at_s {
                self.places[earlier] = taken;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::login;
    use super::*;

    fn after(logins: &[(&str, i64)]) -> Vec<(String, i64, i64)> {
        let mut trusted = TrustedPlaces::default();
        for (offset, (place, at_s)) in (0..).zip(logins) {
            trusted.take_up(&login(1, *at_s).place(place).offset(offset));
        }
        trusted.places.into_iter().map(|it| (it.place, it.at_s, it.offset)).collect()
    }

    #[test]
    fn a_trusted_place_takes_over_a_later_time_only() {
        assert_eq!(after(&[("a", 10), ("a", 10)]), [("a".to_owned(), 10, 0)]);
        assert_eq!(after(&[("a", 10), ("a", 11)]), [("a".to_owned(), 11, 1)]);
    }

    #[test]
    fn a_third_place_stands_where_the_earlier_one_stood() {
        let b = ("b".to_owned(), 10, 1);
        assert_eq!(after(&[("a", 10), ("b", 10), ("c", 10)]), [("c".to_owned(), 10, 2), b]);
        let a = ("a".to_owned(), 10, 0);
        assert_eq!(after(&[("a", 10), ("b", 9), ("c", 9)]), [a.clone(), ("c".to_owned(), 9, 2)]);
        let b = ("b".to_owned(), 9, 1);
        assert_eq!(after(&[("a", 10), ("b", 9), ("c", 8)]), [a, b]);
    }
}
