//! What the demo does at a signal: the first one ends it in order, a second one at once.

use std::{fs, path::Path, process};

use console::Term;
use loadgen::Stop;

use crate::{
    error::RunError,
    signals::{self, Wish},
};

/// Asks `stop` at the first signal; at the second removes `folder` and leaves.
pub(super) fn watch(stop: &Stop, folder: &Path) -> Result<(), RunError> {
    let (stop, folder) = (stop.clone(), folder.to_owned());
    let fulfil = move |wish| match wish {
        Wish::Stop => stop.ask(),
        Wish::Leave(code) => {
            let term = Term::stdout();
            // What fails here is the next demo's to clean up, or a closed terminal's.
            let _ = if term.is_term() { term.show_cursor() } else { Ok(()) };
            let _ = fs::remove_dir_all(&folder);
            process::exit(code);
        }
        // The screen says it all the time.
        Wish::Report => {}
    };
    signals::listen(fulfil)
        .map_err(|error| RunError::Failed(format!("signals cannot be handled: {error}")))
}
