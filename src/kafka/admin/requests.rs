//! Native requests of the admin client.
//!
//! In:  descriptions of what is asked for. Out: arrays of native requests.
//! Holds: a request is freed exactly once, together with the others, also when a later one fails.

use crate::kafka::native::KafkaError;

/// Size of the buffers that librdkafka writes the reason of a refused argument to.
pub(super) const ERROR_TEXT_BYTES: usize = 256;

/// Native requests, destroyed together.
pub(super) struct Requests<T> {
    native: Vec<*mut T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Requests<T> {
    pub(super) fn of<A>(
        arguments: &[A],
        destroy: unsafe extern "C" fn(*mut T),
        make: impl Fn(&A) -> Result<*mut T, KafkaError>,
    ) -> Result<Self, KafkaError> {
        let mut requests = Self { native: Vec::with_capacity(arguments.len()), destroy };
        for argument in arguments {
            requests.native.push(make(argument)?);
        }
        Ok(requests)
    }

    pub(super) fn ptr(&self) -> *mut *mut T {
        self.native.as_ptr().cast_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.native.len()
    }
}

impl<T> Drop for Requests<T> {
    fn drop(&mut self) {
        for request in &self.native {
            // SAFETY: made by the constructor that belongs to `destroy`, and destroyed once.
            unsafe { (self.destroy)(*request) };
        }
    }
}
