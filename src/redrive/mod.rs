//! `logintide redrive`: puts dead letters back into the input topic, each once.
//!
//! Runs on the main thread of a process of its own; processors may run at the same time. In: the
//! dead-letter topic up to the ends it has at the start. Out: records in the input topic, in
//! transactions that also hold the progress; a summary on stdout.
//! Holds: it joins no group and shares neither group nor transactional id with a processor.

mod args;
mod progress;
mod report;
mod scan;
mod selection;
mod writer;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

pub(crate) use self::args::RedriveArgs;
use self::{
    args::RedriveConfig,
    progress::Done,
    report::ProgressDisplay,
    scan::{Scan, Start},
    writer::Writer,
};
use crate::{
    client::{NoFirstAnswer, first_answer, patiently, settled_logs},
    error::RunError,
    ids::PartitionId,
    kafka::{
        Admin, CommittedOffset, Consumer, ConsumerSettings, KafkaError, find_topics, topic_config,
    },
    limits,
    output::{StartLogging, printed},
    plain::{Plain, Style},
    signals::{self, Wish},
};

/// Redrives what was selected, until the end or a signal.
pub(crate) fn run(args: &RedriveArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let config = args.checked()?;
    start_logging(config.log_format, None)?;
    let stop = stop_on_signals()?;
    let mut session = Session::open(&config)?;
    let done = session.work(&stop);
    let left = if done.is_ok() { session.scan.left() } else { 0 };
    let mut out = Plain::new(io::stdout().lock(), Style::Text);
    printed(session.scan.counts().show(&mut out, &config, left))?;
    done
}

/// The first signal stops the run after the open transaction, the second ends it at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, RunError> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let fulfil = move |wish| match wish {
        Wish::Stop => asked.store(true, Relaxed),
        Wish::Leave(code) => std::process::exit(code),
        // Its progress is shown all the time.
        Wish::Report => {}
    };
    signals::listen(fulfil)
        .map_err(|error| RunError::Failed(format!("signals cannot be handled: {error}")))?;
    Ok(stop)
}

struct Session<'a> {
    config: &'a RedriveConfig,
    scan: Scan,
    /// `None` in a dry run.
    writer: Option<Writer>,
}

impl<'a> Session<'a> {
    fn open(config: &'a RedriveConfig) -> Result<Self, RunError> {
        let admin = Admin::new(&config.client).map_err(failed)?;
        let partitions = partitions(config, &admin)?;
        let largest = largest(config, &admin).map_err(failed)?;
        let consumer = Consumer::new(&ConsumerSettings {
            client: config.client.clone(),
            group_id: config.progress_group(),
            instance_id: None,
            topic: config.dead_letter_topic.clone(),
            fetch_queue_kbytes: limits::SCAN_QUEUE_BYTES / 1024,
            session_timeout: limits::SESSION_TIMEOUT,
            max_poll_interval: limits::SESSION_TIMEOUT,
            reads_uncommitted: false,
        })
        .map_err(failed)?;
        let writer = (!config.dry_run).then(|| Writer::new(config, largest)).transpose();
        // NOTE: read behind the registration, which ends what a killed run has left open.
        let writer = writer.map_err(failed)?;
        let starts = starts(config, &consumer, &partitions)?;
        // Half a second's worth in each, so that the rate is even.
        let per_batch = config.rate.map_or(usize::MAX, |rate| rate.div_ceil(2) as usize);
        let per_batch = per_batch.min(limits::REDRIVE_BATCH_RECORDS);
        let selection = config.selection.clone();
        let scan = Scan::begin(consumer, selection, starts, largest, per_batch).map_err(failed)?;
        Ok(Self { config, scan, writer })
    }

    fn work(&mut self, stop: &AtomicBool) -> Result<(), RunError> {
        let mut progress = ProgressDisplay::new(self.scan.left());
        let result = self.transactions(stop, &mut progress);
        progress.finish();
        result
    }

    fn transactions(
        &mut self,
        stop: &AtomicBool,
        show: &mut ProgressDisplay,
    ) -> Result<(), RunError> {
        let began = Instant::now();
        loop {
            let stopped = || stop.load(Relaxed);
            let batch = self.scan.next(stopped, |counts| show.show(counts))?;
            if batch.records.is_empty() {
                return Ok(());
            }
            if let Some(writer) = &self.writer {
                writer.send(&batch, &self.scan.progress()?)?;
                self.scan.sent(batch.records.len());
                self.pause(began, stop);
            }
            show.show(self.scan.counts());
        }
    }

