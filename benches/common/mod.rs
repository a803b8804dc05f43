//! The events that all benchmarks share: loadgen's, by a seed.

use std::time::Duration;

use loadgen::embedded::{Load, LoadShares};

/// First event's time, epoch seconds.
pub(crate) const START_S: i64 = 1_730_653_310;

/// Kafka timestamp of all records, milliseconds.
pub(crate) const KAFKA_MS: i64 = (START_S + 60) * 1000;

/// So many values; `odd` of them in unusual JSON, which takes the slow path.
pub(crate) fn values(count: u64, odd: f64) -> Vec<Vec<u8>> {
    let load = Load {
        brokers: String::new(),
        topic: String::new(),
        seed: 1,
        rate: 100_000.0,
        duration: Duration::from_secs(1),
        start_time_s: START_S,
        users: 100_000,
        zipf: 1.0,
        disorder: Duration::from_secs(1),
        run_length: 1,
        shares: LoadShares { odd, ..LoadShares::default() },
        on_trouble: |_| {},
    };
    load.values(count).expect("a load that makes sense")
}
