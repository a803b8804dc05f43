//! The parts of a running demo: embedded broker, pipeline, generator.
//!
//! Made and joined by the main thread; pipeline and generator have a thread each. Holds: the broker
//! outlives everything that talks to it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    thread::JoinHandle,
};

use jiff::Timestamp;
use loadgen::{
    Failure, Sent, Stop,
    embedded::{self, Load},
};

use super::settings::{Settings, name_of, partitions_of, state_dir};
use crate::{
    config::RunConfig,
    error::RunError,
    http,
    kafka::MockCluster,
    metrics::HealthReport,
    pipeline::{self, Shared},
    status::Snapshot,
    topics::Topic,
};

/// The port of `run`; another one when it is taken.
const USUAL_PORT: u16 = 9464;

/// Everything that runs.
pub(super) struct Parts {
    broker: MockCluster,
    shared: Shared,
    pipeline: Option<JoinHandle<Result<(), RunError>>>,
    generator: Option<JoinHandle<Result<Sent, Failure>>>,
    load: Option<Load>,
}

/// Takes the port of metrics and health: the usual one, or any that is free.
pub(super) fn bind() -> Result<(TcpListener, SocketAddr), RunError> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = http::bind(local(USUAL_PORT)).or_else(|_| http::bind(local(0)))?;
    let address = listener.local_addr();
    let address = address.map_err(|error| RunError::Failed(format!("the HTTP port: {error}")))?;
    Ok((listener, address))
}

impl Parts {
    /// Starts broker and pipeline.
    pub(super) fn start(
        settings: &Settings,
        folder: &Path,
        (listener, http): (TcpListener, SocketAddr),
    ) -> Result<Self, RunError> {
        let failed = |error| RunError::Failed(format!("the embedded broker: {error}"));
        let broker = MockCluster::new(1).map_err(failed)?;
        for topic in Topic::COUNTING {
            broker.create_topic(&name_of(topic), partitions_of(topic)).map_err(failed)?;
        }
        let config: RunConfig = settings.config(&broker.brokers(), state_dir(folder), http);
        let shared = Shared::new(&config);
        let of_pipeline = shared.clone();
        let pipeline =
            spawn("pipeline", move || pipeline::run_on(Some(listener), config, of_pipeline))?;
        let (pipeline, generator) = (Some(pipeline), None);
        Ok(Self { broker, shared, pipeline, generator, load: None })
    }

    /// Starts to send events, as of now.
    pub(super) fn start_load(&mut self, settings: &Settings, stop: &Stop) -> Result<(), RunError> {
        let now_s = Timestamp::now().as_second();
        let load = settings.load(&self.broker.brokers(), now_s);
        let (of_generator, stop) = (load.clone(), stop.clone());
        let generator = spawn("load", move || embedded::produce(&of_generator, &stop))?;
        (self.load, self.generator) = (Some(load), Some(generator));
        Ok(())
    }

    /// What was sent, once all of it is.
    pub(super) fn sent(&mut self) -> Option<Result<Sent, RunError>> {
        let generator = self.generator.take_if(|generator| generator.is_finished())?;
        Some(joined(generator, "load").and_then(|sent| {
            sent.map_err(|error| RunError::Failed(format!("the load generator: {error}")))
        }))
    }

    /// The pipeline's error, or that it has ended by itself, which it must not.
    pub(super) fn pipeline_failure(&mut self) -> Option<RunError> {
        let pipeline = self.pipeline.take_if(|pipeline| pipeline.is_finished())?;
        let ended = || RunError::Failed("the pipeline ended by itself".to_owned());
        Some(match joined(pipeline, "pipeline") {
            Ok(Ok(())) => ended(),
            Ok(Err(error)) | Err(error) => error,
        })
    }

    /// Stops the pipeline in order.
    pub(super) fn stop_pipeline(&mut self) -> Result<(), RunError> {
        self.shared.control.stop();
        self.pipeline.take().map_or(Ok(()), |pipeline| joined(pipeline, "pipeline")?)
    }

    /// The load, once it was begun.
    pub(super) fn load(&self) -> Option<&Load> {
        self.load.as_ref()
    }

    /// The pipeline's newest snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.board.newest()
    }

    /// The pipeline's health.
    pub(super) fn health(&self) -> HealthReport {
        self.shared.control.health().report()
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, RunError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(body).map_err(|error| RunError::Failed(format!("no thread for {name}: {error}")))
}

fn joined<T>(thread: JoinHandle<T>, name: &str) -> Result<T, RunError> {
    thread.join().map_err(|panic| RunError::ThreadDied {
        name: name.to_owned(),
        message: panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message")
            .to_owned(),
    })
}