    /// Waits until the records sent so far are due.
    fn pause(&self, began: Instant, stop: &AtomicBool) {
        let Some(rate) = self.config.rate else { return };
        let due = Duration::from_secs_f64(self.scan.counts().sent as f64 / f64::from(rate));
        while began.elapsed() < due && !stop.load(Relaxed) {
            let left = due.saturating_sub(began.elapsed());
            std::thread::sleep(left.min(limits::BROKER_RETRY_PAUSE));
        }
    }
}

/// The partitions of the dead-letter topic. Both topics must exist.
fn partitions(config: &RedriveConfig, admin: &Admin) -> Result<Vec<PartitionId>, RunError> {
    let names = [config.dead_letter_topic.as_str(), config.input_topic.as_str()];
    let topics = first_answer(&config.client.brokers, || {
        find_topics(admin, &names, limits::BROKER_QUERY_TIMEOUT)
    });
    let topics = topics.map_err(|error| match error {
        NoFirstAnswer::Silence(text) => RunError::Kafka(text),
        NoFirstAnswer::Error(error) => failed(error),
    })?;
    let missing: Vec<&str> =
        topics.iter().filter(|t| t.partitions.is_none()).map(|t| t.name.as_str()).collect();
    match topics.first().and_then(|topic| topic.partitions) {
        Some(count) if missing.is_empty() => Ok((0..count).map(PartitionId).collect()),
        _ => Err(RunError::Refused(format!(
            "topics missing on {}: {}; name others with --dead-letter-topic and --input-topic",
            config.client.brokers,
            missing.join(", ")
        ))),
    }
}

/// Bytes of the largest record that the client and the input topic accept.
fn largest(config: &RedriveConfig, admin: &Admin) -> Result<usize, KafkaError> {
    let mut of_user = config.client.properties.iter().rev();
    let of_client = of_user.find(|(name, _)| name == "message.max.bytes");
    let of_client = of_client.and_then(|(_, bytes)| bytes.parse().ok());
    let of_client = of_client.unwrap_or(limits::MESSAGE_MAX_BYTES);
    let asked =
        patiently(|| topic_config(admin, &[&config.input_topic], limits::BROKER_QUERY_TIMEOUT));
    match asked {
        Ok(settings) => {
            let of_topic = settings.first().and_then(|settings| settings.get("max.message.bytes"));
            let of_topic = of_topic.and_then(|bytes| bytes.parse().ok());
            Ok(of_topic.unwrap_or(of_client).min(of_client))
        }
        // Then Kafka's default is as good a guess.
        Err(error) if error.is_authorization() => Ok(of_client),
        Err(error) => Err(error),
    }
}

/// Where each partition begins and ends, and what earlier runs have sent of it.
fn starts(
    config: &RedriveConfig,
    consumer: &Consumer,
    partitions: &[PartitionId],
) -> Result<Vec<Start>, RunError> {
    let timeout = limits::RECOVERY_QUERY_TIMEOUT;
    let committed = patiently(|| consumer.committed(partitions, timeout)).map_err(failed)?;
    let topic = &config.dead_letter_topic;
    let everything = Admin::read_uncommitted(&config.client).map_err(failed)?;
    let settled = settled_logs(consumer, &everything, topic, partitions).map_err(failed)?;
    if settled.hidden > 0 {
        tracing::warn!(
            offsets = settled.hidden,
            topic,
            "behind the start of a transaction that is still open; left to the next run"
        );
    }
    let committed = partitions.iter().zip(committed);
    let start = |(partition, committed): (&PartitionId, CommittedOffset)| {
        let (low, end) = *settled.logs.get(partition)?;
        Some(done(config, &committed).map(|done| (*partition, low, end, done)))
    };
    committed.filter_map(start).collect()
}

fn done(config: &RedriveConfig, committed: &CommittedOffset) -> Result<Done, RunError> {
    if config.again || committed.offset.is_none() {
        return Ok(Done::default());
    }
    let group = config.progress_group();
    match Done::decode(&committed.metadata) {
        Some((topic, done)) if topic == config.input_topic => Ok(done),
        Some((topic, _)) => Err(RunError::Refused(format!(
            "the group {group} has the progress of another input, {topic}; name it with \
             --input-topic, or give --group-id of the processor that reads {}",
            config.input_topic
        ))),
        None => Err(RunError::Refused(format!(
            "the group {group} has offsets that are no progress of this program, or of a later \
             version; give another --group-id, or ignore them with --again"
        ))),
    }
}

/// Whether an error of the client is one of the configuration or of the broker.
fn failed(error: KafkaError) -> RunError {
    match error {
        KafkaError::Config { text } => RunError::Refused(text),
        error => RunError::Kafka(error.to_string()),
    }
}
