//! A broker that answers, and refuses this client: a wrong password, a certificate.
//!
//! In: the errors of a client's connections. Out: how long it has been refused, and what to change.
//! Holds: waiting does not help against a refusal, unlike against a broker that is away; but a
//! broker that has just started may not know its users yet, so one refusal proves nothing.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaRespErr;

/// Marks of a connection that OpenSSL ended: an alert of the broker comes as a lost connection.
const TLS_MARKS: [&str; 2] = ["SSL routines", "certificate"];

/// What a client was refused with.
#[derive(Debug, Clone)]
pub(in crate::kafka) struct Refusal {
    since: Instant,
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Authentication,
    Tls,
}

impl Kind {
    fn of(code: i32, text: &str) -> Option<Self> {
        match RDKafkaRespErr::try_from(code) {
            Ok(RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTHENTICATION) => Some(Self::Authentication),
            Ok(RDKafkaRespErr::RD_KAFKA_RESP_ERR__SSL) => Some(Self::Tls),
            _ if TLS_MARKS.iter().any(|mark| text.contains(mark)) => Some(Self::Tls),
            _ => None,
        }
    }
}

impl Refusal {
    /// The refusal after another error of a connection; one of another kind begins anew.
    pub(in crate::kafka) fn next(
        before: Option<Self>,
        code: i32,
        text: &str,
        now: Instant,
    ) -> Option<Self> {
        let Some(kind) = Kind::of(code, text) else { return before };
        let since = before.filter(|before| before.kind == kind).map_or(now, |before| before.since);
        Some(Self { since, kind, text: text.to_owned() })
    }

    /// For how long, what, and the remedy.
    pub(in crate::kafka) fn explain(&self, now: Instant) -> (Duration, String) {
        let text = &self.text;
        let explained = match self.kind {
            Kind::Authentication => format!(
                "the broker refuses the authentication: {text}; check sasl.mechanism, \
                 sasl.username and sasl.password or sasl.password.file (-X)"
            ),
            Kind::Tls => format!(
                "no TLS connection to the broker: {text}; check ssl.ca.location (whom to trust), \
                 and where the broker asks for a certificate ssl.certificate.location and \
                 ssl.key.location (-X)"
            ),
        };
        (now.saturating_duration_since(self.since), explained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_lasts_until_it_is_of_another_kind_and_a_broker_that_is_away_is_none() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let auth = RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTHENTICATION as i32;
        let away = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT as i32;
        assert!(Refusal::next(None, away, "Connection refused", at(0)).is_none());
        let first = Refusal::next(None, auth, "invalid password", at(1));
        let still = Refusal::next(first, away, "Disconnected", at(5));
        let again = Refusal::next(still, auth, "invalid password", at(9));
        let (lasted, text) = again.as_ref().expect("refused").explain(at(11));
        assert_eq!(lasted.as_secs(), 10);
        assert!(text.contains("invalid password; check sasl.mechanism"), "{text}");
        let alert = "Receive failed: error:0A000415:SSL routines::sslv3 alert certificate expired";
        let other = Refusal::next(again, away, alert, at(12)).expect("refused");
        let (lasted, text) = other.explain(at(12));
        assert!(lasted.is_zero() && text.contains("ssl.certificate.location"), "{text}");
    }
}
