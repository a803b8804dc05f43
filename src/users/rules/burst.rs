//! `login_burst`: many logins within ten minutes.

use super::{Evidence, Finding, Seen, Severity};
use crate::limits;

/// Spans of ten minutes in a day.
const SPANS_PER_DAY: f64 = 144.0;

pub(super) fn judge(seen: &Seen<'_>) -> Option<Finding> {
    let settings = &seen.settings.burst;
    let logins = seen.profile.recent.logins(seen.login.minute(), limits::BURST_MINUTES);
    let mean_per_day = seen.profile.days.mean();
    let usual = mean_per_day / SPANS_PER_DAY;
    let most = usual + settings.deviations * usual.sqrt();
    let is_many = logins >= settings.min_logins && f64::from(logins) >= most;
    is_many.then_some(Finding {
        severity: Severity::Medium,
        evidence: Evidence::Burst { logins, mean_per_day },
    })
}
