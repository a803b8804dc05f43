//! The record path allocates nothing per event: counted, not timed.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{bounded, unbounded};
use loadgen::embedded::{Load, LoadShares};
use logintide::{
    batch::{InputBatch, InputRecord, Pool, Span},
    budget::Budget,
    control::Control,
    epoch::{ToSink, ToWorker},
    event::{EventConfig, FieldNames},
    ids::{Epoch, PartitionId, Position, WorkerId},
    metrics::Health,
    source::Router,
    users::Inherited,
    window::WindowRules,
    worker::{CountingSettings, TaskSettings, Worker, WorkerSettings},
};

/// Counts this thread's allocations.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator unchanged.
#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as required of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as required of the caller.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as required of the caller.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EVENTS: u64 = 40_000;
const BATCH_EVENTS: usize = 1_000;
const START_S: i64 = 1_730_653_310;
const OUTPUT_PARTITIONS: usize = 8;

fn events(shares: LoadShares) -> Vec<Vec<u8>> {
    let load = Load {
        brokers: String::new(),
        topic: String::new(),
        seed: 7,
        rate: 10_000.0,
        duration: Duration::from_secs(4),
        start_time_s: START_S,
        users: 20_000,
        zipf: 1.0,
        disorder: Duration::from_secs(1),
        run_length: 1,
        shares,
        on_warning: |_| {},
    };
    let events = load.values(EVENTS).expect("a load that makes sense");
    assert_eq!(events.len() as u64, EVENTS);
    events
}

/// Allocations of a worker for these records after it has seen the first half of them, and how
/// many records those were.
fn allocations(events: &[Vec<u8>]) -> (u64, usize) {
    let budget = Budget::new(256 << 20);
    let settings = WorkerSettings {
        id: WorkerId(0),
        task: TaskSettings::Counting(CountingSettings {
            event: EventConfig::default(),
            rules: WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 },
            output_partitions: OUTPUT_PARTITIONS as i32,
        }),
        budget: Arc::clone(&budget),
        input_pool: Pool::new(256 << 10, Arc::default()),
        output_pool: Pool::new(256 << 10, Arc::default()),
    };
    let run = |events: &[Vec<u8>]| {
        let (to_sink, sink) = unbounded::<ToSink>();
        let worker = Worker::new(settings.clone(), to_sink, Control::new(Health::new(0), 1));
        let batches: Vec<_> =
            events.chunks(BATCH_EVENTS).map(|some| batch(some, &budget)).collect();
        let (to_worker, input) = bounded(batches.len() + 1);
        let begin =
            ToWorker::Begin { epoch: Epoch(1), horizon: None, inherited: Inherited::default() };
        to_worker.send(begin).expect("there is room");
        for batch in batches {
            to_worker.send(ToWorker::Batch(batch)).expect("there is room");
        }
        drop(to_worker);
        let before = ALLOCATIONS.with(Cell::get);
        worker.run(&input).expect("nothing can fail");
        let made = ALLOCATIONS.with(Cell::get) - before;
        drop(sink);
        made
    };
    let half = events.len() / 2;
    // What a warm-up costs (arenas, the first window, its values and users) is in both.
    (run(events).saturating_sub(run(&events[..half])), events.len() - half)
}

fn batch(events: &[Vec<u8>], budget: &Arc<Budget>) -> InputBatch {
    let mut batch = InputBatch { arena: Vec::new(), records: Vec::new(), permit: budget.permit() };
    for (offset, value) in (0..).zip(events) {
        let span = Span::append(&mut batch.arena, None, value);
        let timestamp_ms = (START_S + 60) * 1000;
        let position = Position { partition: PartitionId(0), offset, timestamp_ms };
        batch.permit.grow(2 * value.len() + 512);
        batch.records.push(InputRecord { position, span });
    }
    batch
}

#[test]
fn a_worker_allocates_per_batch_and_window_only() {
    let (allocations, events) = allocations(&events(LoadShares::default()));
    println!("{allocations} allocations for {events} events");
    // Output batches and their channel's blocks: some dozens for a thousand events.
    assert!(allocations < events as u64 / 20, "{allocations} for {events} events");
}

#[test]
fn routing_allocates_nothing() {
    let shares = LoadShares { odd: 0.3, poison: 0.1, ..LoadShares::default() };
    let events = events(shares);
    let router = Router::new(&FieldNames::default(), 4);
    let before = ALLOCATIONS.with(Cell::get);
    let sum: usize = (0..).zip(&events).map(|(at, value)| router.worker_of(value, at).0).sum();
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(sum > 0, "all went to the first worker");
}
