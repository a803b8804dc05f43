//! Sketches against sets of known size, in any order, and their stored form.

use proptest::prelude::*;

use super::*;

fn sketch_of(family: u32, users: std::ops::Range<u32>) -> UserSketch {
    let mut sketch = UserSketch::default();
    for user in users {
        sketch.insert(&format!("{family}-{user}"));
    }
    sketch
}

fn stored(sketch: &UserSketch) -> Vec<u8> {
    postcard::to_stdvec(sketch).expect("writes")
}

/// Users up to which a sketch is exact.
const EXACT: u32 = 768;

#[test]
fn some_hundred_users_are_counted_exactly() {
    for users in [0, 1, 8, 12, 13, 100, 380, EXACT] {
        let sketch = sketch_of(0, 0..users);
        assert!(matches!(sketch.users, Users::Few(_)));
        assert_eq!(sketch.estimate(), u64::from(users));
        let mut twice = sketch.clone();
        twice.merge(&sketch);
        assert_eq!(twice, sketch);
    }
    let more = sketch_of(0, 0..EXACT + 1);
    assert!(matches!(more.users, Users::Many(_)));
    assert!(more.estimate().abs_diff(769) < 40, "{}", more.estimate());
}

/// Every register and rank comes about as often as it should.
#[test]
fn coupons_are_spread_evenly() {
    const USERS: u32 = 400_000;
    let (mut by_register, mut by_rank) = ([0_u32; REGISTERS], [0_u32; 64]);
    for user in 0..USERS {
        let coupon = Coupon::of(&format!("user-{user}"));
        by_register[coupon.index()] += 1;
        by_rank[usize::from(coupon.rank())] += 1;
    }
    let expected = f64::from(USERS) / REGISTERS as f64;
    let chi: f64 = by_register.map(|n| (f64::from(n) - expected).powi(2) / expected).iter().sum();
    // Of 4095 degrees of freedom: five standard deviations.
    assert!((chi - 4095.0).abs() < 5.0 * 8190_f64.sqrt(), "{chi}");
    assert_eq!(by_rank[0], 0);
    for (rank, seen) in by_rank.iter().enumerate().skip(1).take(12) {
        let expected = f64::from(USERS) / 2_f64.powi(rank as i32);
        assert!((f64::from(*seen) - expected).abs() < 5.0 * expected.sqrt(), "{rank}: {seen}");
    }
}

/// The stored form is of this hash: another one would count every user twice.
#[test]
fn the_hash_is_the_one_that_was_stored() {
    for (user, coupon) in [
        ("", 0x0330_4dae),
        ("u", 0x6e10_e352),
        ("424cdd21-063a-43a7-b91b-7ca1a833afae", 0xef10_ad97),
        (&"x".repeat(200), 0x7150_5a0c),
    ] {
        assert_eq!(Coupon::of(user), Coupon(coupon), "{user}");
    }
}

#[test]
fn a_rank_is_the_length_of_a_run_of_zeros_and_never_too_high() {
    let mut highest = [0; REGISTERS];
    for coupon in [0, 1, 38, 39].map(|rank| Coupon(5 << 20 | rank << TAG_BITS | 0x3fff)) {
        coupon.raise(&mut highest);
    }
    assert_eq!((highest[5], MAX_RANK), (39, 39));
    assert_eq!(highest.iter().filter(|rank| **rank > 0).count(), 1);
}

#[test]
fn sketches_at_the_ends_have_an_estimate() {
    assert!(estimate(&[0; REGISTERS]).abs() < 0.1);
    assert!(estimate(&[MAX_RANK; REGISTERS]).is_infinite());
    assert!(estimate(&[MAX_RANK - 1; REGISTERS]) > 1e14);
}

#[test]
fn the_standard_error_is_as_stated() {
    const FAMILIES: u32 = 40;
    for users in [500, 3_000, 12_000, 60_000] {
        let mut squares = 0.0;
        for family in 0..FAMILIES {
            let estimate = sketch_of(family, 0..users).estimate() as f64;
            let error = estimate / f64::from(users) - 1.0;
            assert!(error.abs() < 5.0 * 0.016_25, "{family}: {estimate} of {users}");
            squares += error * error;
        }
        let standard = (squares / f64::from(FAMILIES)).sqrt();
        // Of 40 draws a standard deviation is known to 11 %.
        assert!(standard < 1.3 * 0.016_25, "{standard} for {users} users");
    }
}

