//! Judges what the machine has to offer: state folder, port, cores. Nothing is created or taken.

use super::findings::Findings;
use crate::{
    config::{RunConfig, Surroundings},
    http, limits,
    state::{self, Peek},
};

/// Judges the state folder, the port and the cores.
pub(super) fn judge(
    config: &RunConfig,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Peek {
    let peek = state::peek(&config.state_dir);
    for problem in &peek.problems {
        findings.problem(problem.to_string());
    }
    if let Some(free) = peek.free_bytes.filter(|free| *free < limits::STATE_FREE_MIN_BYTES) {
        findings.problem(format!(
            "the disk of the state folder {} (--state-dir) has {} left, and {} are needed; free \
             space there, or name a folder on a larger disk",
            config.state_dir.display(),
            size(free),
            size(limits::STATE_FREE_MIN_BYTES)
        ));
    }
    if let Some(address) = config.http {
        // The listener is closed at once, before it answers anything.
        if let Err(error) = http::bind(address) {
            findings.problem(error.to_string());
        }
    }
    let cores = surroundings.cores;
    if config.workers > cores {
        findings.hint(format!(
            "--workers {}: this machine has {cores} cores for them, the source and the sink; use \
             --workers {}",
            config.workers,
            surroundings.default_workers(&config.memory)
        ));
    }
    peek
}

/// A number of bytes with a unit.
pub(super) fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}
