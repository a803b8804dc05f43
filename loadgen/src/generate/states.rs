//! The states of the USA: their codes, how many people live there, and their time.
//!
//! In:  a random number. Out: a state, as likely as its share of the people.

use super::rng::Draw;

/// A state.
pub(super) struct State {
    /// Its postal code.
    pub(super) code: &'static str,
    /// Hours of its standard time from UTC, where most of its people live.
    pub(super) utc_hours: i64,
    /// Its people in the census of 2020, in hundreds of thousands, at least 6.
    pub(super) people: u64,
}

macro_rules! states {
    ($($code:ident $hours:literal $people:literal;)*) => {
        &[$(State { code: stringify!($code), utc_hours: $hours, people: $people }),*]
    };
}

/// The states in the order of their names. A login's locale is an index of this table.
pub(super) const STATES: &[State] = states! {
    AL -6 50;  AK -9 7;   AZ -7 72;  AR -6 30;  CA -8 395; CO -7 58;  CT -5 36;
    DE -5 10;  FL -5 215; GA -5 107; HI -10 15; ID -7 18;  IL -6 128; IN -5 68;
    IA -6 32;  KS -6 29;  KY -5 45;  LA -6 47;  ME -5 14;  MD -5 62;  MA -5 70;
    MI -5 101; MN -6 57;  MS -6 30;  MO -6 62;  MT -7 11;  NE -6 20;  NV -8 31;
    NH -5 14;  NJ -5 93;  NM -7 21;  NY -5 202; NC -5 104; ND -6 8;   OH -5 118;
    OK -6 40;  OR -8 42;  PA -5 130; RI -5 11;  SC -5 51;  SD -6 9;   TN -6 69;
    TX -6 291; UT -7 33;  VT -5 6;   VA -5 86;  WA -8 77;  WV -5 18;  WI -6 59;
    WY -7 6;
};

/// All people, and the upper bound of each state among them.
const BOUNDS: [u64; STATES.len()] = {
    let mut bounds = [0; STATES.len()];
    let mut sum = 0;
    let mut index = 0;
    while index < STATES.len() {
        sum += STATES[index].people;
        bounds[index] = sum;
        index += 1;
    }
    bounds
};

/// A state by its people.
pub(super) fn draw(draw: &mut Draw) -> usize {
    let person = draw.below(BOUNDS[STATES.len() - 1]);
    BOUNDS.partition_point(|bound| *bound <= person)
}

/// A state by its people, other than `home`.
pub(super) fn draw_other(home: usize, of: &mut Draw) -> usize {
    let state = draw(of);
    // The state after `home` also gets home's share: a loop would buy nothing.
    if state == home { (state + 1) % STATES.len() } else { state }
}

/// A state's share of the people.
pub(super) fn share(state: usize) -> f64 {
    STATES[state].people as f64 / BOUNDS[STATES.len() - 1] as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::rng::Purpose;

    #[test]
    fn states_are_drawn_by_their_people() {
        let mut stream = Draw::new(1, 1, Purpose::Login);
        let mut counts = [0_u32; STATES.len()];
        for _ in 0..100_000 {
            counts[draw(&mut stream)] += 1;
        }
        for (state, count) in counts.into_iter().enumerate() {
            let expected = share(state) * 100_000.0;
            let tolerance = 5.0 * expected.sqrt();
            assert!((f64::from(count) - expected).abs() < tolerance, "{}", STATES[state].code);
        }
        assert_eq!(STATES.len(), 50);
        assert!((0..1_000).all(|_| draw_other(4, &mut stream) != 4));
    }
}
