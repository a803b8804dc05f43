//! What is wrong with single `-X` properties, all of them at once. No client is made.
#![forbid(unsafe_code)]

use super::config::ClientSettings;
use super::error::KafkaError;
use super::native::config_error;

impl ClientSettings {
    /// The problem of every property that is protected or that librdkafka refuses by itself.
    /// Properties that only contradict each other are found by the client that is made of them.
    pub fn wrong_properties(&self) -> Vec<KafkaError> {
        let alone = |property: &(String, String)| {
            let brokers = self.brokers.clone();
            let settings = Self { brokers, properties: vec![property.clone()] };
            let config = settings.to_config(&[])?;
            config.create_native_config().map_err(|error| config_error("client", &error))?;
            Ok(())
        };
        self.properties.iter().filter_map(|property| alone(property).err()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_property_is_named() {
        let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = ClientSettings {
            brokers: "b:9092".into(),
            properties: vec![
                property("acks", "0"),
                property("linger.ms", "7"),
                property("no.such", "1"),
                property("socket.timeout.ms", "soon"),
            ],
        };
        let wrong = settings.wrong_properties();
        let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        for (text, name) in texts.iter().zip(["acks", "no.such", "socket.timeout.ms"]) {
            assert!(text.contains(name), "{text}");
        }
    }
}
