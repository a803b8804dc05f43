//! Values on their way into C and out of it.
//!
//! In: durations, texts, codes, pointers from librdkafka. Out: what a call takes; owned texts and
//! borrowed slices. Pure. Holds: nothing borrowed outlives what the caller vouches for.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    time::Duration,
};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::error::KafkaError;

/// Milliseconds for a C call: rounded up, so that a short wait is not a busy loop.
pub(in crate::kafka) fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}

/// A NUL-terminated copy.
///
/// # Errors
/// `Config` when the text has a NUL inside.
pub(in crate::kafka) fn c_string(what: &str, text: &str) -> Result<CString, KafkaError> {
    CString::new(text).map_err(|_| KafkaError::Config {
        text: format!("{what} {text:?} contains a NUL character; remove it"),
    })
}

/// Copies a C string; a null pointer is the empty text.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives through the call.
pub(in crate::kafka) unsafe fn owned_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the terminator.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// librdkafka's name of a code, without its prefix.
pub(super) fn error_name(code: i32) -> String {
    match RDKafkaRespErr::try_from(code) {
        // SAFETY: the function takes any value of the enum and returns a static string.
        Ok(known) => unsafe { owned_text(rd::rd_kafka_err2name(known)) },
        Err(_) => format!("code {code}"),
    }
}

/// librdkafka's text for a code.
pub(in crate::kafka) fn error_text(code: i32) -> String {
    match RDKafkaRespErr::try_from(code) {
        // SAFETY: the function takes any value of the enum and returns a static string.
        Ok(known) => unsafe { owned_text(rd::rd_kafka_err2str(known)) },
        Err(_) => "an error that this version of librdkafka does not know".to_owned(),
    }
}

/// Ok, or the error that fits the code.
pub(in crate::kafka) fn check(
    operation: &'static str,
    code: RDKafkaRespErr,
) -> Result<(), KafkaError> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::from_native(operation, code)),
    }
}

/// A borrowed byte string; `None` for a null pointer.
///
/// # Safety
/// `ptr` is null or points to `len` bytes that live and stay unchanged for `'a`.
#[inline]
pub(in crate::kafka) unsafe fn bytes<'a>(ptr: *const u8, len: usize) -> Option<&'a [u8]> {
    if ptr.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller vouches for length and lifetime.
    Some(unsafe { std::slice::from_raw_parts(ptr, len) })
}

/// A native array; a null pointer is the empty one.
///
/// # Safety
/// `elements` is null or points to `count` elements that live and stay unchanged for `'a`.
pub(in crate::kafka) unsafe fn array<'a, T>(elements: *const T, count: usize) -> &'a [T] {
    if elements.is_null() {
        return &[];
    }
    // SAFETY: as the caller vouches.
    unsafe { std::slice::from_raw_parts(elements, count) }
}