#[test]
fn small_sets_are_small_in_memory_and_stored() {
    let mut grown = UserSketch::default().heap_bytes();
    let mut sketch = UserSketch::default();
    for user in 0..5_000_u32 {
        grown += sketch.insert(&user.to_string());
        assert_eq!(sketch.heap_bytes(), grown);
        let (heap, bytes) = match user + 1 {
            users @ 0..=12 => (64, 4 * users + 1),
            users @ 13..=48 => (256, 4 * users + 2),
            users @ 49..=192 => (1024, 4 * users + 2),
            users @ 193..=EXACT => (4096, 4 * users + 2),
            _ => (4096, REGISTERS as u32 + 2),
        };
        assert_eq!(grown, heap, "{user}");
        if user % 100 == 7 {
            assert!(stored(&sketch).len() <= bytes as usize, "{user}");
        }
    }
    assert_eq!(grown, REGISTERS);
}

#[test]
fn damaged_or_foreign_bytes_are_refused() {
    let read = |bytes: &[u8]| {
        postcard::from_bytes::<UserSketch>(&postcard::to_stdvec(bytes).expect("writes"))
    };
    let coupons = |coupons: &[u32]| coupons.iter().flat_map(|one| one.to_le_bytes()).collect();
    let bytes = |coupons: std::ops::Range<u32>| -> Vec<u8> {
        coupons.flat_map(|one| (one << 20 | 1 << TAG_BITS).to_le_bytes()).collect()
    };
    let rank = |rank: u32| rank << TAG_BITS;
    let refused: [Vec<u8>; 9] = [
        vec![1],
        vec![1; REGISTERS - 1],
        vec![1; REGISTERS + 4],
        vec![MAX_RANK + 1; REGISTERS],
        bytes(0..EXACT + 1),
        coupons(&[rank(0) | 7]),
        coupons(&[rank(40)]),
        coupons(&[rank(2), rank(1)]),
        coupons(&[rank(1), rank(1)]),
    ];
    for refused in refused {
        assert_eq!(read(&refused).expect_err("refused"), postcard::Error::SerdeDeCustom);
    }
    for (taken, users) in [(vec![], 0), (bytes(0..EXACT), 768), (coupons(&[rank(39)]), 1)] {
        let sketch = read(&taken).expect("sound");
        assert_eq!(sketch.estimate(), users);
        assert_eq!(stored(&sketch), postcard::to_stdvec(&taken[..]).expect("writes"));
    }
    let full = sketch_of(0, 0..1000);
    let read: UserSketch = postcard::from_bytes(&stored(&full)).expect("reads");
    assert_eq!((&read, read.estimate()), (&full, full.estimate()));
}

#[test]
fn sketches_of_different_users_differ() {
    for users in [3, 30, 3000] {
        assert_ne!(sketch_of(0, 0..users), sketch_of(1, 0..users));
        assert_ne!(sketch_of(0, 0..users), sketch_of(0, 0..2 * users));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_and_merge_order_gives_the_same_sketch(
        sizes in proptest::collection::vec((0..3000_u32, 0..900_u32), 1..6),
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let range = |&(from, len): &(u32, u32)| from..from + len;
        let mut whole = UserSketch::default();
        for users in sizes.iter().map(range) {
            for user in users {
                whole.insert(&format!("0-{user}"));
            }
        }
        let mut merged = UserSketch::default();
        for part in order.into_iter().filter_map(|at| sizes.get(at)) {
            let bytes = stored(&sketch_of(0, range(part)));
            merged.merge(&postcard::from_bytes(&bytes).expect("reads"));
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(merged.estimate(), whole.estimate());
        prop_assert_eq!(merged.heap_bytes(), whole.heap_bytes());
        let again: UserSketch = postcard::from_bytes(&stored(&merged)).expect("reads");
        prop_assert_eq!(again.estimate(), whole.estimate());
    }
}
