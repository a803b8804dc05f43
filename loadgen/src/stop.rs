//! Ends a run early. SIGINT, SIGTERM and SIGHUP request a clean end; a second SIGINT or SIGTERM
//! ends the process at once. SIGUSR1 and SIGUSR2 are ignored.

use std::{
    ffi::c_int,
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2},
    flag,
};

/// Exit code of a process that a second signal ended.
const ENDED_BY_SIGNAL: i32 = 130;

/// Whether the run should end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Handles signals from now on.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        // A second SIGHUP does not count: terminals and sessions send several, and beside SIGTERM.
        let by_request = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // NOTE: in this order, because the first signal must find the flag unset.
            flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL, Arc::clone(&by_request))?;
            flag::register(signal, Arc::clone(&by_request))?;
            flag::register(signal, Arc::clone(&stop.0))?;
        }
        if !is_ignored(SIGHUP) {
            flag::register(SIGHUP, Arc::clone(&stop.0))?;
        }
        // Without a handler these would end the process.
        for signal in [SIGUSR1, SIGUSR2] {
            flag::register(signal, Arc::default())?;
        }
        Ok(stop)
    }

    /// Requests a clean end, as a signal does.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a signal or `ask` has requested the end.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether the process was started with this signal ignored, as `nohup` does. Such a signal stays
/// ignored.
fn is_ignored(signal: c_int) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // Signal n is bit n - 1 (proc_pid_status(5)).
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use signal_hook::low_level::raise;

    use super::*;

    #[test]
    fn a_hangup_asks_for_a_clean_end_again_and_again_and_others_change_nothing() {
        // The test may run under `nohup`.
        let is_ignored = is_ignored(SIGHUP);
        let stop = Stop::on_signals().expect("handlers");
        for signal in [SIGUSR1, SIGUSR2] {
            raise(signal).expect("a signal");
        }
        assert!(!stop.is_asked());
        for signal in [SIGHUP, SIGHUP] {
            raise(signal).expect("a signal");
            assert_eq!(stop.is_asked(), !is_ignored);
        }
        raise(SIGTERM).expect("a signal");
        assert!(stop.is_asked(), "the first of those that a second one hurries");
    }
}
