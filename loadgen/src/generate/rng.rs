//! Random numbers without state between events.
//!
//! In:  the seed, an event's number, and the purpose of the numbers.
//! Out: a stream of numbers that depends only on these three, so that one event can be generated
//! again without the ones before it; and Kafka keys that look random but contain the event's
//! number.
//! Holds: `event_no_of(seed, key_of(seed, n)) == Some(n)` for every seed and `n`.

use std::convert::Infallible;

/// Step of the counter (2⁶⁴ / golden ratio) and the finalizer below: `SplitMix64` by Steele,
/// Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Odd, so that multiplying by it can be undone.
const KEY_FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

/// The purpose of a stream of numbers. One event's streams are independent of each other.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Kind = 1,
    Login = 2,
    Time = 3,
    Shape = 4,
    Device = 5,
    Key = 6,
    User = 7,
    Transaction = 8,
    // Of a population:
    Visit = 9,
    Person = 10,
    Home = 11,
    HomeMoved = 12,
    HomeAddress = 13,
    OwnDevice = 14,
    DeviceReplaced = 15,
    Tablet = 16,
    Adoption = 17,
    Network = 18,
    Trip = 19,
    Day = 20,
    Exit = 21,
    Attack = 22,
    Campaign = 23,
    CampaignLogin = 24,
    Dormant = 25,
}

/// Scatters the bits of a number; a bijection.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stream of numbers of one event for one purpose.
pub(crate) struct Draw {
    state: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64, counter: u64, purpose: Purpose) -> Self {
        let purpose = (purpose as u64).wrapping_mul(STEP);
        Self { state: mix(mix(seed ^ purpose).wrapping_add(mix(counter ^ STEP))) }
    }

    /// The next number of the stream.
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number in `0..bound`; the bias is below bound / 2⁶⁴.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True once in `times` on average.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of the choices.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// Lets the distributions of `rand_distr` draw from the stream.
impl rand::TryRng for Draw {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.number() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.number())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.number().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) type UuidText = [u8; 36];

/// A UUID (in the form of version 4) from two numbers; the version replaces some of their bits.
pub(crate) fn uuid_text(high: u64, low: u64) -> UuidText {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 0xf)];
        at += 2;
    }
    text
}

/// The Kafka key of an event: a UUID that has nothing to do with the user. 64 of its bits hide the
/// event's number, the other 58 confirm it.
pub(crate) fn key_of(seed: u64, event_no: u64) -> UuidText {
    let hidden = hide(seed, event_no);
    let confirm = mix(hidden ^ mix(seed));
    let high = (hidden & !0xffff) | (confirm & 0x0fff);
    let low = ((hidden & 0xffff) << 46) | (confirm >> 18);
    uuid_text(high, low)
}

/// The number in a key made by [`key_of`] with the same seed; `None` for any other key.
pub(crate) fn event_no_of(seed: u64, key: &[u8]) -> Option<u64> {
    if key.len() != 36 || !key.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(key).ok()?;
    let high = u64::from_str_radix(&[&text[..8], &text[9..13], &text[14..18]].concat(), 16).ok()?;
    let low = u64::from_str_radix(&[&text[19..23], &text[24..]].concat(), 16).ok()?;
    let hidden = (high & !0xffff) | ((low >> 46) & 0xffff);
    let event_no = reveal(seed, hidden);
    (key_of(seed, event_no) == key).then_some(event_no)
}

fn hide(seed: u64, event_no: u64) -> u64 {
    let mut x = event_no ^ mix(seed ^ (Purpose::Key as u64));
    x = (x ^ (x >> 32)).wrapping_mul(KEY_FACTOR);
    x = (x ^ (x >> 32)).wrapping_mul(KEY_FACTOR);
    x ^ (x >> 32)
}

fn reveal(seed: u64, hidden: u64) -> u64 {
    let inverse = inverse_of(KEY_FACTOR);
    // x ^ (x >> 32) undoes itself.
    let mut x = hidden ^ (hidden >> 32);
    x = x.wrapping_mul(inverse);
    x = (x ^ (x >> 32)).wrapping_mul(inverse);
    x = x ^ (x >> 32);
    x ^ mix(seed ^ (Purpose::Key as u64))
}

/// The number that undoes a multiplication by `odd` modulo 2⁶⁴ (Newton's iteration doubles the
/// correct low bits: 3, 6, 12, 24, 48, 96).
const fn inverse_of(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_carries_its_number_and_no_other_seed_reads_it() {
        for seed in [0, 1, 2, u64::MAX] {
            for event_no in (0..2_000).chain([u64::MAX, 1 << 48, 1 << 32]) {
                let key = key_of(seed, event_no);
                assert_eq!(event_no_of(seed, &key), Some(event_no), "seed {seed}");
                assert_eq!(event_no_of(seed ^ 0x55, &key), None, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_foreign_key_carries_nothing() {
        let mut key = key_of(1, 7);
        for index in [0, 8, 14, 35] {
            let before = key[index];
            key[index] = if before == b'0' { b'1' } else { b'0' };
            assert_eq!(event_no_of(1, &key), None, "changed at {index}");
            key[index] = before;
        }
        assert_eq!(event_no_of(1, b""), None);
        assert_eq!(event_no_of(1, "ä".repeat(18).as_bytes()), None);
        assert_eq!(event_no_of(1, &key[..35]), None);
        assert_eq!(event_no_of(1, &key), Some(7));
    }

    #[test]
    fn streams_repeat_and_differ_by_seed_counter_and_purpose() {
        let first = |seed, counter, purpose| Draw::new(seed, counter, purpose).number();
        assert_eq!(first(1, 2, Purpose::Login), first(1, 2, Purpose::Login));
        assert_ne!(first(1, 2, Purpose::Login), first(2, 2, Purpose::Login));
        assert_ne!(first(1, 2, Purpose::Login), first(1, 3, Purpose::Login));
        assert_ne!(first(1, 2, Purpose::Login), first(1, 2, Purpose::Kind));
    }

    #[test]
    fn units_are_spread_evenly() {
        let mut draw = Draw::new(3, 0, Purpose::Kind);
        let mut tenths = [0_u32; 10];
        for _ in 0..100_000 {
            tenths[(draw.unit() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (9_500..10_500).contains(n)), "{tenths:?}");
    }

    #[test]
    fn uuids_have_the_form_of_version_4() {
        let text = String::from_utf8(uuid_text(u64::MAX, u64::MAX).to_vec()).expect("ASCII");
        assert_eq!(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
