//! Builds the pipeline, spawns all threads and joins them. Main thread.
//!
//! In:  a checked configuration.
//! Out: the run's result.
//! Holds: every thread is named, spawned and joined here; no thread starts before a broker has
//! answered, the state folder is open and the port is bound; when a thread dies, the process ends
//! with a non-zero exit code.

mod broker;
mod diagnosis;
pub(crate) mod internal_topics;
pub(crate) mod journal_topic;
pub(crate) mod markers;
mod parts;
mod pinning;
mod places;
mod threads;
pub(crate) mod topic_settings;
mod topic_watch;
mod waits;
mod watchdog;

use std::{net::TcpListener, sync::Arc};

use crossbeam_channel::{bounded, unbounded};

use self::{
    broker::BrokerFacts, diagnosis::Questions, parts::Parts, places::Places, threads::Threads,
    topic_watch::TopicWatch, watchdog::Watchdog,
};
use crate::{
    batch::Pool,
    budget::Budget,
    client::Librdkafka,
    config::{MemoryPlan, RunConfig},
    control::Control,
    error::RunError,
    http::{self, HttpContext},
    ids::WorkerId,
    journal::CopyOf,
    kafka::{self, Admin, ClientSettings, Consumer, KafkaError, MockCluster},
    limits,
    metrics::{self, Health, Metric},
    replica::Replica,
    rows::{FolderDisk, RowDisk, RowFiles, RowFilesSettings},
    signals::{self, Wish},
    sink::{Sink, SinkSettings},
    source::{Route, Source, SourceChannels, SourceSettings},
    state::{self, JournalCopy, RecordCopy, SledTable, StateError, StateFolder},
    status::Board,
    topics::Topic,
    users::open_until_s,
    worker::{Worker, WorkerSettings},
};

/// What a run shares with its caller.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Stops the run, and has its health.
    pub control: Arc<Control>,
    /// Holds the newest snapshot.
    pub board: Arc<Board>,
}

impl Shared {
    /// Makes what a run shares, before it starts.
    pub(crate) fn new(config: &RunConfig) -> Self {
        // The source, the sink, the replica and http; the workers come on top.
        let health = Health::new(config.workers + 3 + usize::from(config.http.is_some()));
        Self { control: Control::new(health, config.workers), board: Board::new() }
    }
}

/// Runs the processor until a signal or, with `--exit-at-end`, the input's end.
pub(crate) fn run(config: RunConfig) -> Result<(), RunError> {
    let shared = Shared::new(&config);
    handle_signals(Arc::clone(&shared.control))?;
    run_with(config, shared)
}

/// As `run`, but signals are the caller's: `shared.control` ends it.
pub(crate) fn run_with(config: RunConfig, shared: Shared) -> Result<(), RunError> {
    let listener = config.http.map(http::bind).transpose()?;
    run_on(listener, config, shared)
}

/// As `run_with`, but the port of `--http` is taken already.
pub(crate) fn run_on(
    listener: Option<TcpListener>,
    config: RunConfig,
    shared: Shared,
) -> Result<(), RunError> {
    assert_eq!(listener.is_some(), config.http.is_some(), "health counts the http thread");
    let Shared { control, board } = shared;
    kafka::release_freed_pages_after(limits::FREED_PAGES_KEPT);
    let metrics = metrics::install();
    // What is wrong with the folder is said at once, not when a broker answers at last.
    if let Some(error) = state::peek(&config.state_dir).problems.into_iter().next() {
        return Err(unfit(error));
    }
    let mut places = Places::open(&config)?;
    let client = client_settings(&config);
    let admin = Admin::new(&client).map_err(refused)?;
    let Some(facts) = broker::prepare(&config, &admin, &control)? else {
        tracing::info!("stopped before a broker answered");
        return Ok(());
    };
    warn_if_memory_is_short(&config, &facts);
    let (folder, copy) = open_state(&config, &facts)?;
    let rows = config.users.is_some().then(|| open_rows(&config, &facts)).transpose()?;
    let stall_timeout = config.stall_timeout;
    let questions = Questions {
        client: client.clone(),
        input: config.topics[Topic::Input].clone(),
        group: config.group_id.clone(),
        instance: config.instance_id.clone(),
    };
    let mut watchdog = Watchdog::new(Arc::clone(&control), questions, stall_timeout);
    let is_mock = MockCluster::has_id(&facts.cluster_id);
    let mut topics = (!is_mock)
        .then(|| TopicWatch::new(Arc::clone(&control), &client, &config.topics, &facts))
        .transpose()?;
    let health = Arc::clone(control.health());
    let (token, board_shown) = (config.http_token.clone(), Arc::clone(&board));
    let about = http::About::new(&config);
    let build = [about.version, about.commit, about.librdkafka.as_str()];
    metrics::set_labeled(Metric::BuildInfo, &build, 1.0);
    let context = HttpContext { health, metrics, board: board_shown, about, token };
    let copy = Some(copy);
    let activity = Arc::clone(&control);
    let geoip = places.board();
    let parts = Parts { config, client, admin, facts, folder, copy, rows, geoip, control, board };
    start(parts, listener, context)?.join(|| {
        activity.activity().set_metrics();
        topics.iter_mut().for_each(TopicWatch::look);
        places.look();
        watchdog.look()
    })
}

