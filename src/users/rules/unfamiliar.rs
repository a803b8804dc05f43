//! `unfamiliar_login`: a login that is more like somebody else's.

use super::{Evidence, Finding, Seen, Severity};

pub(super) fn judge(seen: &Seen<'_>) -> Option<Finding> {
    let (profile, settings) = (seen.profile, &seen.settings.unfamiliar);
    let is_known = profile.logins >= settings.min_logins
        && seen.login.at_s - profile.first_s >= settings.min_age_s;
    let sum = seen.score.sum();
    if !is_known || sum < settings.min_score {
        return None;
    }
    let usual = seen.shard.scores().quantile(profile.logins);
    let threshold = usual.unwrap_or(settings.min_score).max(settings.min_score);
    (sum >= threshold).then(|| Finding {
        severity: Severity::Medium,
        evidence: Evidence::Score { score: seen.score.clone(), threshold },
    })
}
