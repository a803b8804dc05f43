//! Headers of a record to send, copied for librdkafka.
//!
//! In:  a block. Out: a native copy, which the caller owns.

use std::ptr;

use rdkafka::bindings as rd;

use crate::headers::{Header, HeaderBlock};

/// A native copy of headers; the caller owns it.
///
/// # Safety
/// None beyond the ownership of the result.
pub(super) unsafe fn native_headers(headers: HeaderBlock<'_>) -> *mut rd::rd_kafka_headers_t {
    // SAFETY: names and values are alive through the calls, which copy them; a null value has no
    // bytes.
    unsafe {
        let list = rd::rd_kafka_headers_new(0);
        for Header { name, value } in headers.iter() {
            rd::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len() as isize,
                value.map_or(ptr::null(), |value| value.as_ptr().cast()),
                value.map_or(0, |value| value.len() as isize),
            );
        }
        list
    }
}