fn client_settings(config: &RunConfig) -> ClientSettings {
    ClientSettings {
        brokers: config.brokers.clone(),
        properties: config.client_properties.to_vec(),
    }
}

/// Has signals handled for the whole run.
fn handle_signals(control: Arc<Control>) -> Result<(), RunError> {
    let fulfil = move |wish| match wish {
        Wish::Stop => {
            tracing::info!("signal received: finishing the open epoch");
            control.stop();
        }
        Wish::Leave(code) => {
            tracing::warn!(
                "second signal: exiting at once; the next start reads the open epoch again"
            );
            std::process::exit(code);
        }
        Wish::Report => {
            let reason = control.health().report().reason;
            tracing::info!("signal received: {reason}; {}", control.activity());
        }
    };
    signals::listen(fulfil)
        .map_err(|error| RunError::Failed(format!("cannot handle signals: {error}")))
}

/// Warns when the budget is small for the number of partitions, which is known only now. The run
/// works all the same, so this is not an error.
fn warn_if_memory_is_short(config: &RunConfig, facts: &BrokerFacts) {
    // What has a record of each event; alerts are few.
    let Some(processed) = facts.outputs.get(Topic::Processed) else { return };
    let partitions = processed.partitions as usize;
    let roomy = MemoryPlan::roomy_mib(config.workers, partitions);
    if config.memory.total < roomy << 20 {
        tracing::warn!(
            workers = config.workers,
            partitions,
            "--memory-budget is less than {roomy}MiB, which lets every worker fill a batch for \
             every partition of {}: under full load, reading will wait for commits; raise \
             --memory-budget or lower --workers",
            config.topics[Topic::Processed]
        );
    }
}

fn unfit(error: StateError) -> RunError {
    RunError::with_exit_code(error.exit_code(), error)
}

/// Whose journal the files in the state folder are of.
fn copy_of(config: &RunConfig, facts: &BrokerFacts) -> CopyOf {
    CopyOf {
        cluster_id: facts.cluster_id.clone(),
        group_id: config.group_id.clone(),
        topic: config.topics[Topic::Journal].clone(),
    }
}

/// Takes the state folder, with the local copy of the journal in it.
fn open_state(
    config: &RunConfig,
    facts: &BrokerFacts,
) -> Result<(StateFolder, Box<dyn JournalCopy>), RunError> {
    let folder = StateFolder::open(&config.state_dir).map_err(unfit)?;
    let copy = RecordCopy::new(SledTable::new(&config.state_dir), copy_of(config, facts));
    tracing::info!(
        state_dir = %config.state_dir.display(),
        instance = %config.instance_id,
        input = config.topics[Topic::Input],
        partitions = facts.input_partitions,
        journal = config.topics[Topic::Journal],
        group = config.group_id,
        workers = config.workers,
        "starting"
    );
    Ok((folder, Box::new(copy)))
}

/// Opens the files of users' rows in the state folder.
fn open_rows(config: &RunConfig, facts: &BrokerFacts) -> Result<RowFiles, RunError> {
    let folder = config.state_dir.join(state::ROWS);
    let disk = FolderDisk::open(&folder).map_err(|error| {
        RunError::Refused(format!(
            "the folder {} cannot be used: {error}; make --state-dir a folder this user may write \
             to",
            folder.display()
        ))
    })?;
    let settings = RowFilesSettings {
        of: copy_of(config, facts),
        mark_of: open_until_s,
        waiting_bytes: config.memory.rows_waiting(),
        segment_bytes: limits::ROW_SEGMENT_BYTES,
    };
    let disk: Arc<dyn RowDisk> = Arc::new(disk);
    let files = RowFiles::open(&disk, settings);
    files.map_err(|fault| RunError::Failed(fault.to_string()))
}

