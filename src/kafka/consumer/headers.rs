//! Headers of a fetched message, borrowed for the time of a drain's call.
//!
//! In:  a message. Out: its headers, copied into a block.
//! Holds: a message without headers, as nearly all are, costs a comparison. librdkafka decodes
//! those of the others at the first question, allocates for each, and frees them with the message.

use std::{
    ffi::CStr,
    fmt,
    marker::PhantomData,
    ptr::{self, NonNull},
};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use crate::{
    headers::{Dropped, Header, HeaderBlock, Travelling},
    kafka::native::{bytes, c_string},
};

/// Headers of one message; mostly none.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    source: Source<'a>,
    message: PhantomData<&'a ()>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    None,
    /// librdkafka could not decode them, such as more than it takes.
    Unreadable,
    Native(NonNull<rd::rd_kafka_headers_t>),
    Block(HeaderBlock<'a>),
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("any", &!self.is_empty()).finish()
    }
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Self = Self { source: Source::None, message: PhantomData };

    /// The headers of a record that librdkafka has not fetched.
    pub fn of_block(block: HeaderBlock<'a>) -> Self {
        let source = if block.is_empty() { Source::None } else { Source::Block(block) };
        Self { source, message: PhantomData }
    }

    /// Asks the message itself first: librdkafka's answer is dear even where there are none.
    ///
    /// # Safety
    /// `message` points to a consumer's message without an error that lives for `'a`.
    #[inline]
    pub(super) unsafe fn of(message: *const rd::rd_kafka_message_t) -> Self {
        // SAFETY: alive, as the caller vouches.
        let (native, leader_epoch) =
            unsafe { (&*message, rd::rd_kafka_message_leader_epoch(message)) };
        if leader_epoch >= 0 && native.len > 0 {
            // Only a record batch of format 2 has an epoch. There a value is followed by the number
            // of its headers, zigzag, so a zero is none.
            // SAFETY: librdkafka does not copy a value that has bytes: it lies in the batch, which
            // has at least that one byte behind it. Brokers take no batch in which it has not;
            // bytes that the disk has damaged since, in the last record of an answer, may claim
            // otherwise: then it is one byte behind librdkafka's buffer that decides who is asked.
            let count = unsafe { native.payload.cast::<u8>().add(native.len).read() };
            if count == 0 {
                return Self::NONE;
            }
        }
        // SAFETY: alive, as above.
        unsafe { Self::decoded(message) }
    }

    /// # Safety
    /// As [`Self::of`].
    #[cold]
    pub(super) unsafe fn decoded(message: *const rd::rd_kafka_message_t) -> Self {
        let mut native = ptr::null_mut();
        // SAFETY: alive, as the caller vouches; on success the headers live as long as the message.
        let code = unsafe { rd::rd_kafka_message_headers(message, &raw mut native) };
        let source = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                NonNull::new(native).map_or(Source::None, Source::Native)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__NOENT => Source::None,
            _ => Source::Unreadable,
        };
        Self { source, message: PhantomData }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        matches!(self.source, Source::None)
    }

    /// The value of the last header of this name; `None` without one, and where it is null.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let native = match self.source {
            Source::Native(native) => native,
            Source::Block(block) => {
                let of_name = block.iter().filter(|header| header.name == name.as_bytes());
                return of_name.last().and_then(|header| header.value);
            }
            Source::None | Source::Unreadable => return None,
        };
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

    /// The headers in their order. librdkafka gives names as C strings, so a zero byte ends one.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let source = self.source;
        let block = if let Source::Block(block) = source { block } else { HeaderBlock::NONE };
        let native = (0..).map_while(move |index| {
            let Source::Native(native) = source else { return None };
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers live for `'a`, and so do name and value, which are set on
            // success.
            unsafe {
                let code = rd::rd_kafka_header_get_all(
                    native.as_ptr(),
                    index,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                );
                (code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| Header {
                    name: CStr::from_ptr(name).to_bytes(),
                    value: bytes(value.cast(), length),
                })
            }
        });
        native.chain(block.iter())
    }

    /// Copies the headers to the end of `arena`, without this program's: see [`Travelling::copy`].
    pub fn copy(&self, arena: &mut Vec<u8>, most_bytes: usize) -> Travelling {
        if matches!(self.source, Source::Unreadable) {
            return Travelling { dropped: Some(Dropped::Unreadable), ..Travelling::default() };
        }
        Travelling::copy(self.iter(), arena, most_bytes)
    }
}
