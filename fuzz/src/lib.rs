//! What the targets share: taking the fuzzer's bytes apart, and the account of the heap.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Bytes that decoding may have on the heap at once, per byte that it reads: a partial result that
/// is stored in 40 bytes has 50 times that as three maps and a sketch.
const HEAP_PER_BYTE: usize = 64;

/// And for input of a few bytes.
const HEAP_FLOOR: usize = 64 * 1024;

/// Counts what is on the heap.
struct Counting;

static HEAP: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let heap = HEAP.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(heap, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HEAP.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes so many bytes. Panics when that takes more of the heap than is allowed.
pub fn bounded<T>(bytes: usize, decode: impl FnOnce() -> T) -> T {
    let before = HEAP.load(Relaxed);
    PEAK.store(before, Relaxed);
    let decoded = decode();
    let grown = PEAK.load(Relaxed) - before;
    assert!(
        grown <= HEAP_FLOOR + HEAP_PER_BYTE * bytes,
        "{grown} bytes on the heap for {bytes} bytes of input"
    );
    decoded
}

/// Takes the fuzzer's bytes apart.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// As many bytes as the next one says, in steps that reach a full sketch.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = match self.byte()? {
            short @ 0..=199 => usize::from(short),
            long => usize::from(long - 199) * 100,
        };
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        Some(bytes)
    }
}
