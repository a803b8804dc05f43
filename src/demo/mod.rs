//! `logintide demo`: embedded broker, load, pipeline and judge in one process.
//!
//! On the main thread: starts the parts, shows what they do, ends them in order, audits. In: three
//! flags. Out: a screen or lines on stdout, the audit, exit code 1 if anything is wrong.
//! Holds: nothing is left behind but what a kill leaves, and that the next demo removes.

mod args;
mod audit;
mod folder;
mod parts;
mod screen;
mod settings;
mod signals;

use std::{
    fs::File,
    io::{self, Write},
    net::SocketAddr,
    thread,
    time::Instant,
};

use loadgen::{Sent, Stop, embedded};

pub(crate) use self::args::DemoArgs;
use self::{
    audit::Audit,
    folder::Folder,
    parts::Parts,
    screen::{DemoPhase, Screen, View},
    settings::Settings,
};
use crate::{
    config::LogFormat,
    error::RunError,
    limits,
    metrics::Health,
    output::{StartLogging, printed},
    plain::{Plain, Style},
    status::Snapshot,
};

/// Runs the demo to its end.
pub(crate) fn run(args: &DemoArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let began = Instant::now();
    let settings = Settings::check(args)?;
    let folder = Folder::create()?;
    let log = File::create(folder.log()).map_err(|error| {
        RunError::Failed(format!("the demo's log {}: {error}", folder.log().display()))
    })?;
    start_logging(LogFormat::Text, Some(log))?;
    let stop = Stop::default();
    signals::watch(&stop, folder.path())?;
    let (listener, http) = parts::bind()?;
    let mut screen = Screen::new(began);
    // Before the parts, which may take a second, so that the screen is not empty meanwhile.
    let view = View {
        phase: DemoPhase::Starting,
        settings: &settings,
        snapshot: &Snapshot::default(),
        health: &Health::new(1).report(),
        http,
        log: &folder.log(),
    };
    printed(screen.show(&view, false))?;
    let parts = Parts::start(&settings, folder.path(), (listener, http))?;
    let mut demo = Demo { parts, screen, settings, folder: &folder, http, stop };
    match demo.run() {
        Ok(()) => Ok(()),
        Err(error) => {
            drop(demo);
            let kept = folder.keep();
            let kept = format!("the log is in {} until the next demo", kept.display());
            Err(RunError::Failed(format!("{error}\n{kept}")))
        }
    }
}

/// A demo that runs.
struct Demo<'a> {
    parts: Parts,
    screen: Screen,
    settings: Settings,
    folder: &'a Folder,
    http: SocketAddr,
    stop: Stop,
}

impl Demo<'_> {
    fn run(&mut self) -> Result<(), RunError> {
        self.start()?;
        let sent = self.send()?;
        self.finish(&sent)?;
        self.audit(sent)
    }

    /// Until the pipeline has its partitions.
    fn start(&mut self) -> Result<(), RunError> {
        let deadline = Instant::now() + limits::DEMO_START_DEADLINE;
        while !self.parts.health().ready {
            if Instant::now() > deadline {
                let reason = self.parts.health().reason;
                return Err(RunError::Failed(format!(
                    "the pipeline is not ready after {:?}: {reason}",
                    limits::DEMO_START_DEADLINE
                )));
            }
            self.tick(DemoPhase::Starting)?;
        }
        Ok(())
    }

    /// Until the last event is sent.
    fn send(&mut self) -> Result<Sent, RunError> {
        self.parts.start_load(&self.settings, &self.stop)?;
        let began = Instant::now();
        loop {
            if let Some(sent) = self.parts.sent() {
                return sent;
            }
            self.tick(DemoPhase::Sending(began.elapsed()))?;
        }
    }

    /// Until everything is committed and every window closed, then stops the pipeline. What is not
    /// done in time is the audit's to say.
    fn finish(&mut self, sent: &Sent) -> Result<(), RunError> {
        let deadline = Instant::now() + self.settings.finish_deadline();
        while Instant::now() < deadline {
            let snapshot = self.parts.snapshot();
            let all_in = snapshot.totals.events_in >= sent.records;
            if all_in && snapshot.open_window_count == 0 {
                break;
            }
            self.tick(DemoPhase::Finishing)?;
        }
        self.show(DemoPhase::Finishing, true)?;
        self.parts.stop_pipeline()
    }

    fn audit(&mut self, sent: Sent) -> Result<(), RunError> {
        let counted = self.parts.snapshot().as_ref().clone();
        let load = self.parts.load().expect("it was begun, as something was sent");
        let processing = self.settings.processing(counted.process.rollbacks);
        printed(self.screen.say("\nAudit: recounting everything from the topics …\n"))?;
        // Not `self.stop`: that one says to stop sending.
        let verdict = embedded::verify(load, sent.records, &processing, &Stop::default())
            .map_err(|error| RunError::Failed(format!("the judge: {error}")))?;
        let audit = Audit { sent, counted, verdict };
        let mut out = Plain::new(io::stdout().lock(), Style::Text);
        printed(audit.print(&mut out))?;
        let problems = audit.problems();
        if !problems.is_empty() {
            let problems = problems.join("\n");
            return Err(RunError::Failed(format!("the audit found something wrong:\n{problems}")));
        }
        printed(writeln!(out, "verified: nothing missing, doubled or wrong\n{NEXT}"))
    }

    /// One look at everything.
    fn tick(&mut self, phase: DemoPhase) -> Result<(), RunError> {
        if let Some(error) = self.parts.pipeline_failure() {
            return Err(error);
        }
        self.show(phase, false)?;
        thread::sleep(limits::DEMO_TICK);
        Ok(())
    }

    fn show(&mut self, phase: DemoPhase, is_last: bool) -> Result<(), RunError> {
        let view = View {
            phase,
            settings: &self.settings,
            snapshot: &self.parts.snapshot(),
            health: &self.parts.health(),
            http: self.http,
            log: &self.folder.log(),
        };
        let shown = self.screen.show(&view, is_last);
        if shown.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            // Nobody watches any more.
            self.stop.ask();
        }
        printed(shown)
    }
}

/// What to do after the demo.
const NEXT: &str = "
Next, with a broker of your own (exactly-once there):
  logintide run --brokers localhost:9092 --create-topics";
