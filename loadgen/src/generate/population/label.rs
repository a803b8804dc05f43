//! What is known about an event that the event itself does not say.

use super::super::rng::UuidText;

/// Who made an attack's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attacker {
    Naive,
    Vpn,
    Targeted,
    StolenDevice,
    StuffingOneIp,
    StuffingManyIps,
    StuffingOneDevice,
    Rotation,
    Burst,
    Dormant,
}

impl Attacker {
    /// Its name in the labels and in the population's file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Vpn => "vpn",
            Self::Targeted => "targeted",
            Self::StolenDevice => "stolen_device",
            Self::StuffingOneIp => "stuffing_one_ip",
            Self::StuffingManyIps => "stuffing_many_ips",
            Self::StuffingOneDevice => "stuffing_one_device",
            Self::Rotation => "rotation",
            Self::Burst => "burst",
            Self::Dormant => "dormant",
        }
    }
}

/// Why the user's own login may look like an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The user is on a trip.
    Trip,
    /// The user's VPN is on, today or yesterday.
    Vpn,
    /// The device is new.
    NewDevice,
    /// The home has moved to another network.
    NewHome,
    /// The device is a tablet that others use too.
    SharedTablet,
}

impl Cause {
    /// Its name in the labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trip => "trip",
            Self::Vpn => "vpn",
            Self::NewDevice => "new_device",
            Self::NewHome => "new_home",
            Self::SharedTablet => "shared_tablet",
        }
    }
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mark {
    /// Somebody else logs in as the user.
    Attack {
        attacker: Attacker,
        /// The number of the campaign among those of this attacker.
        campaign: Option<u64>,
    },
    /// The user logs in, in an unusual way.
    Benign(Cause),
}

/// The label of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) user: UuidText,
    pub(crate) mark: Mark,
}