/// Spawns all threads.
fn start(
    mut parts: Parts,
    listener: Option<TcpListener>,
    context: HttpContext,
) -> Result<Threads, RunError> {
    let config = &parts.config;
    let budget = Budget::new(config.memory.pool);
    metrics::set(Metric::BudgetPool, config.memory.pool as f64);
    let activity = parts.control.activity();
    let input_pool = Pool::new(limits::INPUT_BATCH_BYTES, Arc::clone(&activity.input_pool));
    let output_pool = Pool::new(limits::OUTPUT_BATCH_BYTES, Arc::clone(&activity.output_pool));
    let (to_sink, sink_input) = bounded(limits::SINK_QUEUE_MESSAGES);
    // Bounded in effect: it holds at most one answer per epoch and incarnation, and the source
    // reads it every turn.
    let (to_source, from_sink) = unbounded();
    let consumer = Consumer::new(&parts.consumer()).map_err(refused)?;
    consumer.subscribe().map_err(refused)?;
    tracing::debug!("joining the group");
    let mut threads = Threads::new(Arc::clone(&parts.control));
    let mut workers = Vec::with_capacity(config.workers);
    for (number, core) in pinning::plan(config.workers).into_iter().enumerate() {
        let (to_worker, input) = bounded(limits::WORKER_QUEUE_BATCHES);
        workers.push(to_worker);
        let settings = WorkerSettings {
            id: WorkerId(number),
            task: parts.task(),
            budget: Arc::clone(&budget),
            input_pool: input_pool.clone(),
            output_pool: output_pool.clone(),
        };
        let worker = Worker::new(settings, to_sink.clone(), Arc::clone(&parts.control));
        threads.spawn(format!("worker-{number}"), move || {
            pinning::pin(core);
            worker.run(&input)
        })?;
    }
    if let Some(listener) = listener {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        threads.spawn_service("http", stop, move || http::serve(listener, context, stopped))?;
    }
    let (output_settings, identity) = (parts.outputs(), parts.identity());
    let introduction = parts.introduction();
    let registers = output_settings.producer.transactional.is_some();
    let source_settings = SourceSettings {
        topic: config.topics[Topic::Input].clone(),
        instance: config.instance_id.to_string(),
        consumer: parts.consumer(),
        registration: registers.then(|| output_settings.producer.clone()),
        route: match config.users {
            Some(_) => Route::ByPartition,
            None => Route::ByUser(config.event.fields.clone()),
        },
        rules: config.window,
        commit_interval: config.commit_interval,
        timing: config.timing,
        idle_timeout: config.idle_timeout,
        start_from: config.start_from,
        on_unreadable_batch: config.on_unreadable_batch,
        exit_at_end: config.exit_at_end,
        leave_on_stop: config.leave_on_stop,
        has_topic_ids: !MockCluster::has_id(&parts.facts.cluster_id),
        topics: config.topics.clone(),
        outputs: parts.facts.outputs.map(|_, topic| topic.partitions),
        journal_partitions: parts.facts.outputs[Topic::Journal].partitions,
        budget: Arc::clone(&budget),
        most_bytes: parts.most_bytes(),
        input_pool,
    };
    let channels = SourceChannels { workers, sink: to_sink, from_sink };
    let control = Arc::clone(&parts.control);
    let (replica, replica_link) =
        Replica::new(parts.replica(), Librdkafka::default(), Arc::clone(&control))?;
    let Parts { config, admin, folder, board, .. } = parts;
    let sink_settings = SinkSettings {
        workers: config.workers,
        outputs: output_settings,
        rules: config.window,
        has_rows: config.users.is_some(),
        instance: config.instance_id.clone(),
        introduction,
        identity,
        timing: config.timing,
        on_topic_recreated: config.on_topic_recreated,
        stats_interval: config.stats_interval,
        board,
        replica: replica_link,
        committer: consumer.committer(),
        budget,
        output_pool,
    };
    let sink = Sink::new(sink_settings, Librdkafka::default(), to_source, Arc::clone(&control))?;
    threads.spawn("replica".to_owned(), move || {
        let _folder = folder;
        replica.run()
    })?;
    threads.spawn("sink".to_owned(), move || sink.run(&sink_input))?;
    let source =
        Source::new(source_settings, Librdkafka::default(), consumer, admin, channels, control);
    threads.spawn("source".to_owned(), move || source.run())?;
    Ok(threads)
}

/// Converts an error from before anything was read: of the configuration, or of a broker.
fn refused(error: KafkaError) -> RunError {
    match error {
        KafkaError::Config { text } => RunError::Refused(text),
        error => RunError::Kafka(error.to_string()),
    }
}
