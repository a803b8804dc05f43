//! The scripts that real brokers play as well, on the simulation.

use crate::{
    script::{NAMES, run},
    stage::Simulated,
};

#[test]
fn the_simulation_shows_what_a_broker_shows() {
    for name in NAMES {
        for seed in 0..10 {
            run(Simulated::new(seed), name);
        }
    }
}
