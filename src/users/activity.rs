//! Writes a session as a record. Pure.
//!
//! Holds: the same session gives the same bytes: there is no time of day in it.

use serde_json::{Value, json};

use super::{ocsf::Origin, session::Session};

/// The record of a user's session that is over.
pub(super) fn activity(user_id: &str, session: &Session, origin: Origin<'_>) -> Value {
    let novelty = session.novelty;
    json!({
        "user_id": user_id,
        "start": session.start_s.saturating_mul(1_000),
        "end": session.end_s.saturating_mul(1_000),
        "logins": session.logins,
        "devices": session.devices.len(),
        "networks": session.networks.len(),
        "places": session.places.len(),
        "new_device": novelty.device,
        "new_network": novelty.network,
        "new_place": novelty.place,
        "rare_hour": novelty.hour,
        "topic": origin.topic,
        "partition": origin.partition.0,
    })
}
