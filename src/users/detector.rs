//! Judges a login, then takes it into its user's profile and its shard. Pure.
//!
//! In:  a login, its user's profile, the state of its shard.
//! Out: alerts, and sessions that are over.
//! Holds: every rule judges by what was known before the login; what comes out depends on the
//! shard's logins in their order and on the settings, on nothing else.

use arrayvec::ArrayVec;

use super::{
    device::Contradiction,
    login::{Login, Named},
    profile::Profile,
    rules::{Finding, Rule, RuleSettings, Seen},
    score::Score,
    session::{Novelty, Session, Turn},
    shard::ShardState,
    travel::Jump,
};

/// What logins are judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorSettings {
    /// The rules.
    pub rules: RuleSettings,
    /// Number of shards when the group began, at least 1.
    pub shards: u32,
    /// Seconds of event time before a shard gives alerts.
    pub learn_s: i64,
    /// Logins of the whole group before it gives alerts.
    pub learn_logins: u64,
    /// Seconds of event time after which a profile is forgotten.
    pub profile_ttl_s: i64,
    /// How far behind the watermark a login still says something, seconds.
    pub allowed_lateness_s: i64,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            rules: RuleSettings::default(),
            shards: 1,
            learn_s: 86_400,
            learn_logins: 10_000,
            profile_ttl_s: 180 * 86_400,
            allowed_lateness_s: 60,
        }
    }
}

/// An alert about a login.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Of which rule.
    pub rule: Rule,
    /// What it has found.
    pub finding: Finding,
    /// Alerts of this rule for this user that were held back since its last.
    pub held_back: u32,
}

/// What comes of a login.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// It was too late to say anything.
    pub is_late: bool,
    /// Alerts, in the order of the rules.
    pub alerts: ArrayVec<Alert, { Rule::ALL.len() }>,
    /// Sessions that are over, in the order of their starts.
    pub over: ArrayVec<Session, 2>,
}

/// Judges logins.
#[derive(Debug, Clone)]
pub struct Detector {
    settings: DetectorSettings,
}

impl Detector {
    /// One that judges by these settings.
    pub fn new(settings: DetectorSettings) -> Self {
        assert!(settings.shards > 0, "a topic has at least one partition");
        Self { settings }
    }

    /// There are so many shards.
    pub fn set_shards(&mut self, shards: u32) {
        assert!(shards > 0, "a topic has at least one partition");
        self.settings.shards = shards;
    }

    /// Judges a login and takes it up. `profile`: that of its user; one without logins where there
    /// is none.
    pub fn judge(
        &self,
        login: &Login<'_>,
        profile: &mut Profile,
        shard: &mut ShardState,
    ) -> Judgement {
        let settings = &self.settings;
        let mut judgement = Judgement::default();
        if shard.is_late(login, settings.allowed_lateness_s) {
            judgement.is_late = true;
            return judgement;
        }
        judgement.over.extend(self.end_session(profile, shard));
        if profile.is_expired(login.at_s, settings.profile_ttl_s) {
            judgement.over.extend(profile.session.take());
            *profile = Profile::default();
        }
        let named = shard.name(login);
        let novelty = profile.novelty(login, named);
        let newest_s =
            if profile.logins == 0 { login.at_s } else { profile.last_s.max(login.at_s) };
        profile.recent.take_up(login, newest_s);
        let score = if profile.logins >= settings.rules.unfamiliar.min_logins {
            Score::of(login, named, novelty, profile, shard.population())
        } else {
            Score::default()
        };
        let jump = self.jump(login, named, profile);
        let seen = Seen {
            login,
            named,
            novelty,
            jump,
            score: &score,
            profile,
            shard,
            settings: &settings.rules,
        };
        let found: ArrayVec<(Rule, Finding), { Rule::ALL.len() }> =
            Rule::ALL.into_iter().filter_map(|rule| Some((rule, rule.judge(&seen)?))).collect();
        judgement.alerts = self.alerts(found, login, profile, shard);
        self.take_up(login, named, novelty, jump, &score, profile, shard);
        judgement.over.extend(
            match Session::take_up(&mut profile.session, login, named, novelty) {
                Turn::Goes => None,
                Turn::Ends(session) | Turn::Apart(session) => Some(session),
            },
        );
        judgement
    }

    /// The open session of a profile, if no login can join it any more.
    pub fn end_session(&self, profile: &mut Profile, shard: &ShardState) -> Option<Session> {
        let earliest_s = shard.earliest_s(self.settings.allowed_lateness_s)?;
        profile.session.take_if(|session| session.is_over(earliest_s))
    }

    /// Logins of a shard before this are late.
    pub fn earliest_s(&self, shard: &ShardState) -> Option<i64> {
        shard.earliest_s(self.settings.allowed_lateness_s)
    }

    /// Whether a shard has not had enough logins for alerts.
    pub fn is_learning(&self, shard: &ShardState) -> bool {
        let min_logins = self.settings.learn_logins.div_ceil(self.settings.shards.into());
        shard.is_learning(self.settings.learn_s, min_logins)
    }

    fn jump(&self, login: &Login<'_>, named: Named, profile: &Profile) -> Option<Jump> {
        let settings = self.settings.rules.travel;
        let to = login.place.zip(named.place)?;
        let is_habitual = |name| profile.places.count(name) >= settings.habitual;
        let is_excused = is_habitual(to.1);
        profile
            .trusted
            .jump(to, login.at_s, settings.limits, |from| is_excused && is_habitual(from.name))
    }

    /// What of the findings is said.
    fn alerts(
        &self,
        found: ArrayVec<(Rule, Finding), { Rule::ALL.len() }>,
        login: &Login<'_>,
        profile: &mut Profile,
        shard: &mut ShardState,
    ) -> ArrayVec<Alert, { Rule::ALL.len() }> {
        let rules = &self.settings.rules;
        let per_day = rules.unfamiliar.max_per_day.div_ceil(self.settings.shards);
        let is_learning = self.is_learning(shard);
        let mut alerts = ArrayVec::new();
        for (rule, finding) in found {
            let switch = rules.switch(rule);
            if is_learning || !switch.is_on {
                continue;
            }
            if profile.memory.holds_back(rule, login.at_s, switch.cooldown_s)
                || rule == Rule::UnfamiliarLogin && !shard.may_be_unfamiliar(per_day)
            {
                profile.memory.held_back(rule);
                continue;
            }
            let held_back = profile.memory.alerted(rule, login.at_s);
            alerts.push(Alert { rule, finding, held_back });
        }
        alerts
    }

    #[expect(clippy::too_many_arguments, reason = "all of a login's facts go two ways")]
    fn take_up(
        &self,
        login: &Login<'_>,
        named: Named,
        novelty: Novelty,
        jump: Option<Jump>,
        score: &Score,
        profile: &mut Profile,
        shard: &mut ShardState,
    ) {
        let known = login.device.and_then(|device| Some((device, profile.devices.find(device)?)));
        if let Some((device, facts)) = known
            && let Some(Contradiction::Type(_)) = facts.contradiction(named, shard.versions())
        {
            shard.contradicted(device, login.user);
        }
        if profile.logins >= self.settings.rules.unfamiliar.min_logins {
            shard.scored(profile.logins, score.sum());
        }
        shard.take_up(login, named, profile.logins > 0, novelty);
        profile.take_up(
            login,
            named,
            shard.versions(),
            novelty,
            jump.is_some(),
            self.settings.profile_ttl_s,
        );
    }
}
