use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

#[test]
fn the_default_budget_gives_both_queues_their_full_size() {
    for total in [256 * MIB, 4096 * MIB] {
        let plan = MemoryPlan::new(total).expect("large enough");
        assert_eq!(plan.fetch_queue, limits::FETCH_QUEUE_BYTES);
        assert_eq!(plan.producer_queue, limits::PRODUCER_QUEUE_BYTES);
    }
}

#[test]
fn the_smallest_budget_is_divided_in_proportion_and_less_is_refused() {
    let plan = MemoryPlan::new(32 * MIB).expect("just enough");
    let parts = (plan.fetch_queue, plan.producer_queue, plan.pool);
    assert_eq!(parts, (4 * MIB, 6 * MIB, 16 * MIB));
    let what = MemoryPlan::new(32 * MIB - 1).expect_err("too small");
    assert_eq!(what, "expected at least 32MiB");
}

#[test]
fn the_smallest_budget_of_some_workers_is_the_first_that_holds_them() {
    assert_eq!(MemoryPlan::smallest_mib(1), 32);
    for workers in [8, 16, 62, 256] {
        let mib = MemoryPlan::smallest_mib(workers);
        let needed = limits::BUDGET_FLOOR_BYTES + workers * limits::WORKER_POOL_BYTES;
        let pool = |mib: usize| MemoryPlan::new(mib << 20).expect("large enough").pool;
        assert!(pool(mib) >= needed && (mib == 32 || pool(mib - 1) < needed), "{workers}: {mib}");
        let roomy = MemoryPlan::roomy_mib(workers, 64);
        let needed = needed + workers * 64 * limits::OUTPUT_BATCH_BYTES;
        assert!(pool(roomy) >= needed && pool(roomy - 1) < needed, "{workers}: {roomy}");
    }
}

#[test]
fn the_most_workers_of_a_budget_are_those_that_it_is_enough_for() {
    for mib in [32, 48, 256, 1024] {
        let most = MemoryPlan::new(mib << 20).expect("large enough").most_workers();
        assert!(MemoryPlan::smallest_mib(most) <= mib, "{mib}: {most}");
        assert!(MemoryPlan::smallest_mib(most + 1) > mib, "{mib}: {most}");
    }
    assert_eq!(MemoryPlan::new(256 * MIB).expect("large enough").most_workers(), 86);
}

#[test]
fn passwords_do_not_reach_a_debug_line() {
    let pair = ("sasl.password".to_owned(), "hunter2".to_owned());
    assert_eq!(format!("{:?}", ClientProperties(vec![pair])), r#"["sasl.password"]"#);
}

proptest! {
    #[test]
    fn the_parts_of_a_budget_are_its_sum_but_for_the_reserve(total in 32 * MIB..=usize::MAX) {
        let plan = MemoryPlan::new(total).expect("large enough");
        let reserve = plan.total - plan.fetch_queue - plan.producer_queue - plan.pool;
        let rest = plan.pool + reserve;
        prop_assert!(plan.pool >= 2 * limits::BUDGET_FLOOR_BYTES);
        let pool_is_least = plan.pool == 2 * limits::BUDGET_FLOOR_BYTES;
        prop_assert!(reserve == (rest / 2).min(128 * MIB) || pool_is_least);
        prop_assert_eq!(plan.total, total);
    }

    #[test]
    fn a_larger_budget_never_shrinks_a_part(total in 32 * MIB..300 * MIB, more in 0..300 * MIB) {
        let small = MemoryPlan::new(total).expect("large enough");
        let large = MemoryPlan::new(total + more).expect("large enough");
        prop_assert!(small.fetch_queue <= large.fetch_queue);
        prop_assert!(small.producer_queue <= large.producer_queue);
        prop_assert!(small.pool <= large.pool);
    }
}
