//! What the brokers allow this user.
//!
//! In:  a native list of operations. Out: whether an operation is lacking.
//! Holds: where the brokers do not tell, nothing is lacking.

use rdkafka::bindings as rd;

/// What an ACL can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Consume, or join a group.
    Read,
    /// Produce.
    Write,
    /// Create topics.
    Create,
    /// See that it exists.
    Describe,
    /// Read settings.
    DescribeConfigs,
}

impl Operation {
    /// Its name in ACLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }
}

/// What this user may do with one topic, group or cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(Option<Vec<Operation>>);

impl Rights {
    /// What the broker has listed; `None` where it does not tell.
    #[cfg(test)]
    pub(crate) fn new(allowed: Option<Vec<Operation>>) -> Self {
        Self(allowed)
    }

    /// True only when the broker has said so.
    pub fn lacks(&self, operation: Operation) -> bool {
        self.0.as_ref().is_some_and(|allowed| !allowed.contains(&operation))
    }
}

/// The operations of a native list.
///
/// # Safety
/// `allowed` is null or points to `count` operations.
pub(super) unsafe fn rights(allowed: *const rd::rd_kafka_AclOperation_t, count: usize) -> Rights {
    use rd::rd_kafka_AclOperation_t as acl;
    if allowed.is_null() {
        return Rights(None);
    }
    // SAFETY: as the caller vouches. NOTE: read as numbers, so that one that this version of
    // librdkafka does not know is no invalid enum.
    let numbers = unsafe { std::slice::from_raw_parts(allowed.cast::<u32>(), count) };
    let known = [
        (acl::RD_KAFKA_ACL_OPERATION_READ, Operation::Read),
        (acl::RD_KAFKA_ACL_OPERATION_WRITE, Operation::Write),
        (acl::RD_KAFKA_ACL_OPERATION_CREATE, Operation::Create),
        (acl::RD_KAFKA_ACL_OPERATION_DESCRIBE, Operation::Describe),
        (acl::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS, Operation::DescribeConfigs),
    ];
    let listed = known.into_iter().filter(|(native, _)| numbers.contains(&(*native as u32)));
    Rights(Some(listed.map(|(_, operation)| operation).collect()))
}
