//! The profiles of a range of keys as one value: rows of one size, in the order of their keys.

use super::{
    layout::STRIPES,
    workload::{ROW_BYTES, Row, Value},
};

/// How many ranges so many profiles are cut into, so that one takes about so many bytes; each
/// stripe has whole ones.
pub(super) fn ranges(users: u64, bytes: usize) -> usize {
    (users as usize * ROW_BYTES / bytes).div_ceil(STRIPES).max(1) * STRIPES
}

/// The range of a key, out of so many.
pub(super) fn range_of(key: u64, ranges: usize) -> usize {
    ((u128::from(key) * ranges as u128) >> 64) as usize
}

/// The rows of each range that has any.
pub(super) fn by_range(rows: &[Row], ranges: usize) -> impl Iterator<Item = (usize, &[Row])> {
    let is_same = move |a: &Row, b: &Row| range_of(a.0, ranges) == range_of(b.0, ranges);
    rows.chunk_by(is_same).map(move |rows| (range_of(rows[0].0, ranges), rows))
}

pub(super) fn push(blob: &mut Vec<u8>, (key, value): &Row) {
    blob.extend_from_slice(&key.to_be_bytes());
    blob.extend_from_slice(value);
}

/// The value of a key in a blob.
pub(super) fn find(blob: &[u8], key: u64) -> Option<Value> {
    let (rows, _) = blob.as_chunks::<ROW_BYTES>();
    let at = rows.binary_search_by_key(&key, key_of).ok()?;
    rows[at].last_chunk().copied()
}

/// A blob with these rows in the place of those with the same keys, behind what is in `into`.
pub(super) fn merge(blob: &[u8], new: &[Row], into: &mut Vec<u8>) {
    let (mut old, _) = blob.as_chunks::<ROW_BYTES>();
    for row in new {
        let before = old.partition_point(|old| key_of(old) < row.0);
        into.extend_from_slice(old[..before].as_flattened());
        push(into, row);
        old = &old[before..];
        if old.first().is_some_and(|old| key_of(old) == row.0) {
            old = &old[1..];
        }
    }
    into.extend_from_slice(old.as_flattened());
}

pub(super) fn rows_of(blob: &[u8]) -> impl Iterator<Item = Row> {
    let (rows, _) = blob.as_chunks::<ROW_BYTES>();
    rows.iter().map(|row| (key_of(row), *row.last_chunk().expect("longer than its value")))
}

fn key_of(row: &[u8; ROW_BYTES]) -> u64 {
    u64::from_be_bytes(*row.first_chunk().expect("a row is longer than its key"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::workload::value_of, *};

    #[test]
    fn a_merged_blob_has_the_newest_of_each() {
        let row = |key: u64, logins: u64| (key, value_of(key, logins));
        let old: BTreeMap<_, _> = [3, 5, 9].map(|key| row(key, 0)).into();
        let new: BTreeMap<_, _> = [1, 5, 7, 11].map(|key| row(key, 1)).into();
        let mut blob = Vec::new();
        for (key, value) in &old {
            push(&mut blob, &(*key, *value));
        }
        let mut merged = vec![0; 4];
        merge(&blob, &new.clone().into_iter().collect::<Vec<_>>(), &mut merged);
        let mut expected = old;
        expected.extend(new);
        assert_eq!(rows_of(&merged[4..]).collect::<BTreeMap<_, _>>(), expected);
        assert!(expected.iter().all(|(key, value)| find(&merged[4..], *key) == Some(*value)));
        assert_eq!(find(&merged[4..], 4), None);
    }
}
