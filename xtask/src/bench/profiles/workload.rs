//! Profiles and logins as the section makes them up: rows of one size whose text follows from the
//! user and the number of logins, so that every row that is read can be checked.

/// A profile without its key.
pub(super) const VALUE_BYTES: usize = 140;

pub(super) type Value = [u8; VALUE_BYTES];

/// Key and value of a profile.
pub(super) type Row = (u64, Value);

/// A row as it is stored: the key, the highest byte first, and the value.
pub(super) const ROW_BYTES: usize = 8 + VALUE_BYTES;

/// Which users log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Users {
    /// All equally often: no cache helps.
    Uniform,
    /// The n-th of them 1/n as often as the first.
    Zipf,
}

/// Draws users, the same ones for the same seed.
pub(super) struct Draw {
    state: u64,
    number: u64,
    users: Users,
}

impl Draw {
    /// Of so many users.
    pub(super) fn new(users: Users, number: u64, seed: u64) -> Self {
        Self { state: mixed(seed), number, users }
    }

    /// The key of the next user who logs in.
    pub(super) fn key(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let drawn = mixed(self.state);
        key_of(match self.users {
            Users::Uniform => ((u128::from(drawn) * u128::from(self.number)) >> 64) as u64,
            Users::Zipf => {
                // The inverse of the distribution, exact but for the rounding of ranks: the share
                // of the first n is ln(n + 1) / ln(number + 1).
                let share = (drawn >> 11) as f64 / (1u64 << 53) as f64;
                let rank = (((self.number + 1) as f64).ln() * share).exp() as u64;
                rank.clamp(1, self.number) - 1
            }
        })
    }
}

/// Like a keyed hash: evenly spread, and no two users have the same.
pub(super) fn key_of(user: u64) -> u64 {
    mixed(user.wrapping_add(0x9E37_79B9_7F4A_7C15))
}

/// The profile of a user with so many logins.
pub(super) fn value_of(key: u64, logins: u64) -> Value {
    let mut value = [0; VALUE_BYTES];
    let mut state = key ^ logins.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for word in value.chunks_mut(8) {
        state = mixed(state.wrapping_add(1));
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    value[..8].copy_from_slice(&logins.to_le_bytes());
    value
}

/// How many logins a profile has seen.
///
/// # Panics
/// When it is not the profile of this user.
pub(super) fn logins_of(key: u64, value: &Value) -> u64 {
    let (logins, _) = value.split_first_chunk().expect("a value is longer than its counter");
    let logins = u64::from_le_bytes(*logins);
    assert!(*value == value_of(key, logins), "the row {key:016x} is not what was written");
    logins
}

/// Every user's profile before the first login, in the order of the keys: as a restoration from
/// snapshots of ranges brings them.
pub(super) fn rows(number: u64) -> impl Iterator<Item = Row> {
    const PARTS: u64 = 32;
    (0..PARTS).flat_map(move |part| {
        let is_in = |key: &u64| key >> (64 - PARTS.ilog2()) == part;
        let mut keys: Vec<u64> = (0..number).map(key_of).filter(is_in).collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| (key, value_of(key, 0)))
    })
}

/// The finaliser of splitmix64, a bijection.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_and_each_once() {
        let keys: Vec<u64> = rows(1000).map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_zipf_draw_prefers_the_first() {
        let (number, draws) = (10_000, 200_000);
        let mut draw = Draw::new(Users::Zipf, number, 7);
        let first = key_of(0);
        let of_first = (0..draws).filter(|_| draw.key() == first).count() as f64;
        // ln 2 / ln 10 001, where 1 / (1 + 1/2 + ... + 1/10 000) is 0.102.
        assert!((of_first / f64::from(draws) - 0.075).abs() < 0.005, "{of_first}");
    }
}
