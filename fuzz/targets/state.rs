//! Rows of a database that nobody vouches for, through the reader that a start uses.
//!
//! The input is a list of rows. Some are taken as they are; of others only the body is, and the
//! checksums are put right, or nothing behind them would ever be reached.
#![no_main]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use libfuzzer_sys::fuzz_target;
use logintide::{
    state::{Loaded, fuzzing},
    window::Partial,
};

/// Bytes that decoding may have on the heap at once, per byte of the rows: a partial result that
/// takes 40 bytes as a row has 50 times that as three maps and a sketch.
const HEAP_PER_BYTE: usize = 64;

/// And for a database of a few bytes.
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

/// Takes the fuzzer's bytes apart.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// As many bytes as the next one says, in steps that reach a full sketch.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = match self.byte()? {
            short @ 0..=199 => usize::from(short),
            long => usize::from(long - 199) * 100,
        };
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        Some(bytes)
    }

    /// A key of one of the kinds there are, or any.
    fn key(&mut self) -> Option<Vec<u8>> {
        let kind = self.byte()?;
        let numbers = |input: &mut Self| Some([0x80, 0, 0, 0, 0, 0, 0, input.byte()?]);
        Some(match kind % 8 {
            0 | 1 => [b"window/\x80\0\0\x01/", &numbers(self)?[..]].concat(),
            2 => [b"merger/window/", &numbers(self)?[..]].concat(),
            3 => [b"partition/\x80\0\0", &[self.byte()?][..]].concat(),
            4 => b"redo/committed".to_vec(),
            5 => b"merger/progress".to_vec(),
            6 => b"identity".to_vec(),
            _ => self.bytes()?.to_vec(),
        })
    }

    /// A row that a fold could have written.
    fn sealed(&mut self) -> Option<fuzzing::RawRow> {
        let key = self.key()?;
        let value = fuzzing::seal(&key, self.bytes()?);
        Some((key, value))
    }

    /// A redo record of sealed rows: each with its lengths, as they are stored.
    fn redo(&mut self) -> Option<Vec<fuzzing::RawRow>> {
        let (slot, epoch, base) = (self.byte()?, self.byte()?, self.byte()?);
        let mut inner = BTreeMap::new();
        for _ in 0..self.byte()? % 8 {
            let (key, value) = self.sealed()?;
            inner.insert(key, value);
        }
        let progress = fuzzing::progress(epoch.into(), pairs(&inner));
        let mut body = Vec::new();
        for (key, value) in inner.into_iter().chain([progress]) {
            body.extend((key.len() as u32).to_le_bytes());
            body.extend(&key);
            body.extend((value.len() as u32 + 1).to_le_bytes());
            body.extend(&value);
        }
        body.extend(self.bytes()?);
        Some(fuzzing::redo(slot % 2 == 1, epoch.into(), base.into(), &body))
    }
}

fn pairs(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> impl Iterator<Item = (&[u8], &[u8])> {
    rows.iter().map(|(key, value)| (&key[..], &value[..]))
}

/// The rows that the fuzzer's bytes stand for; a database has each key once, in order.
fn rows_of(data: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut input = Input(data);
    let mut rows = BTreeMap::new();
    while let Some(kind) = input.byte() {
        let next = match kind % 8 {
            0 => input.key().zip(input.bytes()).map(|(key, value)| vec![(key, value.to_vec())]),
            1 => input.redo(),
            2 => input.byte().map(|epoch| vec![fuzzing::progress(epoch.into(), pairs(&rows))]),
            _ => input.sealed().map(|row| vec![row]),
        };
        rows.extend(next.into_iter().flatten());
    }
    rows
}

fn load(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Loaded, String> {
    let before = HEAP.load(Relaxed);
    PEAK.store(before, Relaxed);
    let loaded = fuzzing::load(pairs(rows));
    let grown = PEAK.load(Relaxed) - before;
    let bytes: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
    let most = HEAP_FLOOR + HEAP_PER_BYTE * bytes;
    assert!(grown <= most, "{grown} bytes on the heap for {bytes} bytes of rows");
    loaded
}

/// What was decoded can be used: asked for its numbers, added to, and written again.
fn check(loaded: &Loaded) {
    let redo = loaded.redo.iter().flat_map(|redo| redo.partials.values().flatten());
    for partial in loaded.base.partials.values().chain(redo) {
        let mut users = partial.users.clone();
        users.merge(&partial.users);
        users.merge(&Partial::new().users);
        users.estimate();
        for (_, counts) in partial.counts.iter() {
            // It does not overflow.
            let _: u64 = counts.sorted().iter().map(|(_, count)| count).sum();
        }
    }
    let again: BTreeMap<_, _> = fuzzing::rows_of_base(&loaded.base).into_iter().collect();
    assert_eq!(load(&again).expect("was loaded before").base, loaded.base);
    if let Some(redo) = &loaded.redo {
        let again: BTreeMap<_, _> = fuzzing::rows_of_redo(redo).into_iter().collect();
        assert_eq!(load(&again).expect("was loaded before").redo.as_ref(), Some(redo));
        let mut image = loaded.base.clone();
        image.apply(redo);
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(loaded) = load(&rows_of(data)) {
        assert!(loaded.highest_epoch >= loaded.base.epoch);
        check(&loaded);
    }
});
