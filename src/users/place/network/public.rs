//! Which addresses can have a place. Pure.
//!
//! IANA's registries of special-purpose addresses say which ones are not of one host in the
//! internet: <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{first_v4, first_v6};

/// Ranges of version 4 that have no place.
const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    // This network.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Private; three ranges.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Inside of a carrier's address translation.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // IETF protocol assignments.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation; three ranges.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays between the versions, given up.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Global unicast of version 6: everything else is local, multicast or not given out.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Ranges of it that have no place.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    // IETF protocol assignments, Teredo's tunnels among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation; two ranges.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // Tunnels that carry version 6 over version 4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Whether the address can be of one host in the internet: what is private, shared behind a
/// carrier's address translation, for documentation or otherwise special has no place.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            SPECIAL_V4.iter().all(|(first, prefix)| first_v4(address, *prefix) != *first)
        }
        IpAddr::V6(address) => {
            let is_in = |(first, prefix): (Ipv6Addr, u8)| first_v6(address, prefix) == first;
            is_in(GLOBAL_V6) && !SPECIAL_V6.into_iter().any(is_in)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_the_standard_library_knows_as_special_is_not_public(
            high in any::<u8>(),
            next in any::<u8>(),
            low in any::<u16>(),
        ) {
            let [third, fourth] = low.to_be_bytes();
            let address = Ipv4Addr::new(high, next, third, fourth);
            let is_special = address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_documentation()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_unspecified();
            prop_assert!(!(is_special && is_public(address.into())), "{}", address);
            prop_assert_eq!(
                is_public(address.into()),
                is_public(address.to_ipv6_mapped().into()),
                "{}",
                address
            );
        }
    }

    #[test]
    fn every_range_ends_where_the_registry_says() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            let [first, last] = [first, last].map(|end| end.parse::<Ipv4Addr>().expect("valid"));
            assert!(!is_public(first.into()) && !is_public(last.into()), "{first} {last}");
            if let Some(before) = first.to_bits().checked_sub(1) {
                assert!(is_public(Ipv4Addr::from_bits(before).into()), "before {first}");
            }
            if let Some(after) = last.to_bits().checked_add(1) {
                assert!(is_public(Ipv4Addr::from_bits(after).into()), "behind {last}");
            }
        }
    }

    #[test]
    fn version_6_is_public_where_it_is_given_out() {
        for text in ["2001:200::1", "2600::1", "2a02:2e0::1", "3ffe::1", "2003::1"] {
            assert!(is_public(text.parse().expect("valid")), "{text}");
        }
        for text in [
            "::",
            "::1",
            "::192.0.2.1",
            "64:ff9b::808:808",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8:ffff::1",
            "2002:808:808::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(text.parse().expect("valid")), "{text}");
        }
        assert!(is_public("::ffff:8.8.8.8".parse().expect("valid")));
    }
}
