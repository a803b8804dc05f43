//! A database that is read again when its file changes.
//!
//! Owned by one thread, which reads a new file itself: some hundred milliseconds for a database of
//! cities. In: the times at which it is asked. Out: the database, shared with whoever looks up.
//! Holds: there is always a whole database; one that cannot be used never takes its place.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{GeoIp, GeoIpError, Stamp};
use crate::limits;

/// A database and the file that it came from.
#[derive(Debug)]
pub struct ReloadingGeoIp {
    path: PathBuf,
    current: Arc<GeoIp>,
    /// The file that was read last, whether it could be used or not; `None` when there was none.
    seen: Option<Stamp>,
    next_look: Instant,
    /// The log has said how old the database is.
    is_known_as_old: bool,
}

/// What a look at the file found.
#[derive(Debug)]
enum Look {
    /// The file is as before, or is being written.
    Same,
    /// A new database has taken the old one's place.
    Replaced,
    /// The file has changed and cannot be used.
    Refused(GeoIpError),
}

impl ReloadingGeoIp {
    /// Reads the database in a file. `now` and `wall` are the same moment on two clocks.
    pub fn open(path: &Path, now: Instant, wall: SystemTime) -> Result<Self, GeoIpError> {
        let file = File::open(path).map_err(GeoIpError::Unreadable)?;
        let (database, stamp) = GeoIp::read(&file)?;
        let mut this = Self {
            path: path.to_owned(),
            current: Arc::new(database),
            seen: Some(stamp),
            next_look: now + limits::GEOIP_LOOK_INTERVAL,
            is_known_as_old: false,
        };
        this.say_when_old(wall);
        Ok(this)
    }

    /// The database. Looks whether its file has changed, unless it has done so within
    /// [`limits::GEOIP_LOOK_INTERVAL`].
    pub fn current(&mut self, now: Instant, wall: SystemTime) -> &Arc<GeoIp> {
        if now >= self.next_look {
            self.next_look = now + limits::GEOIP_LOOK_INTERVAL;
            let look = self.look();
            let path = self.path.display();
            match look {
                Look::Same => {}
                Look::Replaced => tracing::info!(%path, "read the new --geoip database"),
                Look::Refused(error) => tracing::warn!(
                    %path,
                    "cannot use the new --geoip database, the one read before stays in use: {error}"
                ),
            }
            self.say_when_old(wall);
        }
        &self.current
    }

    /// Reads the file when it is not the one that was read last.
    fn look(&mut self) -> Look {
        let found = fs::metadata(&self.path);
        let stamp = found.as_ref().ok().map(Stamp::of);
        if stamp == self.seen {
            return Look::Same;
        }
        let read = File::open(&self.path).map_err(GeoIpError::Unreadable);
        match read.and_then(|file| GeoIp::read(&file)) {
            Ok((database, stamp)) => {
                (self.current, self.seen) = (Arc::new(database), Some(stamp));
                self.is_known_as_old = false;
                Look::Replaced
            }
            // The next look reads it again.
            Err(GeoIpError::Changed) => Look::Same,
            Err(error) => {
                self.seen = stamp;
                Look::Refused(error)
            }
        }
    }

    /// Logs once per database that it is old. Returns whether it did.
    fn say_when_old(&mut self, wall: SystemTime) -> bool {
        let age = wall.duration_since(self.current.built()).unwrap_or_default();
        if self.is_known_as_old || age < limits::GEOIP_STALE_AGE {
            return false;
        }
        self.is_known_as_old = true;
        let (path, days) = (self.path.display(), age.as_secs() / 86_400);
        tracing::warn!(
            %path,
            "the --geoip database was built {days} days ago: replace it, addresses move"
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use maxminddb_writer::metadata::IpVersion;

    use super::*;
    use crate::users::place::geoip::tests::{BUILT_S, database};

    fn write_database(path: &Path) {
        let beside = path.with_extension("new");
        let bytes = database("GeoLite2-ASN", IpVersion::V4, &[]);
        fs::write(&beside, bytes).expect("writable");
        fs::rename(beside, path).expect("renamed");
    }

    fn built() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(BUILT_S)
    }

    #[test]
    fn a_change_is_reported_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("asn.mmdb");
        write_database(&path);
        let mut reloading =
            ReloadingGeoIp::open(&path, Instant::now(), built()).expect("a database");
        assert!(matches!(reloading.look(), Look::Same));
        fs::write(&path, "text").expect("writable");
        assert!(matches!(reloading.look(), Look::Refused(GeoIpError::NotMmdb(_))));
        assert!(matches!(reloading.look(), Look::Same));
        fs::remove_file(&path).expect("removed");
        assert!(matches!(reloading.look(), Look::Refused(GeoIpError::Unreadable(_))));
        assert!(matches!(reloading.look(), Look::Same));
        write_database(&path);
        assert!(matches!(reloading.look(), Look::Replaced));
        assert!(matches!(reloading.look(), Look::Same));
    }

    #[test]
    fn an_old_database_is_reported_once_until_it_is_replaced() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("asn.mmdb");
        write_database(&path);
        let mut reloading =
            ReloadingGeoIp::open(&path, Instant::now(), built()).expect("a database");
        let old = built() + limits::GEOIP_STALE_AGE;
        assert!(!reloading.say_when_old(old - Duration::from_secs(1)));
        assert!(reloading.say_when_old(old));
        assert!(!reloading.say_when_old(old + Duration::from_hours(24)));
        write_database(&path);
        assert!(matches!(reloading.look(), Look::Replaced));
        // A clock before the database's is no reason to say anything.
        assert!(!reloading.say_when_old(UNIX_EPOCH));
        assert!(reloading.say_when_old(old));
    }
}
