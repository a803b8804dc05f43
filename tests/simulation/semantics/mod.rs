//! The rules of the simulated Kafka, one by one, that no script shares with a real broker.

mod faults;
mod groups;
mod logs;
mod processes;
mod transactions;

use std::time::Duration;

use crate::kafka::Faults;

/// Long enough for everything that is on its way.
const SOON: Duration = Duration::from_secs(30);

/// No faults, but calls that give up early.
fn impatient() -> Faults {
    Faults { patience: Duration::from_millis(50), ..Faults::none() }
}
