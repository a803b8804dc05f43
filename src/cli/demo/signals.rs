//! Ctrl-C and SIGTERM: the first one ends the demo in order, the second at once.
//!
//! A thread of its own, `signals`, that waits until the process ends.

use std::{fs, path::Path, process};

use console::Term;
use loadgen::Stop;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::error::RunError;

/// Asks `stop` at the first signal; at the second removes `folder` and leaves.
pub(super) fn watch(stop: &Stop, folder: &Path) -> Result<(), RunError> {
    let failed = |error| RunError::Failed(format!("signals cannot be handled: {error}"));
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let (stop, folder) = (stop.clone(), folder.to_owned());
    let body = move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                let term = Term::stdout();
                // What fails here is the next demo's to clean up, or a closed terminal's.
                let _ = if term.is_term() { term.show_cursor() } else { Ok(()) };
                let _ = fs::remove_dir_all(&folder);
                // What a shell reports for a process ended by this signal.
                process::exit(128 + signal);
            }
            stop.ask();
        }
    };
    // Not joined: it waits for signals until the process ends.
    std::thread::Builder::new().name("signals".to_owned()).spawn(body).map_err(failed)?;
    Ok(())
}
