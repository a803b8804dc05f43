//! A population: users with devices, homes, work, trips and habits, and labelled attackers.
//!
//! In:  a population's file, the plan, the start. Out: the login of an event, and its label.
//! Holds: both depend only on these and on the event's number and time, so that nothing is kept
//! from one event to the next; no label is ever in an event.

mod attack;
mod campaigns;
mod clock;
mod dormancy;
mod file;
mod label;
mod network;
mod parameters;
mod person;
mod ranges;
mod releases;
#[cfg(test)]
mod tests;
mod timeline;
mod visit;
mod world;

use std::sync::Arc;

use rand_distr::Zipf;

use super::{
    event::Login,
    plan::Plan,
    rng::{Draw, Purpose},
};
use campaigns::Campaigns;
use clock::Clock;
use dormancy::Dormancy;
pub(crate) use file::{DEFAULT, PopulationFile};
use label::Attacker;
pub(crate) use label::{Label, Mark};
use network::Networks;
use releases::Releases;
use world::World;

/// Fewer users cannot keep up the rate while some of them are asleep, on the way or away.
pub(crate) const FEWEST_USERS: u64 = 100;

/// A population with its attackers.
pub(super) struct Population {
    world: World,
    campaigns: Vec<Campaigns>,
    /// Attackers that come alone, with the upper bounds of their ranges in `[0, 1)`.
    alone: [(f64, Attacker); 4],
}

impl Population {
    /// The population of a plan whose first event is at `start_ms`.
    ///
    /// # Errors
    /// A text that names the parameter or the flag which does not fit the others.
    pub(super) fn new(
        plan: &Plan,
        file: &Arc<PopulationFile>,
        start_ms: i64,
    ) -> Result<Self, String> {
        let seed = plan.seed();
        let of = &file.parameters;
        let ms_per_event = 1_000.0 / plan.speed();
        let clock = clock(plan, file, start_ms);
        let kinds = [
            (Attacker::StuffingOneIp, &of.campaigns.stuffing_one_ip),
            (Attacker::StuffingManyIps, &of.campaigns.stuffing_many_ips),
            (Attacker::StuffingOneDevice, &of.campaigns.stuffing_one_device),
            (Attacker::Rotation, &of.campaigns.rotation),
            (Attacker::Burst, &of.campaigns.burst),
        ];
        let mut campaigns = Vec::new();
        for (attacker, kind) in kinds {
            campaigns.extend(Campaigns::new(seed, attacker, kind, &clock)?);
        }
        let mut sum = 0.0;
        let alone = [
            (of.attacks.naive, Attacker::Naive),
            (of.attacks.vpn, Attacker::Vpn),
            (of.attacks.targeted, Attacker::Targeted),
            (of.attacks.stolen_device, Attacker::StolenDevice),
        ]
        .map(|(share, attacker)| {
            sum += share;
            (sum, attacker)
        });
        let world = World {
            seed,
            users: plan.users,
            activity: Zipf::new(plan.users as f64, plan.zipf)
                .map_err(|error| format!("--users and --zipf: {error}"))?,
            clock,
            networks: Networks::new(seed, plan.users, of),
            releases: Releases::new(seed, &of.app, start_ms),
            dormancy: Dormancy::new(seed, plan.users, &of.dormant, ms_per_event, start_ms)?,
            file: Arc::clone(file),
        };
        Ok(Self { world, campaigns, alone })
    }

    /// The time of an event, epoch milliseconds.
    pub(super) fn time_ms(&self, event_no: u64) -> i64 {
        self.world.clock.time_ms(event_no)
    }

    /// The login of an event that has the time `time_ms`. Attackers are only where an event says
    /// all that they do.
    pub(super) fn login(
        &self,
        event_no: u64,
        time_ms: i64,
        may_be_attack: bool,
    ) -> (Login<'_>, Option<Label>) {
        if may_be_attack && let Some((login, mark)) = self.attack(event_no, time_ms) {
            let label = Label { user: login.user, mark };
            return (login, Some(label));
        }
        let (login, cause) = visit::make(&self.world, event_no, time_ms);
        let label = cause.map(|cause| Label { user: login.user, mark: Mark::Benign(cause) });
        (login, label)
    }

    fn attack(&self, event_no: u64, time_ms: i64) -> Option<(Login<'_>, Mark)> {
        let world = &self.world;
        for campaigns in &self.campaigns {
            if let Some(place) = campaigns.place(&world.clock, event_no) {
                let (attacker, campaign) = (campaigns.attacker, Some(place.campaign));
                let login = attack::in_campaign(world, campaigns, place, time_ms);
                return Some((login, Mark::Attack { attacker, campaign }));
            }
        }
        let mut draw = Draw::new(world.seed, event_no, Purpose::Attack);
        let unit = draw.unit();
        if let Some((user, turn)) = world.dormancy.entered_by(&world.clock, event_no) {
            let mark = Mark::Attack { attacker: Attacker::Dormant, campaign: Some(turn) };
            return Some((attack::dormant(world, user, draw, time_ms), mark));
        }
        let (_, attacker) = *self.alone.iter().find(|(bound, _)| unit < *bound)?;
        let mark = Mark::Attack { attacker, campaign: None };
        Some((attack::alone(world, attacker, draw, time_ms), mark))
    }
}

/// The start of a run of `span_ms` at the plan's speed that ends at `end_ms`.
pub(crate) fn start_before(plan: &Plan, file: &PopulationFile, end_ms: i64, span_ms: f64) -> i64 {
    clock(plan, file, end_ms).start_ms(end_ms, span_ms)
}

fn clock(plan: &Plan, file: &PopulationFile, start_ms: i64) -> Clock {
    let weights = &file.parameters.hours.weights;
    Clock::new(weights, plan.flat_hours, 1_000.0 / plan.speed(), start_ms)
}
