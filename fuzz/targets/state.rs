//! Rows of a database that nobody vouches for, through the reader that a start uses.
//!
//! The input is a list of rows. Some are taken as they are; of others only the body is, and the
//! checksums are put right, or nothing behind them would ever be reached.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use logintide::{
    state::{Loaded, fuzzing},
    window::Partial,
};
use logintide_fuzz::{Input, bounded};

/// Rows out of the fuzzer's bytes.
struct Rows<'a>(Input<'a>);

impl Rows<'_> {
    /// A key of one of the kinds there are, or any.
    fn key(&mut self) -> Option<Vec<u8>> {
        let kind = self.0.byte()?;
        let numbers = |input: &mut Self| Some([0x80, 0, 0, 0, 0, 0, 0, input.0.byte()?]);
        Some(match kind % 8 {
            0 | 1 => [b"window/\x80\0\0\x01/", &numbers(self)?[..]].concat(),
            2 => [b"merger/window/", &numbers(self)?[..]].concat(),
            3 => [b"partition/\x80\0\0", &[self.0.byte()?][..]].concat(),
            4 => b"redo/committed".to_vec(),
            5 => b"merger/progress".to_vec(),
            6 => b"identity".to_vec(),
            _ => self.0.bytes()?.to_vec(),
        })
    }

    /// A row that a fold could have written.
    fn sealed(&mut self) -> Option<fuzzing::RawRow> {
        let key = self.key()?;
        let value = fuzzing::seal(&key, self.0.bytes()?);
        Some((key, value))
    }

    /// A redo record of sealed rows: each with its lengths, as they are stored.
    fn redo(&mut self) -> Option<Vec<fuzzing::RawRow>> {
        let (slot, epoch, base) = (self.0.byte()?, self.0.byte()?, self.0.byte()?);
        let mut inner = BTreeMap::new();
        for _ in 0..self.0.byte()? % 8 {
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
        body.extend(self.0.bytes()?);
        Some(fuzzing::redo(slot % 2 == 1, epoch.into(), base.into(), &body))
    }
}

fn pairs(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> impl Iterator<Item = (&[u8], &[u8])> {
    rows.iter().map(|(key, value)| (&key[..], &value[..]))
}

/// The rows that the fuzzer's bytes stand for; a database has each key once, in order.
fn rows_of(data: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut input = Rows(Input(data));
    let mut rows = BTreeMap::new();
    while let Some(kind) = input.0.byte() {
        let next = match kind % 8 {
            0 => input.key().zip(input.0.bytes()).map(|(key, value)| vec![(key, value.to_vec())]),
            1 => input.redo(),
            2 => input.0.byte().map(|epoch| vec![fuzzing::progress(epoch.into(), pairs(&rows))]),
            _ => input.sealed().map(|row| vec![row]),
        };
        rows.extend(next.into_iter().flatten());
    }
    rows
}

fn load(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Loaded, String> {
    let bytes = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
    bounded(bytes, || fuzzing::load(pairs(rows)))
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
