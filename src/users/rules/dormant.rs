//! `dormant_return`: a long silence, then a device and a place or network that are new.

use super::{Evidence, Finding, Seen, Severity};
use crate::users::login::LoginRef;

pub(super) fn judge(seen: &Seen<'_>) -> Option<Finding> {
    let (profile, novelty) = (seen.profile, seen.novelty);
    let is_silent = profile.logins > 0
        && seen.login.at_s.saturating_sub(profile.last_s) >= seen.settings.dormant.min_gap_s;
    let last = LoginRef { at_s: profile.last_s, offset: profile.last_offset };
    (is_silent && novelty.device && (novelty.network || novelty.place))
        .then_some(Finding { severity: Severity::Medium, evidence: Evidence::Silence(last) })
}
