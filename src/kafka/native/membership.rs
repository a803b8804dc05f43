//! The consumer's place in its group, as a transaction's offsets need it. Sink thread.
//!
//! In:  the source's consumer. Out: a copy of its membership.
//! Holds: it is read anew for every transaction; one that does not exist is an error.

use std::{fmt, ptr::NonNull};

use rdkafka::bindings as rd;

use super::{
    client::NativeClient,
    error::KafkaError,
    ffi::{c_string, owned_text},
};

/// The consumer's place in its group at one moment: who it is, and since which rebalance.
pub struct GroupMetadata(NonNull<rd::rd_kafka_consumer_group_metadata_t>);

// SAFETY: a plain copy that belongs to no client; nothing changes it.
unsafe impl Send for GroupMetadata {}

impl GroupMetadata {
    /// A group that nobody is in, whose offsets only transactions write. The broker refuses them
    /// while there are members.
    ///
    /// # Errors
    /// `Config` for an impossible name.
    pub fn without_members(group_id: &str) -> Result<Self, KafkaError> {
        let group_id = c_string("the group", group_id)?;
        // SAFETY: the name is alive and is copied; the returned metadata is ours.
        let native = unsafe { rd::rd_kafka_consumer_group_metadata_new(group_id.as_ptr()) };
        Ok(Self(NonNull::new(native).expect("a group with a name has metadata")))
    }

    /// The membership of a consumer as it is now.
    ///
    /// # Errors
    /// `NotMember` when it has not joined, or knows that the group has dropped it.
    pub(in crate::kafka) fn of(
        client: &NativeClient,
        operation: &'static str,
    ) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive; the returned copy is ours.
        let native = unsafe { rd::rd_kafka_consumer_group_metadata(client.ptr()) };
        let metadata = NonNull::new(native).map(Self);
        metadata
            .filter(|it| it.generation() > 0 && !it.member_id().is_empty())
            .ok_or_else(|| not_member(operation))
    }

    pub(in crate::kafka) fn ptr(&self) -> *mut rd::rd_kafka_consumer_group_metadata_t {
        self.0.as_ptr()
    }

    fn generation(&self) -> i32 {
        // SAFETY: the metadata is alive.
        unsafe { rd::rd_kafka_consumer_group_metadata_generation_id(self.0.as_ptr()) }
    }

    fn member_id(&self) -> String {
        // SAFETY: the metadata is alive, and so is its text.
        unsafe { owned_text(rd::rd_kafka_consumer_group_metadata_member_id(self.0.as_ptr())) }
    }
}

impl fmt::Debug for GroupMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupMetadata")
            .field("member_id", &self.member_id())
            .field("generation", &self.generation())
            .finish()
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: made for us by librdkafka, and not used after this.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

/// The error of a call that needs a membership which does not exist.
pub(in crate::kafka) fn not_member(operation: &'static str) -> KafkaError {
    let code = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST;
    KafkaError::from_native(operation, code)
}
