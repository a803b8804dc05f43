//! Watches the logins of some shards: from an enriched event to what is said of it.
//!
//! In:  the records of each shard's partition, in the order of their offsets.
//! Out: records of alerts and sessions; the rows of what has changed.
//! Holds: what comes out of a shard depends on its records and the settings alone.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use super::{
    Detector, DetectorSettings, LoginReader, LoginText, Origin, Profiles, ReadingSettings, Rule,
    Severity, activity::activity, ocsf, place::GeoIpBoard,
};
use crate::{
    event::{EventConfig, Parser, Reject, SoftProblems},
    failpoint::{self, Fault},
    ids::{Epoch, EventTimeMs, PartitionId, Position},
    journal::RowChanges,
    rows::{RowFault, RowReader},
};

/// What logins are read and judged by.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// How an event is read.
    pub event: EventConfig,
    /// How a login is.
    pub reading: ReadingSettings,
    /// The rules.
    pub detector: DetectorSettings,
    /// Id of the Kafka cluster.
    pub cluster_id: String,
    /// The topic of the enriched events.
    pub topic: String,
    /// Where the places of addresses are found, if not by `locale`.
    pub geoip: Option<Arc<GeoIpBoard>>,
    /// The rows of all shards.
    pub rows: RowReader,
    /// Room for rows in memory, bytes.
    pub room_bytes: usize,
}

/// What is known of partitions from before.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// All that are read, where rows go by partition: at a worker, its own.
    pub owned: Vec<PartitionId>,
    /// Those of which rows may be missing: none of theirs count.
    pub anew: Vec<PartitionId>,
    /// Number of input partitions when the group began.
    pub first_partitions: u32,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// An alert about a login.
    Alert(Rule, Severity),
    /// A session that is over.
    Session,
}

/// What is to be counted of a login.
#[derive(Debug, Clone, Copy)]
pub struct Noticed {
    /// When it happened.
    pub event_time: EventTimeMs,
    /// What was odd about its record.
    pub soft: SoftProblems,
    /// It was too late to say anything.
    pub is_late: bool,
}

/// Watches shards.
pub struct Watch {
    cluster_id: String,
    topic: String,
    parser: Parser,
    reader: LoginReader,
    detector: Detector,
    geoip: Option<Arc<GeoIpBoard>>,
    /// Version of the database that is used.
    geoip_version: u64,
    rows: RowReader,
    room_bytes: usize,
    /// The epoch that is open.
    epoch: Epoch,
    /// Room for the rows of a shard in memory, bytes.
    shard_room_bytes: usize,
    shards: BTreeMap<PartitionId, Profiles>,
    /// A record, to reuse its memory.
    text: Vec<u8>,
}

impl Watch {
    /// One that knows nothing yet.
    pub fn new(settings: WatchSettings) -> Self {
        let WatchSettings { event, reading, detector, cluster_id, topic, .. } = settings;
        let (geoip, rows, room_bytes) = (settings.geoip, settings.rows, settings.room_bytes);
        Self {
            cluster_id,
            topic,
            parser: Parser::new(&event),
            reader: LoginReader::new(reading),
            detector: Detector::new(detector),
            geoip,
            geoip_version: 0,
            rows,
            room_bytes,
            epoch: Epoch::default(),
            shard_room_bytes: room_bytes,
            shards: BTreeMap::new(),
            text: Vec::new(),
        }
    }

    /// Goes on with what the rows say, from this epoch on.
    pub fn begin(&mut self, epoch: Epoch, inherited: &Inherited) {
        self.detector.set_shards(inherited.first_partitions);
        self.epoch = epoch;
        if failpoint::is_planted(Fault::RowsKept) && !self.shards.is_empty() {
            return;
        }
        let shards = inherited.owned.len().max(1);
        self.shard_room_bytes = self.room_bytes / shards;
        let of = |p: &PartitionId| (*p, inherited.anew.contains(p));
        let shards = inherited.owned.iter().map(of);
        let shards = shards.map(|(p, begins_anew)| (p, self.shard(p, begins_anew)));
        self.shards = shards.collect();
    }

    fn shard(&self, partition: PartitionId, begins_anew: bool) -> Profiles {
        Profiles::of(partition, &self.rows, (begins_anew, self.epoch), self.shard_room_bytes)
    }

    /// Uses the newest database of places from here on.
    pub fn look(&mut self) {
        let board = self.geoip.as_ref();
        if let Some(newer) = board.and_then(|board| board.newer(&mut self.geoip_version)) {
            self.reader.look_up_in(newer);
        }
    }

    /// Takes a record in. `says` is given the user and a record's value, for each that comes of it.
    ///
    /// # Errors
    /// Why it is a dead letter, that rows cannot be read, and what `says` returns.
    pub fn take<E: From<RowFault>>(
        &mut self,
        position: Position,
        value: &[u8],
        mut says: impl FnMut(Said, &str, &[u8]) -> Result<(), E>,
    ) -> Result<Result<Noticed, Reject>, E> {
        let event = match self.parser.parse(value, position.timestamp_ms) {
            Ok(event) => event,
            Err(reject) => return Ok(Err(reject)),
        };
        let login = self.reader.read(position, &event);
        let partition = position.partition;
        let shard = match self.shards.entry(partition) {
            Entry::Occupied(shard) => shard.into_mut(),
            // It was added since.
            Entry::Vacant(vacant) => vacant.insert(Profiles::of(
                partition,
                &self.rows,
                (false, self.epoch),
                self.shard_room_bytes,
            )),
        };
        let judged = shard.judge(&self.detector, &login, event.user_id)?;
        let origin = Origin { cluster_id: &self.cluster_id, topic: &self.topic, partition };
        let mut say = |said, user_id: &str, record: &serde_json::Value| {
            self.text.clear();
            serde_json::to_writer(&mut self.text, record).expect("it is written into memory");
            says(said, user_id, &self.text)
        };
        for alert in &judged.alerts {
            let login = LoginText {
                time_ms: event.event_time.0,
                offset: position.offset,
                user_id: event.user_id,
                ip: event.ip,
                device_id: event.device_id,
                device_type: event.device_type,
                app_version: event.app_version,
                locale: event.locale,
            };
            let record = ocsf::record(alert, &login, origin, shard.state());
            say(Said::Alert(alert.rule, alert.finding.severity), event.user_id, &record)?;
        }
        for (user_id, session) in &judged.over {
            say(Said::Session, user_id, &activity(user_id, session, origin))?;
        }
        let (event_time, soft, is_late) = (event.event_time, event.soft, judged.is_late);
        Ok(Ok(Noticed { event_time, soft, is_late }))
    }

    /// Memory of what has changed since changes were last taken, bytes.
    pub fn changed_bytes(&self) -> usize {
        self.shards.values().map(Profiles::changed_bytes).sum()
    }

    /// Memory of rows beyond the room for them, bytes.
    pub fn excess_bytes(&self) -> usize {
        self.shards.values().map(Profiles::excess_bytes).sum()
    }

    /// Takes the rows that have changed in the epoch that ends.
    pub fn take_changes(&mut self) -> Vec<RowChanges> {
        let epoch = self.epoch;
        self.epoch = epoch.next();
        self.shards.values_mut().filter_map(|shard| shard.take_changes(epoch)).collect()
    }

    /// Forgets all shards.
    pub fn clear(&mut self) {
        if failpoint::is_planted(Fault::RowsKept) {
            return;
        }
        self.shards.clear();
    }
}
