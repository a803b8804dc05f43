//! The logins of attackers.
//!
//! In:  the world, the attacker, the event or the campaign. Out: a login in a victim's name.
//! Holds: an attacker knows of the victim what its description says, and nothing else.

use super::{
    super::{
        event::{Address, DeviceId, Login},
        rng::{Draw, Purpose, uuid_text},
        states::{self, STATES},
    },
    campaigns::{Campaigns, Place},
    label::Attacker,
    network::{Owner, host},
    person::{Person, type_name},
    world::World,
};

/// Networks from which attackers come who do not hide among homes.
const HOSTING_NETWORKS: u64 = 5_000;

/// Tells the numbers of a campaign's victim from those of the login itself.
const VICTIM: u64 = 1 << 40;

/// One login of an attacker who comes alone.
pub(super) fn alone(world: &World, attacker: Attacker, mut draw: Draw, time_ms: i64) -> Login<'_> {
    let draw = &mut draw;
    match attacker {
        Attacker::Naive => {
            let victim = world.victim(draw, time_ms);
            let state = draw.below(STATES.len() as u64) as usize;
            let address = hosting(world, state, draw);
            let device_type = type_name(draw.one_in(2));
            let version = world.releases.any(time_ms, draw);
            world.login(
                victim.user,
                any_device(draw),
                device_type,
                version,
                (state, address),
                time_ms,
            )
        }
        Attacker::Vpn => {
            let victim = world.victim(draw, time_ms);
            let address = hosting(world, victim.state, draw);
            let device_type = type_name(draw.one_in(2));
            let version = world.releases.any(time_ms, draw);
            let place = (victim.state, address);
            world.login(victim.user, any_device(draw), device_type, version, place, time_ms)
        }
        Attacker::StolenDevice => {
            let victim = world.victim_with_device(draw, time_ms);
            let device = world.people().device(&victim, 0, time_ms);
            let other_type = type_name(device.type_name != "iOS");
            let version = world.version(&device, time_ms);
            let place = (victim.state, another_home(world, &victim, time_ms, draw));
            world.login(victim.user, device.id, other_type, version, place, time_ms)
        }
        _ => {
            let victim = world.victim(draw, time_ms);
            let place = (victim.state, another_home(world, &victim, time_ms, draw));
            usual_client(world, victim.user, place, time_ms, draw)
        }
    }
}

/// A login into the account of somebody who was long away, from another state.
pub(super) fn dormant(world: &World, user: u64, mut draw: Draw, time_ms: i64) -> Login<'_> {
    let home = world.people().person(user).state;
    let state = states::draw_other(home, &mut draw);
    let address = hosting(world, state, &mut draw);
    usual_client(world, user, (state, address), time_ms, &mut draw)
}

/// A login of a campaign.
pub(super) fn in_campaign<'a>(
    world: &'a World,
    campaigns: &Campaigns,
    place: Place,
    time_ms: i64,
) -> Login<'a> {
    match campaigns.attacker {
        Attacker::Rotation => rotation(world, campaigns, place, time_ms),
        Attacker::Burst => burst(world, campaigns, place, time_ms),
        _ => stuffing(world, campaigns, place, time_ms),
    }
}

/// One user, and another device with each login.
fn rotation<'a>(world: &'a World, campaigns: &Campaigns, place: Place, time_ms: i64) -> Login<'a> {
    let mut common = campaigns.draw(place.campaign, Purpose::Attack);
    let victim = world.victim(&mut common, place.start_ms);
    let address = another_home(world, &victim, place.start_ms, &mut common);
    let mut draw = campaigns.draw_login(place.campaign, place.login);
    usual_client(world, victim.user, (victim.state, address), time_ms, &mut draw)
}

/// One user with the known device at home.
fn burst<'a>(world: &'a World, campaigns: &Campaigns, place: Place, time_ms: i64) -> Login<'a> {
    let mut common = campaigns.draw(place.campaign, Purpose::Attack);
    let victim = world.victim_with_device(&mut common, place.start_ms);
    let device = world.people().device(&victim, 0, place.start_ms);
    let (address, _) = world.home(&victim, place.start_ms);
    let version = world.version(&device, place.start_ms);
    let from = (victim.state, address);
    world.login(victim.user, device.id, device.type_name, version, from, time_ms)
}

/// Many users, with one address, one client or one device.
fn stuffing<'a>(world: &'a World, campaigns: &Campaigns, place: Place, time_ms: i64) -> Login<'a> {
    let mut common = campaigns.draw(place.campaign, Purpose::Attack);
    let state = states::draw(&mut common);
    let address = hosting(world, state, &mut common);
    let device = any_device(&mut common);
    let client = type_name(common.one_in(2));
    let second_logins = world.parameters().stuffing.second_logins;
    let mut draw = campaigns.draw_login(place.campaign, place.login);
    // Of two logins in a row, the second one may be into the same account again.
    let is_second = place.login % 2 == 1 && draw.unit() < second_logins;
    let first = place.login - u64::from(is_second);
    let mut of_victim = campaigns.draw_login(place.campaign, VICTIM | first);
    let user = world.victim(&mut of_victim, place.start_ms).user;
    let version = world.releases.usual(place.start_ms);
    match campaigns.attacker {
        Attacker::StuffingOneIp => usual_client(world, user, (state, address), time_ms, &mut draw),
        Attacker::StuffingOneDevice => {
            let state = states::draw(&mut draw);
            let from = (state, hosting(world, state, &mut draw));
            world.login(user, device, client, version, from, time_ms)
        }
        _ => {
            let state = states::draw(&mut draw);
            let from = (state, world.networks.any_home(state, address, &mut draw));
            world.login(user, any_device(&mut draw), client, version, from, time_ms)
        }
    }
}

/// A login with a new device of the usual kind.
fn usual_client<'a>(
    world: &'a World,
    user: u64,
    place: (usize, Address),
    time_ms: i64,
    draw: &mut Draw,
) -> Login<'a> {
    let device_type = type_name(world.parameters().devices.share_ios >= 0.5);
    let version = world.releases.usual(time_ms);
    world.login(user, any_device(draw), device_type, version, place, time_ms)
}

fn any_device<'a>(draw: &mut Draw) -> DeviceId<'a> {
    DeviceId::Uuid(uuid_text(draw.number(), draw.number()))
}

fn hosting(world: &World, state: usize, draw: &mut Draw) -> Address {
    let (index, host) = (draw.below(HOSTING_NETWORKS), host(draw));
    world.networks.address(Owner::Hosting, state, index, host)
}

/// Somebody else's home in the victim's state.
fn another_home(world: &World, victim: &Person, time_ms: i64, draw: &mut Draw) -> Address {
    let (home, _) = world.home(victim, time_ms);
    world.networks.any_home(victim.state, home, draw)
}
