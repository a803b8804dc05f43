//! The users of a population at their times: who is awake, where from, and with what.
//!
//! In:  the parameters, the plan, a time. Out: people, their places and devices.
//! Holds: everything is a function of the seed and its arguments.

use std::sync::Arc;

use rand_distr::{Distribution as _, Zipf};

use super::{
    super::{
        event::{Address, DeviceId, Login, user_id},
        rng::{Draw, Purpose, mix},
        states,
    },
    clock::{Clock, local_time},
    dormancy::Dormancy,
    file::PopulationFile,
    network::{Networks, Owner},
    parameters::Parameters,
    person::{Device, People, Person},
    releases::Releases,
    timeline::{Generation, Whereabouts},
};

/// Users that are tried until one logs in; at the quietest time, about one in seven does.
const TRIES: usize = 256;

/// Everything that does not depend on the event.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) users: u64,
    pub(super) activity: Zipf<f64>,
    pub(super) file: Arc<PopulationFile>,
    pub(super) clock: Clock,
    pub(super) networks: Networks,
    pub(super) releases: Releases,
    pub(super) dormancy: Dormancy,
}

/// An exit of the VPN that a user has on.
pub(super) struct Exit {
    pub(super) state: usize,
    pub(super) address: Address,
}

impl World {
    pub(super) fn parameters(&self) -> &Parameters {
        &self.file.parameters
    }

    pub(super) fn people(&self) -> People<'_> {
        People { seed: self.seed, users: self.users, parameters: self.parameters() }
    }

    /// A user who logs in at a time, and where the user then is.
    pub(super) fn visitor(&self, draw: &mut Draw, time_ms: i64) -> (Person, Whereabouts) {
        for _ in 0..TRIES {
            let person = self.people().person(self.activity.sample(draw) as u64);
            if draw.unit() < self.clock.likelihood(person.state, time_ms)
                && let Some(whereabouts) = self.whereabouts(&person, time_ms)
            {
                return (person, whereabouts);
            }
        }
        let anybody = (1..=self.users).find_map(|user| {
            let person = self.people().person(user);
            self.whereabouts(&person, time_ms).map(|whereabouts| (person, whereabouts))
        });
        anybody.unwrap_or_else(|| (self.people().person(1), Whereabouts::AtHome))
    }

    /// Where a user is; `None` for one who does not log in there.
    fn whereabouts(&self, person: &Person, time_ms: i64) -> Option<Whereabouts> {
        if self.dormancy.is_away(&self.clock, person.user, time_ms) {
            return None;
        }
        if !person.travels {
            return Some(Whereabouts::AtHome);
        }
        let travel = &self.parameters().travel;
        match Whereabouts::at(self.seed, person.user, travel, time_ms) {
            Whereabouts::OnTheWay => None,
            elsewhere => Some(elsewhere),
        }
    }

    /// Somebody to attack, who is not away.
    pub(super) fn victim(&self, draw: &mut Draw, time_ms: i64) -> Person {
        let by_activity = self.parameters().victims.by_activity;
        let mut user = 1;
        for _ in 0..TRIES {
            user = if draw.unit() < by_activity {
                self.activity.sample(draw) as u64
            } else {
                1 + draw.below(self.users)
            };
            if !self.dormancy.is_away(&self.clock, user, time_ms) {
                break;
            }
        }
        self.people().person(user)
    }

    /// The same, whose devices have ids.
    pub(super) fn victim_with_device(&self, draw: &mut Draw, time_ms: i64) -> Person {
        let mut victim = self.victim(draw, time_ms);
        for _ in 0..TRIES {
            if victim.placeholder.is_none() {
                break;
            }
            victim = self.victim(draw, time_ms);
        }
        victim
    }

    /// A person's home at a time.
    pub(super) fn home(&self, person: &Person, time_ms: i64) -> (Address, Generation) {
        self.networks.home(person.home, person.state, time_ms)
    }

    /// The address at a person's work, on a weekday at the time of work.
    pub(super) fn work(&self, person: &Person, time_ms: i64) -> Option<Address> {
        let (of, local) = (&self.parameters().work, local_time(person.state, time_ms));
        let is_time = local.is_weekday() && (of.from_hour..of.to_hour).contains(&local.hour);
        (person.has_work && is_time).then(|| {
            let mut own = Draw::new(self.seed, mix(person.choice), Purpose::Network);
            self.networks.work(person.state, &mut own)
        })
    }

    /// The exit of a person's VPN on a day, if it is on.
    pub(super) fn exit(&self, person: &Person, day: i64) -> Option<Exit> {
        let of = &self.parameters().vpn;
        let mut of_day = Draw::new(self.seed, person.choice ^ mix(day as u64), Purpose::Day);
        if !person.has_vpn || of_day.unit() >= of.share_of_days {
            return None;
        }
        let which = of_day.below(of.exits_per_user);
        let mut own = Draw::new(self.seed, mix(person.choice) ^ which, Purpose::Exit);
        let (mut exit, mut state) = (0, person.state);
        for _ in 0..TRIES {
            exit = own.below(of.exits);
            state = states::draw(&mut Draw::new(self.seed, exit, Purpose::Exit));
            if state != person.state {
                break;
            }
        }
        let host = 1 + of_day.below(8) as u8;
        Some(Exit { state, address: self.networks.address(Owner::Vpn, state, exit, host) })
    }

    /// The version on a device.
    pub(super) fn version(&self, device: &Device<'_>, time_ms: i64) -> &str {
        self.releases.on_device(device.number, device.generation.since_ms, time_ms)
    }

    /// A login of a user.
    pub(super) fn login<'a>(
        &self,
        user: u64,
        device: DeviceId<'a>,
        device_type: &'static str,
        app_version: &'a str,
        place: (usize, Address),
        time_ms: i64,
    ) -> Login<'a> {
        Login {
            user: user_id(self.seed, user),
            app_version,
            device,
            device_type: Some(device_type),
            locale: place.0 as u32,
            ip: place.1,
            time_ms,
        }
    }
}
