//! What Kafka does, as scripts on the traits of `client`: the simulation and a real broker have to
//! show the same.
//!
//! A script notes what it observes, line by line; beside it stands what that has to be.

pub(crate) mod departed;
pub(crate) mod followed;
pub(crate) mod groups;
pub(crate) mod reading;
pub(crate) mod stage;
pub(crate) mod static_members;
pub(crate) mod transactions;

/// Runs the script of this name on a stage and compares what it notes.
macro_rules! scripts {
    ($($name:ident: $script:path, $expected:expr;)*) => {
        /// Name of each script.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Runs one script.
        pub(crate) fn run<S: stage::Stage>(stage: S, name: &str) {
            let mut play = stage::Play::new(stage);
            let expected: &[&str] = match name {
                $(stringify!($name) => {
                    $script(&mut play);
                    $expected
                })*
                other => panic!("no script is called {other}"),
            };
            assert_eq!(play.notes(), expected, "{name}");
        }
    };
}

scripts! {
    committed: transactions::committed, transactions::COMMITTED;
    aborted: transactions::aborted, transactions::ABORTED;
    open: transactions::open, transactions::OPEN;
    fenced: transactions::fenced, transactions::FENCED;
    left_open: transactions::left_open, transactions::LEFT_OPEN;
    timed_out: transactions::timed_out, transactions::TIMED_OUT;
    empty: transactions::empty, transactions::EMPTY;
    unpolled: transactions::unpolled, transactions::UNPOLLED;
    purged: transactions::purged, transactions::PURGED;
    wrong_state: transactions::wrong_state, transactions::WRONG_STATE;
    stable: groups::stable, groups::STABLE;
    stale: groups::stale, groups::STALE;
    revoked: groups::revoked, groups::REVOKED;
    dead_static: static_members::dead_static, static_members::DEAD_STATIC;
    replaced: static_members::replaced, static_members::REPLACED;
    returned: static_members::returned, static_members::RETURNED;
    gone_for_good: static_members::gone_for_good, static_members::GONE_FOR_GOOD;
    listed: departed::listed, departed::LISTED;
    ended_by_others: departed::ended_by_others, departed::ENDED_BY_OTHERS;
    unanswered: groups::unanswered, groups::UNANSWERED;
    silent: groups::silent, groups::SILENT;
    outside: groups::outside, groups::OUTSIDE;
    left: groups::left, groups::LEFT;
    grown: groups::grown, groups::GROWN;
    paused: reading::paused, reading::PAUSED;
    out_of_range: reading::out_of_range, reading::OUT_OF_RANGE;
    created_again: reading::created_again, reading::CREATED_AGAIN;
    deleted: reading::deleted, reading::DELETED;
    by_time: reading::by_time, reading::BY_TIME;
    unknown_partition: reading::unknown_partition, reading::UNKNOWN_PARTITION;
    followed: followed::followed, followed::FOLLOWED;
}
