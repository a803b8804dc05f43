//! The profiles of a range of keys in a blob of a file, written in rotation: no log, since the
//! journal is one; a start goes on in it at the position.
//!
//! Files: `segment-<n>`, blobs one after the other, each with its checksum before it; and `index`,
//! records that say where the blobs of some ranges are and what the position is.
//! Holds: a blob is on disk before the record that names it, and a segment is removed once no
//! record that counts names it. A record that is cut off does not count, nor does what follows.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    mem,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use super::{
    blob,
    layout::{Layout, STRIPES},
    workload::{Row, Value},
};

/// In which everything that has changed is written once.
const TURN_S: usize = 60;

/// A segment is closed when it is so long: some twenty are there in a turn.
const SEGMENT_BYTES: u32 = 64 << 20;

/// Blobs that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A new index is begun when the old one has so many entries per range.
const INDEX_TURNS: usize = 4;

/// Where the blob of a range is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    segment: u32,
    offset: u32,
    /// With the checksum; 0 without a blob.
    bytes: u32,
}

struct Segment {
    file: File,
    bytes: u32,
    /// Of blobs that count.
    live: u32,
}

pub(super) struct RangeFiles {
    folder: PathBuf,
    /// By range.
    places: Vec<Place>,
    /// The last one is written.
    segments: BTreeMap<u32, Segment>,
    index: File,
    entries: usize,
    position: u64,
    /// What is to be written behind the last segment.
    buffer: Vec<u8>,
    /// Places that the index does not have yet.
    moved: Vec<(u32, Place)>,
}

