//! Looks after the database of places that an operator names. Main thread.
//!
//! In:  the file. Out: the newest database, for the workers.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use crate::{
    config::RunConfig,
    error::RunError,
    users::place::{GeoIpBoard, ReloadingGeoIp},
};

/// The database, if there is one.
pub(super) struct Places(Option<(ReloadingGeoIp, Arc<GeoIpBoard>)>);

impl Places {
    /// Reads the file that the settings name.
    pub(super) fn open(config: &RunConfig) -> Result<Self, RunError> {
        let path = config.users.as_ref().and_then(|users| users.geoip.as_ref());
        let Some(path) = path else { return Ok(Self(None)) };
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut file = ReloadingGeoIp::open(path, now, wall).map_err(|error| {
            RunError::Refused(format!("invalid value '{}' for '--geoip': {error}", path.display()))
        })?;
        let board = Arc::new(GeoIpBoard::new(Arc::clone(file.current(now, wall))));
        Ok(Self(Some((file, board))))
    }

    /// Where workers find it.
    pub(super) fn board(&self) -> Option<Arc<GeoIpBoard>> {
        self.0.as_ref().map(|(_, board)| Arc::clone(board))
    }

    /// Looks whether the file has changed.
    pub(super) fn look(&mut self) {
        if let Some((file, board)) = &mut self.0 {
            board.publish(file.current(Instant::now(), SystemTime::now()));
        }
    }
}
