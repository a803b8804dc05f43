//! Versions of the app, and when each device gets them.
//!
//! In:  a device and a time. Out: the version that it has.
//! Holds: a device never goes back to an older version; one bought after a release has it at once.

use super::{
    super::rng::{Draw, Purpose},
    clock::DAY_MS,
    parameters::App,
};

pub(super) struct Releases {
    seed: u64,
    /// The time of each release, and its version, in the order of time.
    all: Vec<(i64, String)>,
    adoption_ms: f64,
}

impl Releases {
    pub(super) fn new(seed: u64, app: &App, start_ms: i64) -> Self {
        let time = |day: i64| start_ms.saturating_add(day.saturating_mul(DAY_MS as i64));
        let releases = app.releases.iter();
        Self {
            seed,
            all: releases.map(|it| (time(it.day), it.version.clone())).collect(),
            adoption_ms: app.adoption_days * DAY_MS,
        }
    }

    /// The version on a device that is in use since `since_ms`.
    pub(super) fn on_device(&self, device: u64, since_ms: i64, time_ms: i64) -> &str {
        let newest = self.all.iter().enumerate().rev().find(|(index, (release_ms, _))| {
            let is_installed = || {
                let mut draw = Draw::new(self.seed, device ^ *index as u64, Purpose::Adoption);
                let lag_ms = -(1.0 - draw.unit()).ln() * self.adoption_ms;
                time_ms - release_ms >= lag_ms as i64
            };
            *release_ms <= time_ms && (*release_ms <= since_ms || is_installed())
        });
        newest.map_or(self.oldest(), |(_, (_, version))| version)
    }

    /// The version that most devices have at a time.
    pub(super) fn usual(&self, time_ms: i64) -> &str {
        let settled = time_ms - self.adoption_ms as i64;
        let known = self.all.iter().rev().find(|(release_ms, _)| *release_ms <= settled);
        known.map_or(self.oldest(), |(_, version)| version)
    }

    /// Any version that is out at a time.
    pub(super) fn any(&self, time_ms: i64, draw: &mut Draw) -> &str {
        let out = self.all.partition_point(|(release_ms, _)| *release_ms <= time_ms).max(1);
        &self.all[draw.below(out as u64) as usize].1
    }

    fn oldest(&self) -> &str {
        &self.all.first().expect("a population has a release").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::population::parameters::Release;

    fn releases() -> Releases {
        let release = |version: &str, day| Release { version: version.to_owned(), day };
        let all = vec![release("1.0", -10), release("1.9", 10), release("1.10", 30)];
        Releases::new(1, &App { releases: all, adoption_days: 5.0 }, 0)
    }

    #[test]
    fn a_device_gets_each_release_later_and_never_goes_back() {
        let releases = releases();
        let day = |day: i64| day * DAY_MS as i64;
        let order = ["1.0", "1.9", "1.10"];
        let mut with_new = 0;
        for device in 0..1_000_u64 {
            let device = crate::generate::rng::mix(device);
            let found: Vec<usize> = (-20..200)
                .map(|today| {
                    let version = releases.on_device(device, i64::MIN, day(today));
                    order.iter().position(|known| *known == version).expect("a known version")
                })
                .collect();
            assert!(found.is_sorted(), "{found:?}");
            assert_eq!((found[0], found[29], found[219]), (0, 0, 2));
            with_new += usize::from(found[20 + 15] == 1);
            assert_eq!(releases.on_device(device, day(11), day(12)), "1.9", "bought new");
        }
        // After the mean time, 1 - 1/e of the devices have the release.
        assert!((582..682).contains(&with_new), "{with_new}");
    }

    #[test]
    fn the_usual_version_is_one_that_had_time_to_spread() {
        let releases = releases();
        let day = |day: i64| day * DAY_MS as i64;
        assert_eq!(releases.usual(day(12)), "1.0");
        assert_eq!(releases.usual(day(16)), "1.9");
        let mut draw = Draw::new(1, 1, Purpose::Attack);
        for _ in 0..100 {
            assert_ne!(releases.any(day(12), &mut draw), "1.10");
        }
    }
}
