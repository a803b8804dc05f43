//! `device_contradiction`: a device that is another one by now.

use super::{super::device, Evidence, Finding, Seen, Severity};

pub(super) fn judge(seen: &Seen<'_>) -> Option<Finding> {
    let device = seen.login.device?;
    let facts = seen.profile.devices.find(device)?;
    let last = facts.last;
    if seen.shard.is_shared(device, seen.settings.contradiction.max_users) {
        return None;
    }
    Some(match facts.contradiction(seen.named, seen.shard.versions())? {
        device::Contradiction::Type(before) => {
            Finding { severity: Severity::High, evidence: Evidence::DeviceType { before, last } }
        }
        device::Contradiction::Version(highest) => {
            Finding { severity: Severity::Low, evidence: Evidence::AppVersion { highest, last } }
        }
    })
}
