//! Short texts as integers, to compare, hash and copy them without a loop or a call. Pure.
//!
//! Holds: the text's first byte is the lowest; the bytes behind its end are zeros.
#![forbid(unsafe_code)]

/// Bytes of a text that fit into a word.
pub(crate) const WORD_BYTES: usize = size_of::<u64>();

/// Bytes of a text that fit into two words.
pub(crate) const PAIR_BYTES: usize = size_of::<u128>();

/// The first eight bytes of a text, or all of a shorter one.
#[inline]
pub(crate) fn word(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk::<WORD_BYTES>() {
        return u64::from_le_bytes(*first);
    }
    let len = text.len();
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        // Where the two overlap they hold the same bytes at the same place.
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        return u64::from(u32::from_le_bytes(*first)) | last;
    }
    match *text {
        [] => 0,
        [a] => u64::from(a),
        [a, .., z] => u64::from(a) | u64::from(text[1]) << 8 | u64::from(z) << (8 * (len - 1)),
    }
}

/// The first sixteen bytes of a text, or all of a shorter one.
#[inline]
pub(crate) fn pair(text: &[u8]) -> u128 {
    let Some((first, rest)) = text.split_first_chunk::<WORD_BYTES>() else {
        return u128::from(word(text));
    };
    let second = match (rest.first_chunk::<WORD_BYTES>(), text.last_chunk::<WORD_BYTES>()) {
        (Some(second), _) => u64::from_le_bytes(*second),
        // The shift drops the bytes that it shares with the first word.
        (None, Some(last)) => {
            let shared = (WORD_BYTES - rest.len()) as u32;
            u64::from_le_bytes(*last).checked_shr(u8::BITS * shared).unwrap_or(0)
        }
        (None, None) => 0,
    };
    u128::from(u64::from_le_bytes(*first)) | u128::from(second) << u64::BITS
}

/// Appends a text.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() > PAIR_BYTES {
        out.extend_from_slice(text);
        return;
    }
    let end = out.len() + text.len();
    out.extend_from_slice(&pair(text).to_le_bytes());
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_stand_lowest_and_zeros_behind_them() {
        let text: Vec<u8> = (1..=40).collect();
        for start in 0..4 {
            for len in 0..=(text.len() - start) {
                let text = &text[start..start + len];
                let mut padded = [0; PAIR_BYTES];
                let shown = len.min(PAIR_BYTES);
                padded[..shown].copy_from_slice(&text[..shown]);
                let expected = u128::from_le_bytes(padded);
                assert_eq!(pair(text), expected, "{text:?}");
                assert_eq!(word(text), expected as u64, "{text:?}");
                let mut out = vec![9, 9];
                append(&mut out, text);
                assert_eq!((&out[..2], &out[2..]), (&[9, 9][..], text));
            }
        }
    }
}
