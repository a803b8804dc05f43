//! The steps of the page, login by login.

use std::collections::BTreeMap;

use super::{
    DAY_S, Fired, Novelty, PlainAlert, PlainLogin, PlainSession, PlainSettings,
    contradiction::{self, SharedDevices},
    day, hour,
    ledger::Ledger,
    names::Names,
    profile::Profile,
    recent::Rotating,
    score::{Quantiles, ShardCounts},
    session::Sessions,
    travel::{self, Jump},
};

/// A shard after some of its logins.
pub(super) struct Shard<'a> {
    settings: &'a PlainSettings,
    gap_km: &'a dyn Fn(&str, &str) -> u32,
    watermark: Option<i64>,
    first: Option<i64>,
    logins: u64,
    late: u64,
    names: Names,
    profiles: BTreeMap<u64, Profile>,
    sessions: Sessions,
    counts: ShardCounts,
    quantiles: Quantiles,
    shared: SharedDevices,
    rotating: Rotating,
    ledger: Ledger,
}

impl<'a> Shard<'a> {
    pub(super) fn new(settings: &'a PlainSettings, gap_km: &'a dyn Fn(&str, &str) -> u32) -> Self {
        Self {
            settings,
            gap_km,
            watermark: None,
            first: None,
            logins: 0,
            late: 0,
            names: Names::new(),
            profiles: BTreeMap::new(),
            sessions: Sessions::default(),
            counts: ShardCounts::default(),
            quantiles: Quantiles::new(),
            shared: SharedDevices::default(),
            rotating: Rotating::default(),
            ledger: Ledger::default(),
        }
    }

    /// Steps 1 to 6 for one login.
    pub(super) fn read(&mut self, login: &PlainLogin) {
        let lateness_s = self.settings.allowed_lateness_s;
        if self.watermark.is_some_and(|watermark| login.at_s < watermark - lateness_s) {
            self.late += 1;
            return;
        }
        let bound = login.at_s.min(login.appended_s);
        let watermark = self.watermark.map_or(bound, |watermark| watermark.max(bound));
        self.watermark = Some(watermark);
        self.first.get_or_insert(login.at_s);
        let login = self.names.number(login);
        let mut profile = self.profile(&login);
        profile.recent.take_up(&login);
        let new = profile.novelty(&login);
        let jump = travel::jump(&login, &profile, self.gap_km);
        let score = self.score(&login, &profile, new);
        let fired = self.judge(&login, &profile, new, jump.as_ref(), score);

        let learning = self.is_learning(watermark);
        self.take_up(&login, &profile, new, score);
        let rare_hour = profile.is_rare(hour(login.at_s));
        self.sessions.take_up(&login, new, rare_hour, watermark - lateness_s);
        profile.take_up(&login, new, jump.is_some(), self.settings.profile_ttl_s);
        self.profiles.insert(login.user, profile);

        let most = 1_000_u64.div_ceil(u64::from(self.settings.shards));
        for fired in fired.into_iter().filter(|_| !learning) {
            self.ledger.take_up(&login, fired, day(watermark), most);
        }
    }

    pub(super) fn end(self) -> (Vec<PlainAlert>, Vec<PlainSession>, u64) {
        (self.ledger.end(), self.sessions.end(), self.late)
    }

    /// The user's profile; a new one when there is none, or its last login is too long ago.
    fn profile(&mut self, login: &PlainLogin) -> Profile {
        match self.profiles.remove(&login.user) {
            Some(there) if there.last >= login.at_s - self.settings.profile_ttl_s => there,
            _ => {
                self.sessions.close(login.user);
                self.ledger.forget(login.user);
                Profile::new(login)
            }
        }
    }

    /// The score of a login of a user with five or more.
    fn score(&self, login: &PlainLogin, profile: &Profile, new: Novelty) -> Option<f64> {
        let is_scored = profile.n >= 5;
        is_scored.then(|| self.counts.score(login, profile, new, &self.names.numbered()))
    }

    fn judge(
        &self,
        login: &PlainLogin,
        profile: &Profile,
        new: Novelty,
        jump: Option<&Jump>,
        score: Option<f64>,
    ) -> Vec<Fired> {
        let fired = [
            travel::judge(login, profile, jump),
            contradiction::judge(login, profile, &self.shared),
            profile.recent.rotation(login, &self.rotating),
            profile.recent.burst(login, &profile.days),
            profile.dormant(login, new),
            self.unfamiliar(login, profile, score),
        ];
        fired.into_iter().flatten().collect()
    }

    fn unfamiliar(
        &self,
        login: &PlainLogin,
        profile: &Profile,
        score: Option<f64>,
    ) -> Option<Fired> {
        let score = score?;
        if score < self.quantiles.least(profile.n) || login.at_s - profile.first < 3 * DAY_S {
            return None;
        }
        let evidence = format!("score {score:.6}");
        Some(Fired { rule: "unfamiliar_login", severity: "medium", evidence })
    }

    /// The shard takes up a login that its profile has not.
    fn take_up(&mut self, login: &PlainLogin, profile: &Profile, new: Novelty, score: Option<f64>) {
        self.logins += 1;
        if contradiction::contradicts_type(login, profile) {
            self.shared.take_up(login);
        }
        let is_first = profile.n == 0;
        self.rotating.take_up(login, is_first, new.device);
        self.counts.take_up(login, is_first, new);
        if let Some(score) = score {
            self.quantiles.take_up(profile.n, score);
        }
    }

    /// Whether the shard learns, before it has taken up a login that has raised the watermark.
    fn is_learning(&self, watermark: i64) -> bool {
        let wanted = self.settings.learn_logins.div_ceil(u64::from(self.settings.shards));
        let first = self.first.expect("a login was read");
        watermark - first < self.settings.learn_s || self.logins < wanted
    }
}
