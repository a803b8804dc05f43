//! Pins worker threads to cores. Called once at start and once per worker thread.
//!
//! In:  the number of workers and the CPU set that the process may use.
//! Out: a core for each worker, or for none; one log line says which.
//! Holds: workers are pinned only if at least two cores stay free for the source and the sink.

use core_affinity::CoreId;

/// Cores that stay free for the source, the sink and librdkafka's own threads.
const UNPINNED_CORES: usize = 2;

/// A core for each worker; `None` where pinning is off.
pub(super) fn plan(workers: usize) -> Vec<Option<CoreId>> {
    let allowed = core_affinity::get_core_ids().unwrap_or_default();
    let chosen = choose(&allowed, workers);
    if chosen.iter().all(Option::is_some) {
        tracing::info!(workers, cores = allowed.len(), "workers are pinned to cores");
    } else {
        tracing::info!(
            workers,
            cores = allowed.len(),
            "workers are not pinned: that needs {UNPINNED_CORES} cores more than workers"
        );
    }
    chosen
}

fn choose(allowed: &[CoreId], workers: usize) -> Vec<Option<CoreId>> {
    if allowed.len() < workers + UNPINNED_CORES {
        return vec![None; workers];
    }
    allowed.iter().skip(UNPINNED_CORES).take(workers).copied().map(Some).collect()
}

/// Pins the calling thread; a failure is only logged.
pub(super) fn pin(core: Option<CoreId>) {
    if let Some(core) = core
        && !core_affinity::set_for_current(core)
    {
        tracing::warn!(core = core.id, "the system refused to pin this worker; it runs unpinned");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinning_leaves_two_cores_or_is_off() {
        let cores: Vec<CoreId> = [1, 4, 5, 9].map(|id| CoreId { id }).to_vec();
        assert_eq!(choose(&cores, 3), vec![None; 3]);
        assert_eq!(choose(&cores, 2), vec![Some(CoreId { id: 5 }), Some(CoreId { id: 9 })]);
        assert_eq!(choose(&[], 1), vec![None]);
    }
}
