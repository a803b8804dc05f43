//! Faults that are planted in the program: histories that do not find them prove nothing.

use logintide::{
    config::Delivery,
    failpoint::{Fault, plant},
};

use super::{history::play_users, play_safely, safely, sizes::Outcome};

/// Histories in which a planted fault is found.
const ENOUGH: u64 = 20_000;

/// The first history that a fault breaks.
fn found(fault: Fault, play: impl Fn(u64) -> Outcome) -> Option<(u64, String)> {
    plant(Some(fault));
    let found = (0..ENOUGH).find_map(|seed| Some((seed, play(seed).broken?)));
    plant(None);
    found
}

/// Modes in which a fault is one.
fn modes(fault: Fault) -> &'static [Delivery] {
    use Delivery::{AtLeastOnce, ExactlyOnce};
    match fault {
        // A transaction is not committed before; an enriched event does not wait anyway. The last
        // one is the same in both modes, and rarely met.
        Fault::CommitBeforeDelivery | Fault::ProducerKept | Fault::IdleAsOfNow => &[AtLeastOnce],
        Fault::HorizonForgotten | Fault::IdleUnasked => &[ExactlyOnce, AtLeastOnce],
        // The same transactions in both modes.
        Fault::OffsetsApart
        | Fault::NextEpochAhead
        | Fault::SlowCommitKept
        | Fault::UpToStable
        | Fault::RecordWithoutOffset
        | Fault::SeqRestarted
        | Fault::RestoreFromForgotten
        | Fault::PositionsFirst
        | Fault::ForgottenUnasked
        | Fault::HeadlessIgnored
        | Fault::SmallerPublished
        | Fault::YesterdaysRun => &[ExactlyOnce],
        // Of users.
        Fault::RowsFromSnapshot | Fault::RowsKept | Fault::RowsDropped | Fault::RowsUnwritten => {
            &[]
        }
    }
}

#[test]
fn every_planted_fault_is_found() {
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        for delivery in modes(*fault) {
            let found = found(*fault, |seed| play_safely(seed, *delivery));
            println!("{fault:?}, {delivery:?}: {found:?}");
            if found.is_none() {
                missed.push((*fault, format!("{delivery:?}")));
            }
        }
        if modes(*fault).is_empty() {
            let found = found(*fault, |seed| safely(|| play_users(seed, |_| {})));
            println!("{fault:?}, users: {found:?}");
            if found.is_none() {
                missed.push((*fault, "users".to_owned()));
            }
        }
    }
    assert_eq!(missed, [], "faults that no history finds");
}
