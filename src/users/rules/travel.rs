//! `impossible_travel`: two places that nobody gets between in the time.

use super::{Evidence, Finding, Seen, Severity};

pub(super) fn judge(seen: &Seen<'_>) -> Option<Finding> {
    let (profile, settings) = (seen.profile, &seen.settings.travel);
    let jump = seen.jump?;
    let is_known = profile.logins >= settings.min_logins
        || seen.login.at_s - profile.first_s >= settings.min_age_s;
    if !is_known || profile.different_places() >= settings.max_places {
        return None;
    }
    let has_device = seen.login.device.is_some() && !seen.novelty.device;
    let severity = if has_device { Severity::Low } else { Severity::High };
    Some(Finding { severity, evidence: Evidence::Travel(jump) })
}
