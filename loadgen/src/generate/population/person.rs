//! The users of a population: where each lives, and what each has.
//!
//! In:  a user's number. Out: a person; the person's devices at a time.
//! Holds: a person is a function of the seed, the parameters and the number.

use super::{
    super::{
        event::DeviceId,
        rng::{Draw, Purpose, mix, uuid_text},
        states,
    },
    parameters::Parameters,
    timeline::Generation,
};

/// Users in a group that may have a tablet in common.
const GROUP: u64 = 8;

/// Mean number of users in a group who have the tablet: 2 to 8 are equally likely.
const MEAN_SHARERS: f64 = 5.0;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct Person {
    /// From 1; the busiest is the first.
    pub(super) user: u64,
    /// Whose home it is: the user's own, or that of the first one with the common tablet.
    pub(super) home: u64,
    /// An index of the states.
    pub(super) state: usize,
    pub(super) devices: u64,
    pub(super) has_ios: bool,
    pub(super) has_work: bool,
    pub(super) travels: bool,
    pub(super) has_vpn: bool,
    /// Index of the placeholder that the app sends.
    pub(super) placeholder: Option<usize>,
    /// The group that has a tablet in common.
    pub(super) tablet: Option<u64>,
    /// Numbers of the user's own, for everything that is the user's choice once.
    pub(super) choice: u64,
}

/// A device at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device<'a> {
    pub(super) id: DeviceId<'a>,
    pub(super) type_name: &'static str,
    /// A number that stands for it.
    pub(super) number: u64,
    pub(super) generation: Generation,
}

/// All users.
pub(super) struct People<'a> {
    pub(super) seed: u64,
    pub(super) users: u64,
    pub(super) parameters: &'a Parameters,
}

impl<'a> People<'a> {
    /// User number `user`, from 1.
    pub(super) fn person(&self, user: u64) -> Person {
        let of = self.parameters;
        let tablet = self.tablet_group(user);
        let home = tablet.map_or(user, |group| group + 1);
        let state = states::draw(&mut Draw::new(self.seed, home, Purpose::Home));
        let mut draw = Draw::new(self.seed, user, Purpose::Person);
        let devices = draw.unit();
        let three = of.devices.share_with_three;
        let devices = match devices {
            unit if unit < three => 3,
            unit if unit < three + of.devices.share_with_two => 2,
            _ => 1,
        };
        let has_ios = draw.unit() < of.devices.share_ios;
        let has_work = draw.unit() < of.work.share_of_users;
        let travels = draw.unit() < of.travel.share_of_users;
        let has_vpn = draw.unit() < of.vpn.share_of_users;
        let is_nameless = draw.unit() < of.placeholders.share_of_users;
        let placeholder = draw.below(of.placeholders.device_ids.len() as u64) as usize;
        Person {
            user,
            home,
            state,
            devices,
            has_ios,
            has_work,
            travels,
            has_vpn,
            placeholder: is_nameless.then_some(placeholder),
            tablet,
            choice: draw.number(),
        }
    }

    /// One of a person's devices, from 0.
    pub(super) fn device(&self, person: &Person, number: u64, time_ms: i64) -> Device<'a> {
        let of: &'a Parameters = self.parameters;
        let thing = mix(person.user) ^ number;
        let per_year = of.devices.replaced_per_year;
        let generation =
            Generation::at(self.seed, Purpose::DeviceReplaced, thing, per_year, time_ms);
        let key = mix(mix(thing) ^ generation.number as u64);
        let mut draw = Draw::new(self.seed, key, Purpose::OwnDevice);
        let id = uuid_text(draw.number(), draw.number());
        let is_same = number == 0 || draw.unit() < of.devices.same_type;
        let id = person.placeholder.map_or(DeviceId::Uuid(id), |index| {
            DeviceId::Placeholder(&of.placeholders.device_ids[index])
        });
        let type_name = type_name(person.has_ios == is_same);
        Device { id, type_name, number: key, generation }
    }

    /// The tablet of a group.
    pub(super) fn tablet(&self, group: u64) -> Device<'a> {
        let mut draw = Draw::new(self.seed, mix(group), Purpose::Tablet);
        let id = uuid_text(draw.number(), draw.number());
        Device {
            id: DeviceId::Uuid(id),
            type_name: type_name(draw.unit() < self.parameters.devices.share_ios),
            number: mix(mix(group)),
            generation: Generation { number: 0, since_ms: i64::MIN },
        }
    }

    /// The group with whose tablet a user logs in. A group's members are far apart in the order of
    /// the users, so that they are not all busy or all idle.
    fn tablet_group(&self, user: u64) -> Option<u64> {
        let groups = self.users.div_ceil(GROUP);
        let (member, group) = ((user - 1) / groups, (user - 1) % groups);
        let mut draw = Draw::new(self.seed, group, Purpose::Tablet);
        let share = self.parameters.tablets.share_of_users * GROUP as f64 / MEAN_SHARERS;
        let has_tablet = draw.unit() < share;
        let sharers = 2 + draw.below(GROUP - 1);
        (has_tablet && member < sharers).then_some(group)
    }
}

