//! What to change when a consumer group does not take this process in.
//!
//! In: an error of the consumer. Out: the remedy, one row per code that keeps a process out
//! of its group and that waiting does not change. Pure.
//! Holds: codes that librdkafka answers by itself (a new member id, another generation, a rebalance
//! under way, another coordinator) are not here.
#![forbid(unsafe_code)]

use rdkafka::types::RDKafkaRespErr as Native;

use crate::kafka::native::KafkaError;

const REMEDIES: &[(Native, &str)] = &[
    (
        Native::RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
        "the group (--group-id) has members with another protocol: consumers that assign neither by \
         range nor by roundrobin (cooperative-sticky, for example), or clients that are no \
         consumers; stop them, or name another group",
    ),
    (
        Native::RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
        "--session-timeout is outside of what the brokers allow, from \
         group.min.session.timeout.ms to group.max.session.timeout.ms; set it to a value between \
         them, or change the brokers' settings",
    ),
    (
        Native::RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED,
        "the group (--group-id) has as many members as the brokers' group.max.size allows; stop \
         one of them, name another group, or raise the brokers' setting",
    ),
    (
        Native::RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
        "the brokers do not take this group's name; name another group with --group-id",
    ),
    (
        Native::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        "this user may not join the group (--group-id); add an ACL that allows Read on it",
    ),
    (
        Native::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        "this user may not read the topic; add an ACL that allows Read on it",
    ),
    (Native::RD_KAFKA_RESP_ERR_UNSUPPORTED_ASSIGNOR, ASSIGNOR),
    (Native::RD_KAFKA_RESP_ERR__UNKNOWN_PROTOCOL, ASSIGNOR),
    (
        Native::RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
        "the brokers do not know static members (--instance-id), or the group (--group-id) has \
         members with group.protocol=consumer; use brokers from Kafka 2.3 on, and a group whose \
         members all use the classic protocol",
    ),
    (
        Native::RD_KAFKA_RESP_ERR_UNRELEASED_INSTANCE_ID,
        "a member with this instance id is still in the group; stop it, or wait until its session \
         (--session-timeout) has ended",
    ),
];

const ASSIGNOR: &str = "the group (--group-id) assigns partitions by a strategy that this client \
     does not have; leave -X partition.assignment.strategy at range,roundrobin, and stop members \
     that use another one, or name another group";

/// What to change, for an error that keeps this process out of its group.
pub fn group_remedy(error: &KafkaError) -> Option<&'static str> {
    let code = Native::try_from(error.code()?.0).ok()?;
    REMEDIES.iter().find(|(known, _)| *known == code).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_member_out_has_a_remedy_and_ends_the_run() {
        for (code, remedy) in REMEDIES {
            let error = KafkaError::from_native("consume", *code);
            assert!(error.is_fatal(), "{code:?} is tried again for ever");
            assert_eq!(group_remedy(&error), Some(*remedy), "{code:?} is in the table once");
        }
    }

    #[test]
    fn what_librdkafka_answers_by_itself_has_none() {
        for code in [
            Native::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            Native::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            Native::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        ] {
            assert_eq!(group_remedy(&KafkaError::from_native("consume", code)), None, "{code:?}");
        }
    }
}
