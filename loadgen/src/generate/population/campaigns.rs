//! When campaigns of attacks are, without any state.
//!
//! In:  an event's number. Out: the campaign that it belongs to, and its number there.
//! Holds: each period of events has one campaign of each kind, and it lies within the period. A
//! campaign has exactly the logins of the parameters, spread over its length.

use super::{
    super::rng::{Draw, Purpose, mix},
    clock::{Clock, DAY_MS},
    label::Attacker,
    parameters::Campaign,
};

const MINUTE_MS: f64 = 60_000.0;

/// The campaigns of one kind.
pub(super) struct Campaigns {
    pub(super) attacker: Attacker,
    seed: u64,
    logins: u64,
    length_ms: i64,
    /// Events of a period.
    period: u64,
    /// Events of a campaign in the busiest hour.
    most: u64,
}

/// An event's place in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) campaign: u64,
    /// The login's number in the campaign, from 0.
    pub(super) login: u64,
    pub(super) start_ms: i64,
}

impl Campaigns {
    /// The campaigns of a kind; `None` if there are none.
    ///
    /// # Errors
    /// A text that names the parameters, when a campaign does not fit in.
    pub(super) fn new(
        seed: u64,
        attacker: Attacker,
        of: &Campaign,
        clock: &Clock,
    ) -> Result<Option<Self>, String> {
        if of.per_day <= 0.0 {
            return Ok(None);
        }
        let name = attacker.name();
        let (least, most) = clock.events_in(of.minutes * MINUTE_MS);
        if least < of.logins as f64 + 1.0 {
            return Err(format!(
                "the population's campaigns.{name}: {} logins in {} minutes, but at night that \
                 time has {least:.1} events; raise `minutes` or \
                 --events-per-second-of-event-time, lower `logins`, or set `per_day` to 0",
                of.logins, of.minutes
            ));
        }
        let (period, most) =
            (clock.mean_events_in(DAY_MS / of.per_day) as u64, most.ceil() as u64 + 1);
        if period < most {
            return Err(format!(
                "the population's campaigns.{name}: {} campaigns of {} minutes do not fit into a \
                 day one after the other; lower `per_day` or `minutes`",
                of.per_day, of.minutes
            ));
        }
        let length_ms = (of.minutes * MINUTE_MS) as i64;
        Ok(Some(Self { attacker, seed, logins: of.logins, length_ms, period, most }))
    }

    /// The place of an event, if it is one of a campaign.
    pub(super) fn place(&self, clock: &Clock, event_no: u64) -> Option<Place> {
        let campaign = event_no / self.period;
        let first = campaign * self.period
            + self.draw(campaign, Purpose::Campaign).below(self.period - self.most + 1);
        let into = event_no.checked_sub(first).filter(|into| *into < self.most)?;
        let start_ms = clock.time_ms(first);
        let events = clock.event_no(start_ms + self.length_ms).saturating_sub(first);
        let login = into * self.logins / events.max(1);
        if into >= events || self.event_of(campaign, login, events) != into {
            return None;
        }
        Some(Place { campaign, login, start_ms })
    }

    /// Numbers that all logins of a campaign have in common.
    pub(super) fn draw(&self, campaign: u64, purpose: Purpose) -> Draw {
        Draw::new(self.seed, mix(campaign) ^ self.attacker as u64, purpose)
    }

    /// Numbers of one login of a campaign.
    pub(super) fn draw_login(&self, campaign: u64, login: u64) -> Draw {
        let number = mix(mix(campaign) ^ self.attacker as u64) ^ login;
        Draw::new(self.seed, number, Purpose::CampaignLogin)
    }

    /// The event of a login, from the campaign's first: any of those that are the login's share of
    /// the campaign.
    fn event_of(&self, campaign: u64, login: u64, events: u64) -> u64 {
        let from = (login * events).div_ceil(self.logins);
        let to = ((login + 1) * events).div_ceil(self.logins);
        from + self.draw_login(campaign, !login).below(to - from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_campaign_has_its_logins_within_its_time() {
        let weights = std::array::from_fn(|hour| if (8..20).contains(&hour) { 3.0 } else { 1.0 });
        let clock = Clock::new(&weights, false, 500.0, 1_694_479_550_000);
        let of = Campaign { per_day: 4.0, logins: 25, minutes: 12.0 };
        let campaigns = Campaigns::new(9, Attacker::Burst, &of, &clock);
        let campaigns = campaigns.expect("they fit").expect("there are some");
        let mut found: HashMap<u64, Vec<(u64, i64)>> = HashMap::new();
        for event_no in 0..172_800 * 3 {
            if let Some(place) = campaigns.place(&clock, event_no) {
                let time_ms = clock.time_ms(event_no) - place.start_ms;
                found.entry(place.campaign).or_default().push((place.login, time_ms));
            }
        }
        assert_eq!(found.len(), 12);
        for logins in found.values() {
            let numbers: Vec<u64> = logins.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (0..25).collect::<Vec<_>>());
            let times = logins.iter().map(|(_, time_ms)| *time_ms);
            let last = times.max().expect("logins");
            assert!((600_000..=720_000).contains(&last), "{last}");
        }
    }

    #[test]
    fn a_campaign_that_does_not_fit_is_named_with_the_remedy() {
        let clock = Clock::new(&[1.0; 24], false, 60_000.0, 0);
        let refused = |of: Campaign| {
            let made = Campaigns::new(9, Attacker::Rotation, &of, &clock);
            made.err().expect("it does not fit")
        };
        let dense = refused(Campaign { per_day: 1.0, logins: 20, minutes: 10.0 });
        assert!(dense.contains("campaigns.rotation: 20 logins in 10 minutes"), "{dense}");
        assert!(dense.contains("raise `minutes`"), "{dense}");
        let many = refused(Campaign { per_day: 200.0, logins: 2, minutes: 10.0 });
        assert!(many.contains("lower `per_day`"), "{many}");
        let none = Campaign { per_day: 0.0, logins: 20, minutes: 10.0 };
        assert!(Campaigns::new(9, Attacker::Rotation, &none, &clock).is_ok_and(|it| it.is_none()));
    }
}
