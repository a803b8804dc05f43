//! What the command line asks about a single `-X` property, before there is a client.
//!
//! Pure, and offline. Holds: the answers are those that building a client would give.
#![forbid(unsafe_code)]

use rdkafka::ClientConfig;

use super::config::{ALIASES, PROTECTED};

/// The one name of a property that has several.
pub fn property_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| *name)
}

/// Why a property cannot be set, and what to do instead; `None` when it can.
pub fn protected_property(name: &str) -> Option<&'static str> {
    let name = property_name(name);
    PROTECTED.iter().find(|(protected, _)| *protected == name).map(|(_, remedy)| *remedy)
}

/// Whether librdkafka knows the property and takes the value.
///
/// # Errors
/// librdkafka's words, which may hold the value.
pub fn check_property(name: &str, value: &str) -> Result<(), String> {
    let mut config = ClientConfig::new();
    config.set(name, value);
    match config.create_native_config() {
        Ok(_) => Ok(()),
        Err(rdkafka::error::KafkaError::ClientConfig(_, description, _, _)) => Err(description),
        Err(other) => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_judged_by_itself() {
        assert_eq!(check_property("linger.ms", "5"), Ok(()));
        assert_eq!(check_property("sasl.password", "x"), Ok(()));
        let unknown = check_property("linger", "5").expect_err("unknown");
        assert_eq!(unknown, "No such configuration property: \"linger\"");
        let wrong = check_property("linger.ms", "soon").expect_err("no number");
        assert!(wrong.starts_with("Invalid value"), "{wrong}");
    }

    #[test]
    fn protected_in_every_spelling() {
        assert_eq!(protected_property("bootstrap.servers"), Some("use --brokers"));
        assert_eq!(protected_property("metadata.broker.list"), Some("use --brokers"));
        assert_eq!(protected_property("linger.ms"), None);
        assert_eq!(property_name("delivery.timeout.ms"), "message.timeout.ms");
    }
}
