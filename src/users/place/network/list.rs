//! A list of networks that an operator names in a file.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::{
    super::lists::{self, ListError},
    Network,
};

/// Networks, each on a line: `192.0.2.0/24` or an address alone. `#` begins a comment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkList {
    v4: Ranges<Ipv4Addr>,
    v6: Ranges<Ipv6Addr>,
}

impl NetworkList {
    /// Reads the list in a file.
    ///
    /// # Errors
    /// What was expected, and in which line; it follows the setting's name and the path.
    pub fn read(path: &Path) -> Result<Self, ListError> {
        Self::parse(&lists::read(path)?)
    }

    /// Reads the list in a text.
    ///
    /// # Errors
    /// The first line that is no network.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let mut networks = Vec::new();
        for (line, entry) in lists::entries(text) {
            let entry = entry.split('#').next().unwrap_or(entry).trim_end();
            networks.push(entry.parse().map_err(|reason| ListError::network(line, entry, reason))?);
        }
        Ok(networks.into_iter().collect())
    }

    /// Whether a network of the list holds the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contain(address),
            IpAddr::V6(address) => self.v6.contain(address),
        }
    }

    /// Whether the list has no network.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }
}

impl FromIterator<Network> for NetworkList {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            // The bits behind the prefix are set in the last address.
            match network.first() {
                IpAddr::V4(first) => {
                    let host = u32::MAX.checked_shr(u32::from(network.prefix())).unwrap_or(0);
                    v4.push((first, Ipv4Addr::from_bits(first.to_bits() | host)));
                }
                IpAddr::V6(first) => {
                    let host = u128::MAX.checked_shr(u32::from(network.prefix())).unwrap_or(0);
                    v6.push((first, Ipv6Addr::from_bits(first.to_bits() | host)));
                }
            }
        }
        Self { v4: Ranges::new(v4), v6: Ranges::new(v6) }
    }
}

/// Ranges with their first and last address, in order, none within or over another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ranges<A>(Vec<(A, A)>);

impl<A> Default for Ranges<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: Ord + Copy> Ranges<A> {
    fn new(mut ranges: Vec<(A, A)>) -> Self {
        ranges.sort_unstable();
        let mut apart: Vec<(A, A)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        apart.shrink_to_fit();
        Self(apart)
    }

    fn contain(&self, address: A) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= address);
        behind > 0 && address <= self.0[behind - 1].1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Networks near each other, so that they meet and overlap.
    fn any_network() -> impl Strategy<Value = Network> {
        let v4 = (0_u32..1024, 20_u8..=32).prop_map(|(low, prefix)| (low << 4, prefix));
        let v4 = v4.prop_map(|(bits, prefix)| {
            super::super::first_v4(Ipv4Addr::from_bits(bits), prefix).to_string()
                + &format!("/{prefix}")
        });
        let v6 = (0_u128..64, 120_u8..=128).prop_map(|(low, prefix)| {
            super::super::first_v6(Ipv6Addr::from_bits(low << 2), prefix).to_string()
                + &format!("/{prefix}")
        });
        prop_oneof![v4, v6].prop_map(|text| text.parse().expect("valid"))
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0_u32..1 << 14).prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
            (0_u32..1 << 14).prop_map(|bits| Ipv4Addr::from_bits(bits).to_ipv6_mapped().into()),
            (0_u128..256).prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        ]
    }

    proptest! {
        #[test]
        fn a_list_holds_what_one_of_its_networks_holds(
            networks in prop::collection::vec(any_network(), 0..12),
            addresses in prop::collection::vec(any_address(), 64),
        ) {
            let lines: Vec<String> = networks.iter().map(Network::to_string).collect();
            let list = NetworkList::parse(&lines.join("\n")).expect("valid");
            for address in addresses {
                let naive = networks.iter().any(|network| network.contains(address));
                prop_assert_eq!(list.contains(address), naive, "{}", address);
            }
            prop_assert_eq!(list.is_empty(), networks.is_empty());
        }
    }

    #[test]
    fn comments_blanks_and_addresses_are_read() {
        let text = "# offices\r\n\r\n  192.0.2.0/24  # Berlin\n2001:db8::/32\n\t198.51.100.7\n#end";
        let list = NetworkList::parse(text).expect("valid");
        for (address, is_in) in [
            ("192.0.2.200", true),
            ("192.0.3.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
            ("::ffff:192.0.2.1", true),
        ] {
            assert_eq!(list.contains(address.parse().expect("valid")), is_in, "{address}");
        }
    }

    #[test]
    fn a_wrong_line_is_named_with_the_remedy() {
        let text = "192.0.2.0/24\n\n# a comment\n198.51.100.7/24 # host bits\n";
        let error = NetworkList::parse(text).expect_err("host bits").to_string();
        assert_eq!(
            error,
            "line 4 has '198.51.100.7/24': expected no bits behind the prefix; write \
             198.51.100.0/24, or the address without a slash"
        );
    }
}
