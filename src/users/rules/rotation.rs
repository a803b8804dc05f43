//! `device_rotation`: many devices within half an hour.

use super::{Evidence, Finding, Seen, Severity};

pub(super) fn judge(seen: &Seen<'_>) -> Option<Finding> {
    let (recent, settings) = (&seen.profile.recent, &seen.settings.rotation);
    let (devices, logins) = (recent.devices(), recent.all_logins());
    let is_many = devices >= settings.min_devices
        && logins >= settings.min_logins
        && f64::from(devices) >= settings.min_share * f64::from(logins);
    let rotates =
        || seen.shard.population().rotates(seen.named.app_version, settings.min_version_logins);
    (is_many && !rotates()).then_some(Finding {
        severity: Severity::High,
        evidence: Evidence::Rotation { devices, logins },
    })
}
