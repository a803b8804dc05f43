//! Networks of addresses, and the address of a login. Pure.
//!
//! Holds: an address of version 4 that is written as one of version 6 (`::ffff:192.0.2.1`) is one
//! of version 4; a network has no bits behind its prefix.

mod list;
mod public;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

pub use self::{list::NetworkList, public::is_public};

/// Bits of an address of version 4, and of version 6 in front of one that is mapped.
const BITS_V4: u8 = 32;
const BITS_V6: u8 = 128;
const BITS_MAPPED: u8 = BITS_V6 - BITS_V4;

/// The address in the `ip` of a login; `None` when the text is none, such as `unknown`.
pub fn parse_address(ip: &str) -> Option<IpAddr> {
    ip.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// The first address.
    first: IpAddr,
    /// How many bits its addresses share.
    prefix: u8,
}

impl Network {
    /// What a profile knows of an address: its /24, of version 6 its /48. A provider gives a home
    /// or an office one of these, and others inside it from day to day.
    pub fn of_profile(address: IpAddr) -> Self {
        Self::around(address, 24, 48)
    }

    /// What one host is known by to others: the address itself, of version 6 its /64, in which a
    /// host takes a new address as it likes.
    pub fn of_host(address: IpAddr) -> Self {
        Self::around(address, BITS_V4, 64)
    }

    fn around(address: IpAddr, prefix_v4: u8, prefix_v6: u8) -> Self {
        let (first, prefix) = match address.to_canonical() {
            IpAddr::V4(address) => (first_v4(address, prefix_v4).into(), prefix_v4),
            IpAddr::V6(address) => (first_v6(address, prefix_v6).into(), prefix_v6),
        };
        Self { first, prefix }
    }

    /// The first address.
    pub const fn first(self) -> IpAddr {
        self.first
    }

    /// How many bits the addresses share.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the address is in this network.
    pub fn contains(self, address: IpAddr) -> bool {
        Self::around(address, self.prefix, self.prefix) == self
    }
}

fn first_v4(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & !host)
}

fn first_v6(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let host = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & !host)
}

/// Why a text is no network. It says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The part before the slash is no address.
    #[error("expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32")]
    Address,
    /// The part behind the slash is no length of a prefix.
    #[error("expected a prefix from 0 to {longest} behind the slash")]
    Prefix {
        /// Bits of the address.
        longest: u8,
    },
    /// Bits behind the prefix are set.
    #[error("expected no bits behind the prefix; write {meant}, or the address without a slash")]
    HostBits {
        /// The network that the address is in.
        meant: Network,
    },
}

/// An address alone is a network of one address.
impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let longest = if written.is_ipv4() { BITS_V4 } else { BITS_V6 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => parse_prefix(digits)
                .filter(|prefix| *prefix <= longest)
                .ok_or(NetworkError::Prefix { longest })?,
        };
        // A mapped network is one of version 4 when its prefix reaches the address.
        let (address, prefix) = match written.to_canonical() {
            IpAddr::V4(address) if written.is_ipv6() && prefix >= BITS_MAPPED => {
                (address.into(), prefix - BITS_MAPPED)
            }
            _ => (written, prefix),
        };
        let first = match address {
            IpAddr::V4(address) => first_v4(address, prefix).into(),
            IpAddr::V6(address) => first_v6(address, prefix).into(),
        };
        let network = Self { first, prefix };
        if first == address { Ok(network) } else { Err(NetworkError::HostBits { meant: network }) }
    }
}

/// One to three digits.
fn parse_prefix(digits: &str) -> Option<u8> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// The address as text of ones and zeros.
    fn bits(address: IpAddr) -> String {
        match address {
            IpAddr::V4(address) => format!("{:032b}", address.to_bits()),
            IpAddr::V6(address) => format!("{:0128b}", address.to_bits()),
        }
    }

    proptest! {
        #[test]
        fn a_network_keeps_the_first_bits(ip in any::<IpAddr>()) {
            let ip = ip.to_canonical();
            let lengths = if ip.is_ipv4() { (24, 32) } else { (48, 64) };
            for (network, prefix) in
                [(Network::of_profile(ip), lengths.0), (Network::of_host(ip), lengths.1)]
            {
                let (first, whole) = (bits(network.first()), bits(ip));
                prop_assert_eq!(&first[..prefix], &whole[..prefix]);
                prop_assert!(first[prefix..].bytes().all(|bit| bit == b'0'));
                prop_assert_eq!(usize::from(network.prefix()), prefix);
                prop_assert!(network.contains(ip));
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
        }

        #[test]
        fn a_network_holds_what_begins_like_it(
            one in any::<Ipv4Addr>(),
            other in any::<Ipv4Addr>(),
            prefix in 0_usize..=32,
            flipped in 0_usize..32,
        ) {
            let network: Network =
                format!("{}/{prefix}", first_v4(one, prefix as u8)).parse().expect("valid");
            let near = Ipv4Addr::from_bits(one.to_bits() ^ 1 << (31 - flipped));
            for ip in [one, other, near].map(IpAddr::from) {
                let starts = bits(ip).starts_with(&bits(one.into())[..prefix]);
                prop_assert_eq!(network.contains(ip), starts, "{} {}", network, ip);
            }
        }
    }

    #[test]
    fn a_mapped_address_is_one_of_version_4() {
        let mapped = address("::ffff:203.0.113.77");
        assert_eq!(Network::of_profile(mapped).to_string(), "203.0.113.0/24");
        assert_eq!(Network::of_host(mapped).to_string(), "203.0.113.77/32");
        assert_eq!(parse_address("::ffff:203.0.113.77"), Some(address("203.0.113.77")));
        let network: Network = "::ffff:203.0.113.0/120".parse().expect("valid");
        assert_eq!(network, "203.0.113.0/24".parse().expect("valid"));
        assert!(network.contains(mapped));
        assert!(!"::/0".parse::<Network>().expect("valid").contains(mapped));
        assert!("::/0".parse::<Network>().expect("valid").contains(address("2001:db8::1")));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", "unknown", "192.0.2", "192.0.2.1 ", "192.0.2.1:80", "fe80::1%eth0"] {
            assert_eq!(parse_address(text), None, "{text}");
        }
        assert_eq!(parse_address("2001:DB8::1"), Some(address("2001:db8::1")));
    }

    #[test]
    fn a_wrong_network_says_what_was_expected() {
        for (text, expected) in [
            ("office", "expected an address or a network"),
            ("192.0.2/24", "expected an address or a network"),
            ("192.0.2.0/33", "expected a prefix from 0 to 32"),
            ("192.0.2.0/", "expected a prefix from 0 to 32"),
            ("192.0.2.0/+8", "expected a prefix from 0 to 32"),
            ("2001:db8::/129", "expected a prefix from 0 to 128"),
            ("192.0.2.7/24", "write 192.0.2.0/24"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
            ("::ffff:192.0.2.0/90", "expected no bits behind the prefix"),
        ] {
            let error = text.parse::<Network>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::1", "::1/128"),
            ("2001:db8:0:0::/32", "2001:db8::/32"),
        ] {
            assert_eq!(text.parse::<Network>().expect("valid").to_string(), shown);
        }
    }
}
