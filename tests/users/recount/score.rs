//! `unfamiliar_login`: the score, and what the shard counts for it.

use std::collections::BTreeMap;

use super::{Novelty, PlainLogin, hour, names::Numbered, profile::Profile, slots::Slots};

const CLASSES: usize = 4;
/// Steps of 0.25 from -24 to 24.
const STEPS: usize = 192;

/// The logins that had a value of one kind, by value.
#[derive(Default)]
struct Values {
    logins: u64,
    of: BTreeMap<String, u64>,
}

impl Values {
    fn take_up(&mut self, value: Option<&String>) {
        let Some(value) = value else { return };
        self.logins += 1;
        *self.of.entry(value.clone()).or_default() += 1;
    }

    fn term(&self, value: Option<&String>, names: usize, of_user: &Slots<String>) -> f64 {
        let Some(value) = value else { return 0.0 };
        let c = self.of.get(value).copied().unwrap_or_default() as f64;
        let c_u = f64::from(of_user.count(value));
        surprise(c, self.logins as f64, names as f64 + 1.0, c_u, f64::from(of_user.sum()))
    }
}

/// What the logins of a shard had. The page halves counts at 2^30; no test has as many logins.
#[derive(Default)]
pub(super) struct ShardCounts {
    locales: Values,
    types: Values,
    versions: Values,
    logins: u64,
    hours: [u64; 24],
    /// Logins with a device that were not their profile's first, and those with a new one.
    with_device: u64,
    new_devices: u64,
    /// The same of networks.
    with_network: u64,
    new_networks: u64,
}

impl ShardCounts {
    pub(super) fn take_up(&mut self, login: &PlainLogin, is_first: bool, new: Novelty) {
        self.locales.take_up(login.locale.as_ref());
        self.types.take_up(login.device_type.as_ref());
        self.versions.take_up(login.app_version.as_ref());
        self.logins += 1;
        self.hours[hour(login.at_s)] += 1;
        self.with_device += u64::from(!is_first && login.device.is_some());
        self.with_network += u64::from(!is_first && login.network.is_some());
        self.new_devices += u64::from(new.device);
        self.new_networks += u64::from(new.network);
    }

    /// The page's S, of a login that its profile and the shard have not taken up.
    pub(super) fn score(
        &self,
        login: &PlainLogin,
        profile: &Profile,
        new: Novelty,
        names: &Numbered,
    ) -> f64 {
        let version = login.app_version.as_ref();
        let mut score = 0.0;
        score += self.locales.term(login.locale.as_ref(), names.locales, &profile.locales);
        score += self.types.term(login.device_type.as_ref(), names.types, &profile.types);
        score += self.versions.term(version, names.versions, &profile.versions);
        score += self.hour_term(hour(login.at_s), profile);
        let n = profile.n as f64;
        if login.device.is_some() {
            let rate = rate(self.new_devices, self.with_device);
            score += novelty(new.device, profile.new_devices as f64, n, rate);
        }
        if login.network.is_some() {
            let rate = rate(self.new_networks, self.with_network);
            score += novelty(new.network, profile.new_networks as f64, n, rate);
        }
        score
    }

    fn hour_term(&self, hour: usize, profile: &Profile) -> f64 {
        let three = self.hours[(hour + 23) % 24] + self.hours[hour] + self.hours[(hour + 1) % 24];
        let c_u = f64::from(profile.three_hours(hour)) / 3.0;
        let n_u = f64::from(profile.all_hours());
        surprise(three as f64 / 3.0, self.logins as f64, 24.0, c_u, n_u)
    }
}

/// The page's rho.
fn rate(new: u64, all: u64) -> f64 {
    (new as f64 + 1.0) / (all as f64 + 2.0)
}

/// The term of a value: `c` of `n` logins of the shard had it, `c_u` of `n_u` of the user.
fn surprise(c: f64, n: f64, k: f64, c_u: f64, n_u: f64) -> f64 {
    let p = (c + 1.0) / (n + k);
    let p_user = (c_u + 2.0 * p) / (n_u + 2.0);
    cap(((p / 2.0 + 1.0 / (2.0 * k)) / p_user).ln())
}

