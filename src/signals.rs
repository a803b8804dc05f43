//! Translates signals into requests: an orderly stop, an exit at once, a report of the state.
//!
//! Thread `signals`, which waits for signals until the process ends.
//! Holds: a first signal never ends the process without an orderly stop. A signal that was ignored
//! when the process started, as `nohup` does with SIGHUP, stays ignored.

use std::{ffi::c_int, fs, io, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2},
    iterator::Signals,
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// An orderly stop.
    Stop,
    /// An exit at once, with this exit code.
    Leave(i32),
    /// A report of what the process is doing.
    Report,
}

/// Calls `fulfil` with every request; it ends the process at a `Leave`.
pub(crate) fn listen(mut fulfil: impl FnMut(Wish) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    let body = move || {
        let mut seen = Seen::default();
        signals.forever().filter_map(|signal| seen.wish(signal)).for_each(&mut fulfil);
    };
    // Not joined: it waits for signals until the process ends.
    thread::Builder::new().name("signals".to_owned()).spawn(body)?;
    Ok(())
}

/// The signals so far.
#[derive(Debug, Default)]
struct Seen {
    /// Whether any of them asked for a stop.
    stop: bool,
    /// Whether SIGINT or SIGTERM did: the next of these asks for an exit at once.
    by_request: bool,
}

impl Seen {
    /// The request of this signal. A second SIGHUP is no request to exit at once: terminals and
    /// sessions send several as they close, and beside SIGTERM.
    fn wish(&mut self, signal: c_int) -> Option<Wish> {
        match signal {
            SIGUSR1 | SIGUSR2 => return Some(Wish::Report),
            SIGHUP => {}
            // The exit code that a shell reports for a process that this signal ended.
            _ if self.by_request => return Some(Wish::Leave(128 + signal)),
            _ => self.by_request = true,
        }
        let is_first = !std::mem::replace(&mut self.stop, true);
        is_first.then_some(Wish::Stop)
    }
}

/// Whether the process was started with this signal ignored.
fn is_ignored(signal: c_int) -> bool {
    // Systems without this file do not say; the signal counts as not ignored.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status, signal)
}

fn ignored_in(status: &str, signal: c_int) -> bool {
    // Signal n is bit n - 1 (proc_pid_status(5)).
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(signals: &[c_int]) -> Vec<Wish> {
        let mut seen = Seen::default();
        signals.iter().filter_map(|signal| seen.wish(*signal)).collect()
    }

    #[test]
    fn one_signal_stops_and_a_second_request_leaves() {
        use Wish::{Leave, Report, Stop};
        for (signals, expected) in [
            (&[SIGTERM][..], &[Stop][..]),
            (&[SIGINT, SIGINT], &[Stop, Leave(130)]),
            (&[SIGINT, SIGTERM], &[Stop, Leave(143)]),
            (&[SIGHUP, SIGHUP, SIGHUP], &[Stop]),
            (&[SIGTERM, SIGHUP], &[Stop]),
            (&[SIGHUP, SIGTERM], &[Stop]),
            (&[SIGHUP, SIGTERM, SIGTERM], &[Stop, Leave(143)]),
            (&[SIGUSR1, SIGUSR2, SIGTERM, SIGUSR1], &[Report, Report, Stop, Report]),
        ] {
            assert_eq!(wishes(signals), expected, "{signals:?}");
        }
    }

    #[test]
    fn an_ignored_signal_is_a_bit_of_the_status() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\tff\n";
        assert!(ignored_in(status, SIGHUP));
        assert!(!ignored_in(status, SIGINT));
        assert!(!ignored_in("", SIGHUP));
    }
}
