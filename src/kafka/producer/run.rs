//! A run of records without headers for one topic partition, as librdkafka takes it: one call for
//! all of them.

use std::{ffi::c_int, ptr};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::records::{OPERATION, OutRecord, SendOutcome};
use crate::{
    ids::PartitionId,
    kafka::native::{KafkaError, Topic},
};

pub(super) const EMPTY_MESSAGE: rd::rd_kafka_message_t = rd::rd_kafka_message_t {
    err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
    rkt: ptr::null_mut(),
    partition: 0,
    payload: ptr::null_mut(),
    len: 0,
    key: ptr::null_mut(),
    key_len: 0,
    offset: 0,
    _private: ptr::null_mut(),
};

/// librdkafka only reads the bytes, though its types do not say so.
pub(super) fn message_of(record: &OutRecord<'_>) -> rd::rd_kafka_message_t {
    rd::rd_kafka_message_t {
        payload: record.value.as_ptr().cast_mut().cast(),
        len: record.value.len(),
        key: record.key.as_ptr().cast_mut().cast(),
        key_len: record.key.len(),
        ..EMPTY_MESSAGE
    }
}

/// Sends one run and adds what became of it. False: the next one is not to be sent.
pub(super) fn send_run(
    topic: &Topic,
    partition: PartitionId,
    run: &mut [rd::rd_kafka_message_t],
    outcome: &mut SendOutcome,
) -> bool {
    let first = outcome.settled();
    // SAFETY: the topic is alive, and the run's pointers borrow from records that the caller keeps
    // alive through this call; with F_COPY librdkafka keeps none of them.
    let accepted = unsafe {
        rd::rd_kafka_produce_batch(
            topic.ptr(),
            partition.0,
            rd::RD_KAFKA_MSG_F_COPY,
            run.as_mut_ptr(),
            run.len() as c_int,
        )
    };
    let accepted = usize::try_from(accepted).expect("a count is not negative");
    outcome.accepted += accepted;
    if accepted == run.len() {
        return true;
    }
    // The full queue, a failed producer and an unknown partition also end librdkafka's own loop:
    // it takes no later record of the same call.
    for (index, message) in run.iter().enumerate() {
        match message.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL => {
                outcome.full = true;
                return false;
            }
            code => {
                let error = KafkaError::from_native(OPERATION, code);
                let only_this_record = matches!(error, KafkaError::Refused { .. });
                outcome.refused.push((first + index, error));
                if !only_this_record {
                    return false;
                }
            }
        }
    }
    true
}
