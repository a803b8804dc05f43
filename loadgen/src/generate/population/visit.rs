//! The logins of the users themselves.
//!
//! In:  the world, an event's number and time. Out: a login, and why it may look unusual.
//! Holds: at any time a user is in one state, at home or on a trip; only a VPN says otherwise.

use super::{
    super::{
        event::{Address, Login},
        rng::{Draw, Purpose},
        states,
    },
    clock::{DAY_MS, local_time},
    label::Cause,
    network::{Owner, host},
    person::{Device, Person},
    timeline::{Generation, Whereabouts},
    world::World,
};

/// Where a login comes from.
struct Origin {
    state: usize,
    address: Address,
    cause: Option<Cause>,
}

/// The login that a user makes with event `event_no`.
pub(super) fn make(world: &World, event_no: u64, time_ms: i64) -> (Login<'_>, Option<Cause>) {
    let mut draw = Draw::new(world.seed, event_no, Purpose::Visit);
    let (person, whereabouts) = world.visitor(&mut draw, time_ms);
    let is_home = !matches!(whereabouts, Whereabouts::Away(_));
    let tablet = person.tablet.filter(|_| is_home);
    let tablet = tablet.filter(|_| draw.unit() < world.parameters().tablets.usage);
    let (device, of_device) = match tablet {
        Some(group) => (world.people().tablet(group), Some(Cause::SharedTablet)),
        None => own_device(world, &person, time_ms, &mut draw),
    };
    let origin = match whereabouts {
        Whereabouts::Away(of_trip) => away(world, &person, of_trip, &mut draw),
        _ if tablet.is_some() => at_home(world, &person, time_ms),
        _ => out_and_about(world, &person, time_ms, &mut draw),
    };
    // A place that is unusual says more than a device that is, and that more than a new home.
    let cause = match origin.cause {
        Some(Cause::NewHome) | None => of_device.or(origin.cause),
        stronger => stronger,
    };
    let (place, version) = ((origin.state, origin.address), world.version(&device, time_ms));
    let login = world.login(person.user, device.id, device.type_name, version, place, time_ms);
    (login, cause)
}

fn own_device<'a>(
    world: &'a World,
    person: &Person,
    time_ms: i64,
    draw: &mut Draw,
) -> (Device<'a>, Option<Cause>) {
    let is_main = draw.unit() < world.parameters().devices.main_use || person.devices == 1;
    let number = if is_main { 0 } else { 1 + draw.below(person.devices - 1) };
    let device = world.people().device(person, number, time_ms);
    let is_new = person.placeholder.is_none() && is_recent(world, device.generation, time_ms);
    (device, is_new.then_some(Cause::NewDevice))
}

/// On a trip: in a hotel, or through a carrier there.
fn away(world: &World, person: &Person, mut of_trip: Draw, draw: &mut Draw) -> Origin {
    let of = world.parameters();
    let state = states::draw_other(person.state, &mut of_trip);
    let hotel = of_trip.below(of.travel.hotels_per_state);
    let host = host(&mut of_trip);
    let address = if draw.unit() < of.mobile.usage {
        world.networks.mobile(state, person.choice, draw)
    } else {
        world.networks.address(Owner::Hotel, state, hotel, host)
    };
    Origin { state, address, cause: Some(Cause::Trip) }
}

fn at_home(world: &World, person: &Person, time_ms: i64) -> Origin {
    let (address, moved) = world.home(person, time_ms);
    let cause = is_recent(world, moved, time_ms).then_some(Cause::NewHome);
    Origin { state: person.state, address, cause }
}

/// Not on a trip: through a VPN, at work, through a carrier, or at home.
fn out_and_about(world: &World, person: &Person, time_ms: i64, draw: &mut Draw) -> Origin {
    let of = world.parameters();
    let state = person.state;
    let today = local_time(state, time_ms).day;
    let exit = world.exit(person, today);
    // The login after one through a VPN looks as far away as that one did.
    let is_near_vpn = exit.is_some() || world.exit(person, today - 1).is_some();
    let cause = is_near_vpn.then_some(Cause::Vpn);
    if let Some(exit) = exit
        && draw.unit() < of.vpn.usage
    {
        return Origin { state: exit.state, address: exit.address, cause };
    }
    if let Some(address) = world.work(person, time_ms)
        && draw.unit() < of.work.usage
    {
        return Origin { state, address, cause };
    }
    if draw.unit() < of.mobile.usage {
        let address = world.networks.mobile(state, person.choice, draw);
        return Origin { state, address, cause };
    }
    let home = at_home(world, person, time_ms);
    Origin { cause: cause.or(home.cause), ..home }
}

/// Whether something came into use lately, and after the first event.
fn is_recent(world: &World, generation: Generation, time_ms: i64) -> bool {
    let recent_ms = (world.parameters().labels.recent_days * DAY_MS) as i64;
    generation.since_ms > world.clock.time_ms(0) && generation.age_ms(time_ms) < recent_ms
}