impl RangeFiles {
    /// Ranges of about so many bytes for so many users.
    pub(super) fn open(folder: &Path, users: u64, bytes: usize) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut places = vec![Place::default(); blob::ranges(users, bytes)];
        let records = match fs::read(folder.join("index")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let position = read_index(&records, &mut places);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number =
                name.to_str().and_then(|name| name.strip_prefix("segment-")?.parse::<u32>().ok());
            numbers.extend(number);
        }
        let mut segments = BTreeMap::new();
        for &number in &numbers {
            let file = read_at_random(File::open(segment_path(folder, number))?)?;
            let bytes = file.metadata()?.len() as u32;
            let live = places.iter().filter(|place| place.segment == number).map(|p| p.bytes).sum();
            segments.insert(number, Segment { file, bytes, live });
        }
        let (index, buffer) = (File::open(folder)?, Vec::with_capacity(2 * BUFFER_BYTES));
        let (folder, moved, entries) = (folder.to_owned(), Vec::new(), 0);
        let mut files = Self { folder, places, segments, index, entries, position, buffer, moved };
        files.begin_segment(numbers.into_iter().max().map_or(1, |last| last + 1))?;
        files.begin_index()?;
        files.remove_dead()?;
        Ok(files)
    }

    fn begin_segment(&mut self, number: u32) -> anyhow::Result<()> {
        let path = segment_path(&self.folder, number);
        let file = File::options().create_new(true).read(true).write(true).open(&path)?;
        let file = read_at_random(file)?;
        File::open(&self.folder)?.sync_all()?;
        self.segments.insert(number, Segment { file, bytes: 0, live: 0 });
        Ok(())
    }

    /// Writes an index of all places in the place of the old one.
    fn begin_index(&mut self) -> anyhow::Result<()> {
        let named: Vec<_> = (0..).zip(&self.places).map(|(range, place)| (range, *place)).collect();
        let path = self.folder.join("index.new");
        self.index = File::create(&path)?;
        self.index.write_all(&record(&named, self.position))?;
        self.index.sync_data()?;
        fs::rename(&path, self.folder.join("index"))?;
        File::open(&self.folder)?.sync_all()?;
        self.entries = named.len();
        Ok(())
    }

    fn remove_dead(&mut self) -> anyhow::Result<()> {
        let last = *self.segments.last_key_value().context("a segment")?.0;
        for (number, _) in self.segments.extract_if(..last, |_, segment| segment.live == 0) {
            fs::remove_file(segment_path(&self.folder, number))?;
        }
        Ok(())
    }

    /// The rows of a range.
    fn blob(&self, range: usize) -> anyhow::Result<Vec<u8>> {
        let Place { segment, offset, bytes } = self.places[range];
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let mut blob = vec![0; bytes as usize];
        let segment = self.segments.get(&segment).context("a segment that is named is there")?;
        segment.file.read_exact_at(&mut blob, u64::from(offset))?;
        let (sum, rows) = blob.split_first_chunk().context("a blob has a checksum")?;
        ensure!(u32::from_le_bytes(*sum) == crc32c::crc32c(rows), "range {range} is damaged");
        blob.drain(..size_of::<u32>());
        Ok(blob)
    }

    /// Puts a blob with these rows in the place of the old one.
    fn put(&mut self, range: usize, old: &[u8], new: &[Row]) -> anyhow::Result<()> {
        let begin = self.buffer.len();
        self.buffer.extend_from_slice(&[0; size_of::<u32>()]);
        blob::merge(old, new, &mut self.buffer);
        let (sum, rows) = self.buffer[begin..].split_at_mut(size_of::<u32>());
        sum.copy_from_slice(&crc32c::crc32c(rows).to_le_bytes());
        let (&number, segment) = self.segments.last_key_value().context("a segment")?;
        let offset = segment.bytes + begin as u32;
        let bytes = (self.buffer.len() - begin) as u32;
        self.moved.push((range as u32, Place { segment: number, offset, bytes }));
        if self.buffer.len() >= BUFFER_BYTES { self.write_buffer() } else { Ok(()) }
    }

    fn write_buffer(&mut self) -> anyhow::Result<()> {
        let (number, segment) = self.segments.iter_mut().next_back().context("a segment")?;
        segment.file.write_all_at(&self.buffer, u64::from(segment.bytes))?;
        segment.bytes += self.buffer.len() as u32;
        self.buffer.clear();
        if segment.bytes >= SEGMENT_BYTES {
            segment.file.sync_data()?;
            let next = number + 1;
            self.begin_segment(next)?;
        }
        Ok(())
    }

    /// What was put is on disk, and then the position.
    fn commit(&mut self, position: u64) -> anyhow::Result<()> {
        self.write_buffer()?;
        self.segments.last_key_value().context("a segment")?.1.file.sync_data()?;
        self.position = position;
        self.index.write_all(&record(&self.moved, position))?;
        self.index.sync_data()?;
        self.entries += self.moved.len();
        for (range, place) in mem::take(&mut self.moved) {
            let old = mem::replace(&mut self.places[range as usize], place);
            if let Some(segment) = self.segments.get_mut(&old.segment) {
                segment.live -= old.bytes;
            }
            let segment = self.segments.get_mut(&place.segment).context("it was written")?;
            segment.live += place.bytes;
        }
        if self.entries > INDEX_TURNS * self.places.len() {
            self.begin_index()?;
        }
        self.remove_dead()
    }

    /// Whether more of the range's segment is dead than alive: then it moves without a change.
    fn is_to_move(&self, range: usize) -> bool {
        let number = self.places[range].segment;
        let is_last = self.segments.last_key_value().is_some_and(|(last, _)| *last == number);
        let segment = self.segments.get(&number);
        !is_last && segment.is_some_and(|segment| segment.live < segment.bytes / 2)
    }
}

impl Layout for RangeFiles {
    fn load(&mut self, rows: &mut dyn Iterator<Item = Row>) -> anyhow::Result<()> {
        let (mut at, mut waiting) = (0, Vec::new());
        for row in rows {
            let range = blob::range_of(row.0, self.places.len());
            if range != at {
                self.put(at, &[], &waiting)?;
                waiting.clear();
                at = range;
            }
            waiting.push(row);
        }
        self.put(at, &[], &waiting)?;
        self.commit(0)
    }

    fn read(&self, key: u64) -> anyhow::Result<Option<Value>> {
        Ok(blob::find(&self.blob(blob::range_of(key, self.places.len()))?, key))
    }

