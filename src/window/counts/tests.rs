//! Counts against a plain map, and at their cap.

use proptest::{collection::vec, prelude::*};

use super::*;

impl ValueCounts {
    /// The count of one value; for [`OTHER`], of all that have no entry.
    pub(in crate::window) fn get(&self, value: &str) -> u64 {
        match self.find(value) {
            Some(position) => self.entries[position].count,
            None if value == OTHER => self.other,
            None => 0,
        }
    }

    /// Sum of all counts.
    pub(in crate::window) fn sum(&self) -> u64 {
        self.other + self.entries.iter().map(|entry| entry.count).sum::<u64>()
    }
}

fn counted(values: &[&str]) -> ValueCounts {
    let mut counts = ValueCounts::default();
    for value in values {
        counts.add(value, 1);
    }
    counts
}

fn numbered(range: std::ops::Range<usize>) -> ValueCounts {
    let mut counts = ValueCounts::default();
    for number in range {
        counts.add(&format!("v{number}"), 2);
    }
    counts
}

#[test]
fn a_head_is_the_first_bytes_with_zeros_behind_them() {
    let name: Vec<u8> = (1..=12).collect();
    for name in (0..=name.len()).map(|len| &name[..len]) {
        let mut padded = [0; HEAD_BYTES];
        let shown = name.len().min(HEAD_BYTES);
        padded[..shown].copy_from_slice(&name[..shown]);
        assert_eq!(head_of(name), u64::from_le_bytes(padded), "{name:?}");
    }
}

#[test]
fn counts_are_sorted_by_value_and_other_shares_its_entry() {
    let counts = counted(&["p", "other", "a", "p", "z"]);
    assert_eq!(counts.sorted(), [("a", 1), ("other", 1), ("p", 2), ("z", 1)]);
    assert_eq!(counts.capped(), 0);
    assert_eq!(counts.sum(), 5);
}

#[test]
fn beyond_the_cap_values_count_as_other_and_known_ones_under_their_name() {
    let cap = limits::MAX_VALUES_PER_DIMENSION;
    let mut counts = numbered(0..cap);
    assert_eq!(counts.capped(), 0);
    counts.add("one more", 3);
    counts.add("v17", 1);
    assert_eq!(counts.add("two more", 1), 0, "nothing is kept of a capped value");
    assert_eq!((counts.get(OTHER), counts.capped(), counts.get("v17")), (4, 4, 3));
    assert_eq!(counts.sum(), 2 * cap as u64 + 5);
    assert_eq!(counts.sorted().len(), cap + 1);
}

#[test]
fn an_overlong_value_counts_as_other_without_an_overflow() {
    let longest = "x".repeat(limits::MAX_VALUE_BYTES);
    let mut counts = counted(&[&longest]);
    for number in 0..2 * LINEAR_ENTRIES {
        counts.add(&format!("{longest}{number}"), 1);
        counts.add(&number.to_string(), 1);
    }
    assert_eq!((counts.get(&longest), counts.get(OTHER)), (1, 16));
    assert_eq!(counts.capped(), 0);
}

#[test]
fn a_merge_beyond_the_cap_keeps_the_most_frequent_names() {
    let cap = limits::MAX_VALUES_PER_DIMENSION;
    let mut counts = numbered(0..cap - 1);
    let mut more = numbered(cap..cap + 10);
    more.add("often", 100);
    counts.merge(&more);
    assert_eq!(counts.get("often"), 100);
    assert_eq!((counts.get(OTHER), counts.capped()), (20, 20));
    assert_eq!(counts.sum(), 2 * (cap as u64 - 1) + 120);
}

#[test]
fn stored_counts_beyond_the_cap_are_refused() {
    let named: Vec<String> =
        (0..=limits::MAX_VALUES_PER_DIMENSION).map(|n| n.to_string()).collect();
    let named = named.iter().map(|name| (name.as_str(), 1)).collect();
    let bytes = postcard::to_stdvec(&Stored { named, other: 0, capped: 0 }).expect("writes");
    assert!(postcard::from_bytes::<ValueCounts>(&bytes).is_err());
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{0,2}|other", ".{0,4}", "2\\.3\\.0-beta[0-9a]", "a\0{0,2}", "x{60,70}"]
}

/// Adding them up panicked where a stored state was read.
#[test]
fn stored_counts_that_add_up_to_too_much_are_refused() {
    for (named, other) in [([("a", u64::MAX)], 1), ([(OTHER, u64::MAX)], 1), ([("a", 1)], u64::MAX)]
    {
        let named = BTreeMap::from(named);
        let bytes = postcard::to_stdvec(&(named, other, 0_u64)).expect("writes");
        assert!(postcard::from_bytes::<ValueCounts>(&bytes).is_err(), "{other}");
    }
    let most = (BTreeMap::from([("a", u64::MAX - 1)]), 1_u64, 0_u64);
    let bytes = postcard::to_stdvec(&most).expect("writes");
    assert_eq!(postcard::from_bytes::<ValueCounts>(&bytes).expect("reads").sum(), u64::MAX);
}

proptest! {
    #[test]
    fn agrees_with_a_plain_map(
        values in vec(value(), 0..200),
        split in 0..200usize,
    ) {
        let mut model = BTreeMap::<&str, u64>::new();
        for value in &values {
            let name = if value.len() > limits::MAX_VALUE_BYTES { OTHER } else { value };
            *model.entry(name).or_default() += 1;
        }
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let (left, right) = values.split_at(split.min(values.len()));
        let (mut left, right) = (counted(left), counted(right));
        let mut reversed = right.clone();
        reversed.merge(&left);
        left.merge(&right);
        prop_assert_eq!(&left, &reversed);
        prop_assert_eq!(&left, &counted(&values));
        prop_assert_eq!(left.sorted(), model.into_iter().collect::<Vec<_>>());

        let bytes = postcard::to_stdvec(&left).expect("writes");
        prop_assert_eq!(&postcard::to_stdvec(&reversed).expect("writes"), &bytes);
        prop_assert_eq!(postcard::from_bytes::<ValueCounts>(&bytes).expect("reads"), left);
    }

    #[test]
    fn growth_adds_up_to_the_heap(numbers in vec(0..1500u32, 0..3000)) {
        let mut counts = ValueCounts::default();
        let mut bytes = 0;
        for number in &numbers {
            bytes += counts.add(&number.to_string(), 1);
        }
        prop_assert_eq!(counts.heap_bytes(), bytes);
        prop_assert_eq!(counts.sum(), numbers.len() as u64);
        let mut merged = ValueCounts::default();
        let growth = merged.merge(&counts);
        prop_assert_eq!(growth, merged.heap_bytes());
    }
}
