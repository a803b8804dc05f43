//! The networks that logins come from.
//!
//! In:  the owner of a network, its state and number. Out: addresses that look public.
//! Holds: networks of different owners are different; the same network always has the same prefix.

use super::{
    super::{
        event::Address,
        rng::{Draw, Purpose, mix},
        states,
    },
    clock::DAY_MS,
    parameters::{Home, Mobile, Parameters, Work},
    timeline::Generation,
};

/// Who owns a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Home,
    Work,
    Mobile,
    Hotel,
    Vpn,
    Hosting,
}

impl Owner {
    /// The first bytes of its addresses: the first one, and how many.
    fn first_bytes(self) -> (u8, u8) {
        match self {
            Self::Home => (24, 44),
            Self::Work => (68, 9),
            Self::Mobile => (77, 8),
            Self::Hotel => (85, 4),
            Self::Vpn => (89, 4),
            Self::Hosting => (101, 9),
        }
    }

    /// The owner of an address; `None` for IPv6, which only homes have.
    #[cfg(test)]
    pub(super) fn of(address: [u8; 4]) -> Option<Self> {
        let all = [Self::Home, Self::Work, Self::Mobile, Self::Hotel, Self::Vpn, Self::Hosting];
        all.into_iter().find(|owner| {
            let (first, count) = owner.first_bytes();
            (first..first + count).contains(&address[0])
        })
    }
}

/// Users who share a network at home, at work or of a carrier are in one of so many networks.
pub(super) struct Networks {
    seed: u64,
    users: f64,
    home: Home,
    work: Work,
    mobile: Mobile,
}

impl Networks {
    pub(super) fn new(seed: u64, users: u64, parameters: &Parameters) -> Self {
        Self {
            seed,
            users: users as f64,
            home: parameters.home.clone(),
            work: parameters.work.clone(),
            mobile: parameters.mobile.clone(),
        }
    }

    /// An address of network number `index` of an owner in a state.
    pub(super) fn address(&self, owner: Owner, state: usize, index: u64, host: u8) -> Address {
        let place = ((owner as u64) << 56) | ((state as u64) << 48) | index;
        let bits = Draw::new(self.seed, place, Purpose::Network).number();
        let (first, count) = owner.first_bytes();
        let [second, third, scatter, ..] = bits.to_le_bytes();
        Address::V4([first + scatter % count, second, third, host])
    }

    /// The home of a user (or of the family's first one) at a time, and since when it is there.
    pub(super) fn home(&self, user: u64, state: usize, time_ms: i64) -> (Address, Generation) {
        let per_year = self.home.moves_per_year;
        let moved = Generation::at(self.seed, Purpose::HomeMoved, user, per_year, time_ms);
        let thing = mix(mix(user) ^ moved.number as u64);
        let mut draw = Draw::new(self.seed, thing, Purpose::Home);
        let index = draw.below(self.homes(state));
        if self.has_ipv6(user) {
            let day = time_ms.div_euclid(DAY_MS as i64) as u64;
            let mut of_day = Draw::new(self.seed, thing ^ day, Purpose::HomeAddress);
            return (Address::V6(ipv6(draw.number(), of_day.number())), moved);
        }
        let lease = (time_ms as f64 / (self.home.address_days * DAY_MS)).floor() as i64;
        let mut of_lease = Draw::new(self.seed, thing ^ lease as u64, Purpose::HomeAddress);
        (self.address(Owner::Home, state, index, host(&mut of_lease)), moved)
    }

    /// Whether a user's home has IPv6, before and after a move.
    pub(super) fn has_ipv6(&self, user: u64) -> bool {
        Draw::new(self.seed, user, Purpose::HomeAddress).unit() < self.home.share_ipv6
    }

    /// The address at a user's work; `draw` is the user's own.
    pub(super) fn work(&self, state: usize, draw: &mut Draw) -> Address {
        let users = self.users * states::share(state) * self.work.share_of_users;
        let networks = (users / self.work.users_per_network as f64).ceil().max(1.0);
        let index = draw.below(networks as u64);
        self.address(Owner::Work, state, index, 10 + draw.below(2) as u8)
    }

    /// The address of a login through a carrier; `number` is the user's own, `draw` the login's.
    pub(super) fn mobile(&self, state: usize, number: u64, draw: &mut Draw) -> Address {
        let users = self.users * states::share(state);
        let networks = (users / self.mobile.users_per_network as f64).ceil().max(1.0) as u64;
        let usual = number % networks;
        let other = draw.below(networks);
        let index = if draw.unit() < self.mobile.other_network { other } else { usual };
        self.address(Owner::Mobile, state, index, host(draw))
    }

    /// Any home of a state, other than that of `not`.
    pub(super) fn any_home(&self, state: usize, not: Address, draw: &mut Draw) -> Address {
        let homes = self.homes(state);
        let (index, host) = (draw.below(homes), host(draw));
        let found = self.address(Owner::Home, state, index, host);
        if found.is_in_network_of(not) {
            // A state has at least two networks of homes.
            return self.address(Owner::Home, state, (index + 1) % homes, host);
        }
        found
    }

    /// Networks of the homes in a state.
    fn homes(&self, state: usize) -> u64 {
        let users = self.users * states::share(state);
        (users / self.home.users_per_network as f64).ceil().max(16.0) as u64
    }
}

/// The last byte of an address.
pub(super) fn host(draw: &mut Draw) -> u8 {
    1 + draw.below(254) as u8
}

/// A /64 and an interface id in it. No group has leading zeros, so the text has one form only.
fn ipv6(prefix: u64, interface: u64) -> [u16; 8] {
    std::array::from_fn(|group| {
        let of = if group < 4 { prefix } else { interface };
        let bits = (of >> (16 * (group % 4))) as u16;
        if group == 0 { 0x2601 } else { bits | 0x1000 }
    })
}
