//! Whether a text is an IP address. Pure.
//!
//! Most addresses are of version 4, and the lengths of their numbers follow no pattern: asking for
//! one digit after the other would mispredict a branch in every address. So all bytes are looked
//! at together, each in its lane of a number: the lane's highest bit says yes. With the standard
//! library's parser instead, a worker takes 1.6 % more instructions per event, mispredicts three
//! branches more, and takes 2 to 3 % more processor time (benches/instructions.rs).

use std::{net::IpAddr, ops::RangeInclusive};

/// The same byte in every lane.
const fn lanes(byte: u8) -> u128 {
    u128::from_le_bytes([byte; 16])
}

const YES: u128 = lanes(0x80);

/// Lengths of an address of version 4.
const LENGTHS: RangeInclusive<usize> = 7..=15;

/// Whether a text is an IP address of either version.
#[inline]
pub(super) fn is_ip(text: &str) -> bool {
    is_ipv4(text.as_bytes()) || text.parse::<IpAddr>().is_ok()
}

/// Whether a text is four numbers up to 255 with dots between, none with a leading zero.
#[inline]
fn is_ipv4(text: &[u8]) -> bool {
    if !LENGTHS.contains(&text.len()) {
        return false;
    }
    let text_lanes = lanes_of(text);
    if text_lanes & YES != 0 {
        return false;
    }
    // Digits become 0 to 9, everything else more; so do the lanes behind the text.
    let digits = text_lanes ^ lanes(b'0');
    let above = |limit: u8| (digits + lanes(0x7f - limit)) & YES;
    let number = !above(9) & YES;
    let dot = !((text_lanes ^ lanes(b'.')) + lanes(0x7f)) & YES;
    let start = number & !(number << 8);
    // Three dots and nothing else between four numbers: one between each two.
    let numbers_and_dots = count((start >> 7) + (dot >> 3));
    if numbers_and_dots != 4 + (3 << 4) || count(number >> 7) + 3 != text.len() as u64 {
        return false;
    }
    let (second, third, fourth) = (number >> 8, number >> 16, number >> 24);
    let leading_zero = start & second & !above(0);
    let above_255 = above(2) | above(1) & ((above(5) >> 8) | (above(4) >> 8) & (above(5) >> 16));
    (number & second & third & fourth) | leading_zero | (start & second & third & above_255) == 0
}

/// The lanes of a text that can be an address: its first byte is the lowest, behind its end are
/// zeros. NOTE: read at once. Bytes that are copied into an array and read back from there wait for
/// each other: 2 % more processor time of a worker (benches/instructions.rs).
#[inline]
fn lanes_of(text: &[u8]) -> u128 {
    // Where first and last overlap they hold the same bytes at the same place.
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        let last = u128::from(u64::from_le_bytes(*last)) << (8 * (text.len() - 8));
        return u128::from(u64::from_le_bytes(*first)) | last;
    }
    let [first, last] = [text.first_chunk::<4>(), text.last_chunk::<4>()]
        .map(|part| part.map_or(0, |part| u128::from(u32::from_le_bytes(*part))));
    first | last << (8 * text.len().saturating_sub(4))
}

/// The sum of all lanes. A text has at most eight numbers and fifteen dots: it fits into one.
#[inline]
fn count(lanes: u128) -> u64 {
    (lanes as u64 + (lanes >> 64) as u64).wrapping_mul(0x0101_0101_0101_0101) >> 56
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn version_4_is_told_as_the_standard_library_does(text in "[0-9]{0,4}([.][0-9]{0,3}){2,4}") {
            prop_assert_eq!(is_ipv4(text.as_bytes()), text.parse::<Ipv4Addr>().is_ok(), "{}", text);
        }

        #[test]
        fn one_byte_changes_it_as_in_the_standard_library(
            address in any::<Ipv4Addr>(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), b'-'..b';'],
        ) {
            let mut text = address.to_string().into_bytes();
            prop_assert!(is_ipv4(&text));
            *at.get_mut(&mut text) = byte;
            let text = String::from_utf8_lossy(&text);
            let told = text.parse::<Ipv4Addr>().is_ok();
            prop_assert_eq!(is_ipv4(text.as_bytes()), told, "{:?}", text);
        }

        #[test]
        fn any_address_is_one(address in any::<IpAddr>(), end in "[.:0-9a-z]{0,2}") {
            let text = address.to_string();
            prop_assert!(is_ip(&text));
            let longer = text + &end;
            prop_assert_eq!(is_ip(&longer), longer.parse::<IpAddr>().is_ok());
        }
    }

    #[test]
    fn the_lanes_are_the_bytes_with_zeros_behind_them() {
        let text: Vec<u8> = (1..=15).collect();
        for text in LENGTHS.map(|len| &text[..len]) {
            let mut padded = [0; size_of::<u128>()];
            padded[..text.len()].copy_from_slice(text);
            assert_eq!(lanes_of(text), u128::from_le_bytes(padded), "{text:?}");
        }
    }

    #[test]
    fn every_number_up_to_four_digits_is_told_at_every_place() {
        let texts = (0..10_000).map(|number| number.to_string());
        for number in texts.chain((0..1000).map(|number| format!("0{number}"))) {
            for text in
                [format!("{number}.0.0.0"), format!("9.{number}.0.99"), format!("1.1.1.{number}")]
            {
                let told = text.parse::<Ipv4Addr>().is_ok();
                assert_eq!(is_ipv4(text.as_bytes()), told, "{text}");
            }
        }
    }

    #[test]
    fn what_is_nearly_an_address_is_none() {
        for text in [
            "",
            ".",
            "1.2.3",
            "1.2.3.",
            "1.2.3.4.",
            "1.2.3.256",
            "01.2.3.4",
            "1.2.3.00",
            "1..2.3.4",
            ".1.2.3.4",
            "1.2.3.4.5",
            "1.2.3:4",
            "1234.5.6",
            "1.2.3.4\0",
            "1.2.3.é",
        ] {
            assert!(!is_ip(text), "{text}");
        }
        for text in ["0.0.0.0", "255.255.255.255", "199.172.111.135", "::1", "::ffff:1.2.3.4"] {
            assert!(is_ip(text), "{text}");
        }
    }
}
