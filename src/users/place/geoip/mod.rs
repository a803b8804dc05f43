//! Places by the address of a login, from a `.mmdb` file that an operator names.
//!
//! In:  the file of `--geoip`, addresses. Out: a [`GeoHit`] for an address that the file knows.
//! Holds: the file is in memory as a whole and never changes there; a corrupt one ends no lookup
//! in a panic or a loop: a record that cannot be decoded is no hit, and is counted.

mod board;
mod record;
mod reloading;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, Metadata},
    io::Read,
    net::IpAddr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use maxminddb::Reader;

use self::record::Record;
pub use self::{board::GeoIpBoard, reloading::ReloadingGeoIp};
use super::{Place, is_public};
use crate::limits;

/// What a database knows of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeoHit {
    /// Where it is: a part of a country where the database knows it, else the country.
    pub place: Option<Place>,
    /// The number of the autonomous system that announces it.
    pub asn: Option<u32>,
}

/// What a database is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoIpKind {
    /// Cities: positions, each with how exact it is.
    City,
    /// Countries: codes, whose positions are those of the table of countries.
    Country,
    /// Autonomous systems: no place.
    Asn,
}

impl GeoIpKind {
    /// By the words of the database's type, such as `GeoLite2-City` or `DBIP-Country-Lite`.
    fn of_type(database_type: &str) -> Option<Self> {
        let has = |wanted: &str| {
            let mut words = database_type.split(|char: char| !char.is_ascii_alphanumeric());
            words.any(|word| word == wanted)
        };
        if has("City") || has("Enterprise") {
            Some(Self::City)
        } else if has("Country") {
            Some(Self::Country)
        } else {
            has("ASN").then_some(Self::Asn)
        }
    }
}

/// Why a file is no database. It says what was expected, and follows the setting's name and path.
#[derive(Debug, thiserror::Error)]
pub enum GeoIpError {
    /// The file cannot be read.
    #[error("expected a readable file: {0}")]
    Unreadable(std::io::Error),
    /// The file is larger than any database.
    #[error("expected at most {} MiB", limits::GEOIP_FILE_MAX_BYTES >> 20)]
    TooLarge,
    /// Somebody wrote to the file meanwhile.
    #[error(
        "the file changed while it was read: write a new one beside it and rename that over it"
    )]
    Changed,
    /// The file's format is another, or it is corrupt.
    #[error("expected a MaxMind DB; unpack an archive, and name the .mmdb file in it: {0}")]
    NotMmdb(maxminddb::MaxMindDbError),
    /// The database is about something else.
    #[error("expected a database of type City, Enterprise, Country or ASN, not '{0}'")]
    WrongType(String),
}

/// A database in memory.
#[derive(Debug)]
pub struct GeoIp {
    reader: Reader<Vec<u8>>,
    kind: GeoIpKind,
    failed: AtomicU64,
}

impl GeoIp {
    /// Reads the database in a file.
    pub fn open(path: &Path) -> Result<Self, GeoIpError> {
        Self::read(&File::open(path).map_err(GeoIpError::Unreadable)?).map(|(database, _)| database)
    }

    /// Reads the database in an open file; returns also what the file was like while it was read.
    fn read(file: &File) -> Result<(Self, Stamp), GeoIpError> {
        let stamp = || Ok(Stamp::of(&file.metadata().map_err(GeoIpError::Unreadable)?));
        let before = stamp()?;
        let most = limits::GEOIP_FILE_MAX_BYTES;
        if before.bytes > most {
            return Err(GeoIpError::TooLarge);
        }
        let mut bytes = Vec::with_capacity(before.bytes as usize + 1);
        // No more is taken of a device or a pipe either.
        file.take(most + 1).read_to_end(&mut bytes).map_err(GeoIpError::Unreadable)?;
        if bytes.len() as u64 > most {
            return Err(GeoIpError::TooLarge);
        }
        if stamp()? != before {
            return Err(GeoIpError::Changed);
        }
        Ok((Self::parse(bytes)?, before))
    }

    /// Reads the database in a file's bytes.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, GeoIpError> {
        let reader = Reader::from_source(bytes).map_err(GeoIpError::NotMmdb)?;
        let database_type = &reader.metadata().database_type;
        let kind = GeoIpKind::of_type(database_type).ok_or_else(|| {
            let shown = database_type.chars().take(SHOWN_CHARS).flat_map(char::escape_debug);
            GeoIpError::WrongType(shown.collect())
        })?;
        Ok(Self { reader, kind, failed: AtomicU64::new(0) })
    }

    /// What the database is about.
    pub fn kind(&self) -> GeoIpKind {
        self.kind
    }

    /// When it was built.
    pub fn built(&self) -> SystemTime {
        let since = Duration::from_secs(self.reader.metadata().build_epoch);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    /// What the database knows of the address. An address that is private, behind a carrier's
    /// address translation or otherwise special is never looked up.
    pub fn lookup(&self, address: IpAddr) -> Option<GeoHit> {
        let address = address.to_canonical();
        let is_foreign = address.is_ipv6() && self.reader.metadata().ip_version == 4;
        if is_foreign || !is_public(address) {
            return None;
        }
        let found = self.reader.lookup(address).and_then(|found| found.decode::<Record>());
        let Ok(record) = found else {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let record = record?;
        let place = if self.kind == GeoIpKind::Asn { None } else { record.place() };
        let hit = GeoHit { place, asn: record.asn() };
        (hit.place.is_some() || hit.asn.is_some()).then_some(hit)
    }

    /// How many lookups found a record that cannot be decoded.
    pub fn failed_lookups(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Characters of a database's type that an error shows.
const SHOWN_CHARS: usize = 64;

/// What changes when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}
