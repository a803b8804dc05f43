//! Watches the logins of some shards: from an enriched event to what is said of it.
//!
//! In:  the records of each shard's partition, in the order of their offsets.
//! Out: records of alerts and sessions; the rows of what has changed.
//! Holds: what comes out of a shard depends on its records and the settings alone.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Detector, DetectorSettings, LoginReader, LoginText, Origin, Profiles, ReadingSettings, Rule,
    Severity, activity::activity, ocsf, place::GeoIpBoard,
};
use crate::{
    event::{EventConfig, Parser, Reject, SoftProblems},
    failpoint::{self, Fault},
    ids::{EventTimeMs, PartitionId, Position},
    journal::{RowChanges, Rows},
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
    shards: BTreeMap<PartitionId, Profiles>,
    /// A record, to reuse its memory.
    text: Vec<u8>,
}

impl Watch {
    /// One that knows nothing yet.
    pub fn new(settings: WatchSettings) -> Self {
        let WatchSettings { event, reading, detector, cluster_id, topic, geoip } = settings;
        Self {
            cluster_id,
            topic,
            parser: Parser::new(&event),
            reader: LoginReader::new(reading),
            detector: Detector::new(detector),
            geoip,
            geoip_version: 0,
            shards: BTreeMap::new(),
            text: Vec::new(),
        }
    }

    /// Goes on with what these rows say. `shards`: number of partitions when the group began.
    pub fn begin(&mut self, rows: Vec<(PartitionId, Arc<Rows>)>, shards: u32) {
        self.detector.set_shards(shards);
        if failpoint::is_planted(Fault::RowsKept) && !self.shards.is_empty() {
            return;
        }
        let shard = |(partition, rows): (_, Arc<Rows>)| (partition, Profiles::of(partition, &rows));
        self.shards = rows.into_iter().map(shard).collect();
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
    /// Why it is a dead letter, and what `says` returns.
    pub fn take<E>(
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
        let shard = self.shards.entry(position.partition).or_default();
        let judged = shard.judge(&self.detector, &login, event.user_id);
        let partition = position.partition;
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

    /// Takes the rows that have changed.
    pub fn take_changes(&mut self) -> Vec<RowChanges> {
        self.shards.iter_mut().filter_map(|(p, shard)| shard.take_changes(*p)).collect()
    }

    /// Forgets all shards.
    pub fn clear(&mut self) {
        if failpoint::is_planted(Fault::RowsKept) {
            return;
        }
        self.shards.clear();
    }
}