    fn turn_s(&self) -> usize {
        TURN_S
    }

    fn write(&mut self, of: Range<usize>, rows: &[Row], position: u64) -> anyhow::Result<()> {
        let per_stripe = self.places.len() / STRIPES;
        let mut changed: BTreeMap<_, _> = blob::by_range(rows, self.places.len()).collect();
        for range in of.start * per_stripe..of.end * per_stripe {
            let new = changed.remove(&range).unwrap_or_default();
            if !new.is_empty() || self.is_to_move(range) {
                self.put(range, &self.blob(range)?, new)?;
            }
        }
        assert!(changed.is_empty(), "rows are of the stripes that are written");
        self.commit(position)
    }

    fn position(&self) -> anyhow::Result<u64> {
        Ok(self.position)
    }
}

/// Has the kernel read what is asked for and nothing beside it.
fn read_at_random(file: File) -> io::Result<File> {
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random)?;
    Ok(file)
}

fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("segment-{number}"))
}

/// A record: checksum of the rest, number of entries, position; per entry range and place.
fn record(moved: &[(u32, Place)], position: u64) -> Vec<u8> {
    let mut record = vec![0; size_of::<u32>()];
    record.extend_from_slice(&(moved.len() as u32).to_le_bytes());
    record.extend_from_slice(&position.to_le_bytes());
    for (range, Place { segment, offset, bytes }) in moved {
        for word in [range, segment, offset, bytes] {
            record.extend_from_slice(&word.to_le_bytes());
        }
    }
    let sum = crc32c::crc32c(&record[size_of::<u32>()..]);
    record[..size_of::<u32>()].copy_from_slice(&sum.to_le_bytes());
    record
}

/// Notes the places of all whole records; the position of the last one.
fn read_index(mut records: &[u8], places: &mut [Place]) -> u64 {
    const HEAD: usize = 16;
    const ENTRY: usize = 16;
    let word = |bytes: &[u8], at: usize| {
        bytes.get(4 * at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
    };
    let mut last = 0;
    while let (Some(sum), Some(entries)) = (word(records, 0), word(records, 1)) {
        let length = HEAD + entries as usize * ENTRY;
        let Some((record, rest)) = records.split_at_checked(length) else { break };
        if crc32c::crc32c(&record[4..]) != sum {
            break;
        }
        last =
            u64::from(word(record, 2).unwrap_or(0)) | u64::from(word(record, 3).unwrap_or(0)) << 32;
        for entry in record[HEAD..].chunks_exact(ENTRY) {
            if let [Some(range), Some(segment), Some(offset), Some(bytes)] =
                [0, 1, 2, 3].map(|at| word(entry, at))
                && let Some(place) = places.get_mut(range as usize)
            {
                *place = Place { segment, offset, bytes };
            }
        }
        records = rest;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::{
        super::workload::{key_of, logins_of, rows, value_of},
        *,
    };

    /// A crash leaves any part of the last record: what the record before it says is still there.
    #[test]
    fn a_record_that_is_cut_off_does_not_count() {
        const USERS: u64 = 5_000;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut files = RangeFiles::open(folder.path(), USERS, 4 << 10).expect("begun");
        files.load(&mut rows(USERS)).expect("loaded");
        let key = key_of(0);
        let index = folder.path().join("index");
        let mut lengths = Vec::new();
        for login in 1..=2 {
            files.write(0..STRIPES, &[(key, value_of(key, login))], login).expect("written");
            lengths.push(fs::metadata(&index).expect("an index").len());
        }
        drop(files);
        let whole = fs::read(&index).expect("an index");
        for length in lengths[0]..=lengths[1] {
            fs::write(&index, &whole[..length as usize]).expect("cut off");
            let files = RangeFiles::open(folder.path(), USERS, 4 << 10).expect("opened");
            let expected = if length == lengths[1] { 2 } else { 1 };
            let value = files.read(key).expect("read").expect("it was loaded");
            let found = (files.position().expect("a position"), logins_of(key, &value));
            assert_eq!(found, (expected, expected), "{length} of {}", whole.len());
        }
    }
}
