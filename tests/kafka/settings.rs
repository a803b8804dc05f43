//! Settings of topics and brokers, as the start-up checks read them.

use crate::client::Topic;
use crate::client::support::PATIENCE;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn settings_of_topics_and_of_a_broker_are_read() {
    let topic = Topic::new("settings", 1, &[("retention.ms", "7200000")]);
    let other = Topic::new("settings", 1, &[("cleanup.policy", "compact")]);
    let names = [other.name.as_str(), topic.name.as_str()];
    let read = topic.admin.topic_config(&names, PATIENCE).expect("settings");
    let value = |index: usize, name: &str| read[index].get(name).map(String::as_str);
    assert_eq!(read.len(), 2);
    assert_eq!(
        (value(0, "cleanup.policy"), value(1, "cleanup.policy")),
        (Some("compact"), Some("delete"))
    );
    assert_eq!(value(1, "retention.ms"), Some("7200000"));
    let broker = topic.admin.broker_config(PATIENCE).expect("settings");
    for name in ["transaction.max.timeout.ms", "transaction.state.log.replication.factor"] {
        let number = broker.get(name).and_then(|value| value.parse::<i64>().ok());
        assert!(number.is_some_and(|number| number > 0), "{name}: {number:?}");
    }
    let missing = format!("{}-missing", topic.name);
    let error = topic.admin.topic_config(&[&topic.name, &missing], PATIENCE).expect_err("missing");
    assert!(error.to_string().contains(&missing) && !error.is_authorization(), "{error}");
    assert_eq!(topic.admin.topic_config(&[], PATIENCE), Ok(Vec::new()));
}
