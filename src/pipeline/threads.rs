//! Spawns, watches and joins the threads. Used by the main thread.
//!
//! In:  named closures.
//! Out: the first failure, if any.
//! Holds: a drop guard reports the end of each thread, also after a panic.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Instant,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tokio::sync::oneshot;

use crate::{control::Control, error::RunError, limits};

/// How a thread ended.
type End = (String, Result<(), RunError>);

/// The process's threads.
pub(super) struct Threads {
    control: Arc<Control>,
    running: Vec<(String, JoinHandle<()>)>,
    /// Threads that serve until they are stopped, each with its stop signal.
    services: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
    ends: (Sender<End>, Receiver<End>),
}

/// Reports a thread's end. When it is dropped without `defuse`, it reports that the thread died.
struct Guard {
    name: String,
    ends: Sender<End>,
    defused: bool,
}

impl Guard {
    fn defuse(mut self, result: Result<(), RunError>) {
        self.defused = true;
        // The main thread may have stopped receiving; then it does not need the report.
        drop(self.ends.send((std::mem::take(&mut self.name), result)));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.defused {
            let name = std::mem::take(&mut self.name);
            let message = "it ended without a result".to_owned();
            let died = RunError::ThreadDied { name: name.clone(), message };
            drop(self.ends.send((name, Err(died))));
        }
    }
}

impl Threads {
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control, running: Vec::new(), services: Vec::new(), ends: unbounded() }
    }

    /// Starts a thread that ends by itself; the run lasts until all of these have ended.
    pub(super) fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce() -> Result<(), RunError> + Send + 'static,
    ) -> Result<(), RunError> {
        let handle = self.start(&name, body)?;
        self.running.push((name, handle));
        Ok(())
    }

    /// Starts a thread that serves until `stop` is used.
    pub(super) fn spawn_service(
        &mut self,
        name: &str,
        stop: oneshot::Sender<()>,
        body: impl FnOnce() -> Result<(), RunError> + Send + 'static,
    ) -> Result<(), RunError> {
        let handle = self.start(name, body)?;
        self.services.push((stop, handle));
        Ok(())
    }

    fn start(
        &self,
        name: &str,
        body: impl FnOnce() -> Result<(), RunError> + Send + 'static,
    ) -> Result<JoinHandle<()>, RunError> {
        let guard = Guard { name: name.to_owned(), ends: self.ends.0.clone(), defused: false };
        let alive = self.control.health().thread_started();
        Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _alive = alive;
                let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
                    let message = panic_text(panic.as_ref());
                    Err(RunError::ThreadDied { name: guard.name.clone(), message })
                });
                guard.defuse(result);
            })
            .map_err(|error| RunError::Failed(format!("cannot start thread {name}: {error}")))
    }

    /// Waits until all threads have ended; after a failure, for at most `JOIN_DEADLINE`. Calls
    /// `supervise` every `SUPERVISION_INTERVAL`; its error counts as a thread's failure.
    pub(super) fn join(
        mut self,
        mut supervise: impl FnMut() -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let mut failure: Option<(RunError, Instant)> = None;
        let mut left: BTreeSet<String> =
            self.running.iter().map(|(name, _)| name.clone()).collect();
        while !left.is_empty() {
            let end = match &failure {
                None => match self.ends.1.recv_timeout(limits::SUPERVISION_INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => {
                        supervise()?;
                        continue;
                    }
                    end => end.ok(),
                },
                Some((_, failed_at)) => {
                    let patience = limits::JOIN_DEADLINE.saturating_sub(failed_at.elapsed());
                    self.ends.1.recv_timeout(patience).ok()
                }
            };
            let Some((name, result)) = end else { break };
            left.remove(&name);
            if let Err(error) = result {
                if failure.is_none() {
                    failure = Some((error, Instant::now()));
                } else {
                    tracing::warn!(thread = name, %error, "this thread failed as well");
                }
            }
        }
        if let Some((error, _)) = failure {
            // Threads that have not ended yet end with the process.
            return Err(error);
        }
        for (stop, handle) in self.services {
            // A service that has ended already needs no signal.
            let _ = stop.send(());
            self.running.push(("a service".to_owned(), handle));
        }
        for (name, handle) in self.running {
            handle.join().map_err(|panic| RunError::ThreadDied {
                name,
                message: panic_text(panic.as_ref()),
            })?;
        }
        Ok(())
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Health;

    fn threads() -> Threads {
        Threads::new(Control::new(Health::new(0), 0))
    }

    #[test]
    fn a_panic_in_one_thread_is_the_run_s_failure_and_names_it() {
        let mut threads = threads();
        threads.spawn("good".into(), || Ok(())).expect("starts");
        threads.spawn("bad".into(), || panic!("broken {}", 7)).expect("starts");
        let error = threads.join(|| Ok(())).expect_err("must fail");
        assert!(matches!(&error, RunError::ThreadDied { name, .. } if name == "bad"), "{error}");
        assert!(error.to_string().contains("broken 7"), "{error}");
    }

    #[test]
    fn an_error_is_passed_on_while_another_thread_hangs() {
        let mut threads = threads();
        let (keep, wait) = crossbeam_channel::bounded::<()>(0);
        threads
            .spawn("waits".into(), move || {
                let _closed = wait.recv();
                Ok(())
            })
            .expect("starts");
        threads.spawn("fails".into(), || Err(RunError::Failed("no disk".into()))).expect("starts");
        // Ends the other thread, so that the test does not wait for the deadline.
        drop(keep);
        let error = threads.join(|| Ok(())).expect_err("must fail");
        assert_eq!(error.to_string(), "no disk");
    }

    #[test]
    fn all_ending_well_is_a_success() {
        let mut threads = threads();
        for number in 0..3 {
            threads.spawn(format!("t{number}"), || Ok(())).expect("starts");
        }
        threads.join(|| Ok(())).expect("all ended well");
    }
}
