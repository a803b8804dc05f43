use super::*;

#[test]
fn the_variant_names_the_reaction() {
    let of = |code| KafkaError::from_native("test", code);
    assert!(of(Native::RD_KAFKA_RESP_ERR__TRANSPORT).is_retriable());
    assert!(of(Native::RD_KAFKA_RESP_ERR_NOT_COORDINATOR).is_retriable());
    assert!(matches!(of(Native::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID), KafkaError::Fenced { .. }));
    assert!(matches!(
        of(Native::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION),
        KafkaError::NotMember { .. }
    ));
    assert!(matches!(of(Native::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), KafkaError::Refused { .. }));
    assert!(of(Native::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).is_fatal());
    assert!(of(Native::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER).has_lost_sequence());
    assert!(!of(Native::RD_KAFKA_RESP_ERR_PRODUCER_FENCED).has_lost_sequence());
}

#[test]
fn a_code_that_this_version_does_not_know_is_fatal_and_still_printed() {
    let error = KafkaError::from_code("commit", 31_999, "from a newer broker".into());
    assert!(error.is_fatal());
    let text = error.to_string();
    assert!(text.contains("commit") && text.contains("31999"), "{text}");
}

#[test]
fn a_missing_acl_is_told_apart_from_other_refusals() {
    let of = |code| KafkaError::from_native("test", code);
    for denied in [
        Native::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        Native::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        Native::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ] {
        assert!(of(denied).is_authorization(), "{denied:?}");
    }
    assert!(!of(Native::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).is_authorization());
    assert!(!of(Native::RD_KAFKA_RESP_ERR__FENCED).is_authorization());
    assert!(!KafkaError::Config { text: String::new() }.is_authorization());
}

#[test]
fn a_timeout_names_the_trouble_behind_it() {
    let error = |text: &str| KafkaError::Timeout {
        operation: "commit offsets",
        waited: Duration::from_millis(250),
        text: text.into(),
    };
    assert_eq!(error("").to_string(), "commit offsets: no answer within 250 ms");
    assert!(error("Connection refused").to_string().ends_with("Connection refused)"));
}