/// The term of a device or a network.
fn novelty(is_new: bool, k_u: f64, n: f64, rate: f64) -> f64 {
    let p = (k_u + 5.0 * rate) / (n + 5.0);
    cap(if is_new { (0.95 / p).ln() } else { (0.05 / (1.0 - p)).ln() })
}

fn cap(term: f64) -> f64 {
    term.clamp(-4.0, 4.0)
}

/// The scores of each class of users, by step.
pub(super) struct Quantiles {
    classes: [[u64; STEPS]; CLASSES],
}

impl Quantiles {
    pub(super) fn new() -> Self {
        Self { classes: [[0; STEPS]; CLASSES] }
    }

    fn class(n: u64) -> usize {
        match n {
            0..10 => 0,
            10..30 => 1,
            30..100 => 2,
            100.. => 3,
        }
    }

    /// What a score has to reach: 6, or the quantile of the class of `n` if that is higher.
    pub(super) fn least(&self, n: u64) -> f64 {
        let counts = &self.classes[Self::class(n)];
        let all: u64 = counts.iter().sum();
        if all < 1_000 {
            return 6.0;
        }
        let mut reached = 0;
        for (step, count) in counts.iter().enumerate() {
            reached += count;
            if reached * 1_000 >= all * 999 {
                return f64::max(6.0, (step as f64 + 1.0) * 0.25 - 24.0);
            }
        }
        unreachable!("the last step reaches all")
    }

    pub(super) fn take_up(&mut self, n: u64, score: f64) {
        let counts = &mut self.classes[Self::class(n)];
        let step = ((score + 24.0) / 0.25).floor() as usize;
        counts[step.min(STEPS - 1)] += 1;
        if counts.iter().sum::<u64>() >= 200_000 {
            for count in counts {
                *count /= 2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_the_upper_edge_of_the_step_that_reaches_it() {
        let mut quantiles = Quantiles::new();
        for _ in 0..998 {
            quantiles.take_up(5, -1.0);
        }
        quantiles.take_up(9, 7.25);
        assert_eq!(quantiles.least(9).to_bits(), 6.0_f64.to_bits(), "999 scores say nothing");
        quantiles.take_up(9, 24.0);
        // 999 of 1 000 are below 7.5.
        assert_eq!(quantiles.least(9).to_bits(), 7.5_f64.to_bits());
        assert_eq!(quantiles.least(10).to_bits(), 6.0_f64.to_bits(), "another class");
        quantiles.take_up(9, 24.0);
        // 999 of 1 001 are too few.
        assert_eq!(quantiles.least(5).to_bits(), 24.0_f64.to_bits());
    }

    #[test]
    fn a_class_of_200_000_is_halved_downwards() {
        let mut quantiles = Quantiles::new();
        for _ in 0..199_999 {
            quantiles.classes[3][0] += 1;
        }
        quantiles.take_up(100, 3.0);
        assert_eq!(quantiles.classes[3].iter().sum::<u64>(), 99_999);
    }

    #[test]
    fn terms_are_capped() {
        // p = 1/1000, p(x|u) = (0 + 0.002) / 102: ln of 0.0255/0.0000196 is above 4.
        assert_eq!(surprise(0.0, 980.0, 20.0, 0.0, 100.0).to_bits(), 4.0_f64.to_bits());
        // p = 1/2, K = 2, p(x|u) = (8 + 1)/(8 + 2): ln of (1/4 + 1/4)/0.9.
        assert!((surprise(0.0, 0.0, 2.0, 8.0, 8.0) - (0.5_f64 / 0.9).ln()).abs() < 1e-12);
        // P = (1 + 5/2)/(5 + 5).
        assert!((novelty(true, 1.0, 5.0, 0.5) - (0.95_f64 / 0.35).ln()).abs() < 1e-12);
        assert!((novelty(false, 1.0, 5.0, 0.5) - (0.05_f64 / 0.65).ln()).abs() < 1e-12);
    }
}