/// The name of a device's type.
pub(super) fn type_name(is_ios: bool) -> &'static str {
    if is_ios { "iOS" } else { "android" }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::generate::population::file::PopulationFile;

    const USERS: u64 = 40_000;

    fn share_of(count: usize, expected: f64, what: &str) {
        let users = USERS as f64;
        let tolerance = 5.0 * (expected * (1.0 - expected) / users).sqrt();
        let found = count as f64 / users;
        assert!((found - expected).abs() < tolerance, "{what}: {found}, not {expected}");
    }

    #[test]
    fn people_are_as_the_parameters_say() {
        let file = PopulationFile::read("default").expect("valid");
        let of = &file.parameters;
        let people = People { seed: 5, users: USERS, parameters: of };
        let all: Vec<Person> = (1..=USERS).map(|user| people.person(user)).collect();
        let count = |has: &dyn Fn(&Person) -> bool| all.iter().filter(|one| has(one)).count();
        share_of(count(&|one| one.devices == 2), of.devices.share_with_two, "two devices");
        share_of(count(&|one| one.devices == 3), of.devices.share_with_three, "three devices");
        share_of(count(&|one| one.has_ios), of.devices.share_ios, "iOS");
        share_of(count(&|one| one.has_work), of.work.share_of_users, "work");
        share_of(count(&|one| one.travels), of.travel.share_of_users, "travellers");
        share_of(count(&|one| one.has_vpn), of.vpn.share_of_users, "VPN");
        let nameless = of.placeholders.share_of_users;
        share_of(count(&|one| one.placeholder.is_some()), nameless, "placeholders");
        // Members of one group are not independent: the tolerance is that of the groups, thrice.
        let sharers = count(&|one| one.tablet.is_some()) as f64 / USERS as f64;
        assert!((sharers - of.tablets.share_of_users).abs() < 0.01, "tablets: {sharers}");
        assert_eq!(people.person(17), all[16], "the same again");
    }

    #[test]
    fn a_tablet_has_two_to_eight_users_in_one_home() {
        let file = PopulationFile::read("default").expect("valid");
        let people = People { seed: 5, users: USERS, parameters: &file.parameters };
        let mut groups: HashMap<u64, Vec<Person>> = HashMap::new();
        for person in (1..=USERS).map(|user| people.person(user)) {
            if let Some(group) = person.tablet {
                groups.entry(group).or_default().push(person);
            }
        }
        assert!(groups.len() > 100);
        for members in groups.values() {
            assert!((2..=8).contains(&members.len()));
            assert!(members.iter().all(|one| one.home == members[0].home));
            assert!(members.iter().all(|one| one.state == members[0].state));
        }
    }

    #[test]
    fn a_device_keeps_its_type_and_is_replaced() {
        let file = PopulationFile::read("default").expect("valid");
        let people = People { seed: 5, users: USERS, parameters: &file.parameters };
        let mut types = HashMap::new();
        for user in 1..2_000 {
            let person = people.person(user);
            for year in 53..56_i64 {
                let time_ms = year * 31_557_600_000;
                for number in 0..person.devices {
                    let device = people.device(&person, number, time_ms);
                    assert_eq!(device, people.device(&person, number, time_ms));
                    if let DeviceId::Uuid(id) = device.id {
                        let known = types.entry(id).or_insert(device.type_name);
                        assert_eq!(*known, device.type_name);
                    }
                    assert_eq!(
                        number == 0 && person.has_ios,
                        number == 0 && device.type_name == "iOS"
                    );
                }
            }
        }
        // 1999 users have 1.65 devices on average; 0.8 of each are replaced in two years.
        assert!((5_000..7_200).contains(&types.len()), "{}", types.len());
    }
}
