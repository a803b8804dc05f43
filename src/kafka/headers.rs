//! Headers: of a fetched message, borrowed for the time of a drain's call; of one to send, copied.
//!
//! Holds: librdkafka decodes those of a fetched message at the first question, and frees them with
//! it.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use rdkafka::bindings as rd;
use rdkafka::types::RDKafkaRespErr;

use super::list::bytes;
use super::native::c_string;

/// Headers of one message; maybe none.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    native: Option<NonNull<rd::rd_kafka_headers_t>>,
    message: PhantomData<&'a ()>,
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("any", &self.native.is_some()).finish()
    }
}

impl<'a> Headers<'a> {
    /// # Safety
    /// `message` points to a consumer's message that lives for `'a`.
    pub(super) unsafe fn of(message: *const rd::rd_kafka_message_t) -> Self {
        let mut native = ptr::null_mut();
        // SAFETY: alive, as the caller vouches; on success the headers live as long as the message.
        let code = unsafe { rd::rd_kafka_message_headers(message, &raw mut native) };
        let found = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        Self { native: NonNull::new(native).filter(|_| found), message: PhantomData }
    }

    /// The value of the last header of this name; `None` without one, and where it is null.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let native = self.native?;
        let name = c_string("header", name).ok()?;
        let (mut value, mut length) = (ptr::null(), 0);
        // SAFETY: the headers live for `'a`, and so does the value; the name is alive.
        unsafe {
            let code = rd::rd_kafka_header_get_last(
                native.as_ptr(),
                name.as_ptr(),
                &raw mut value,
                &raw mut length,
            );
            let found = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
            bytes(value.cast(), length).filter(|_| found)
        }
    }
}

/// A native copy of headers; the caller owns it.
///
/// # Safety
/// None beyond the ownership of the result.
pub(super) unsafe fn native_headers(headers: &[(&str, &[u8])]) -> *mut rd::rd_kafka_headers_t {
    // SAFETY: names and values are alive through the calls, which copy them.
    unsafe {
        let list = rd::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            rd::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            );
        }
        list
    }
}
