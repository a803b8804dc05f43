//! Any byte string as a record: through routing, parsing, enriching and counting into the windows.
//! It is processed or dead-lettered, never a crash, and its count is in the windows or late.

use std::{collections::BTreeMap, sync::Arc};

use crossbeam_channel::{bounded, unbounded};
use logintide::{
    batch::{InputBatch, InputRecord, Pool, RejectKind, Span},
    budget::Budget,
    control::Control,
    epoch::{ToSink, ToWorker, WorkerEpoch},
    event::{EventConfig, FieldNames},
    ids::{Epoch, Offset, PartitionId, Position, WorkerId},
    metrics::Health,
    source::Router,
    users::Inherited,
    window::{
        Completeness, EpochInput, PartitionProgress, PartitionState, StateImage, WindowRules,
        Windows,
    },
    worker::{CountingSettings, TaskSettings, Worker, WorkerSettings},
};
use proptest::{collection::vec, prelude::*, sample::Index};

const WORKERS: usize = 2;
const OUTPUT_PARTITIONS: usize = 3;
const NOW_MS: i64 = 1_730_653_310_000;
const P: PartitionId = PartitionId(0);
const RULES: WindowRules =
    WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 };

const EVENT: &str = r#"{"user_id": "424cdd21", "app_version": "2.3.0", "device_type": "android",
    "ip": "199.172.111.135", "locale": "RU", "device_id": "593-47-5928", "timestamp": 1730653311,
    "more": {"a": [1, -2.5e3, "\u00e9\n", null, true]}}"#;

/// Bytes by chance, an event, or an event with some bytes changed, cut off or put in.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..3_u8);
    let changed = vec(change, 0..4).prop_map(|changes| {
        let mut bytes = EVENT.as_bytes().to_vec();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    });
    prop_oneof![vec(any::<u8>(), 0..200), changed, Just(EVENT.as_bytes().to_vec())]
}

/// What a worker makes of its records.
struct Made {
    answer: WorkerEpoch,
    enriched: Vec<Vec<u8>>,
    dead: usize,
}

fn work(id: usize, records: &[(i64, &[u8])]) -> Made {
    let budget = Budget::new(64 << 20);
    let settings = WorkerSettings {
        id: WorkerId(id),
        task: TaskSettings::Counting(CountingSettings {
            event: EventConfig::default(),
            rules: RULES,
            output_partitions: OUTPUT_PARTITIONS as i32,
        }),
        budget: Arc::clone(&budget),
        input_pool: Pool::new(256 << 10, Arc::default()),
        output_pool: Pool::new(256 << 10, Arc::default()),
    };
    let (to_sink, sink) = unbounded();
    let worker = Worker::new(settings, to_sink, Control::new(Health::new(0), WORKERS));
    let mut batch = InputBatch { arena: Vec::new(), records: Vec::new(), permit: budget.permit() };
    for (offset, value) in records {
        let span = Span::append(&mut batch.arena, None, value);
        let position = Position { partition: P, offset: *offset, timestamp_ms: NOW_MS };
        batch.permit.grow(2 * value.len() + 512);
        batch.records.push(InputRecord { position, span });
    }
    let (to_worker, input) = bounded(3);
    let begin = ToWorker::Begin { epoch: Epoch(1), horizon: None, inherited: Inherited::default() };
    let barrier = ToWorker::Barrier { epoch: Epoch(1), horizon: None };
    for message in [begin, ToWorker::Batch(batch), barrier] {
        to_worker.send(message).expect("there is room");
    }
    drop(to_worker);
    worker.run(&input).expect("nothing can fail");
    let (mut answer, mut enriched, mut dead) = (None, Vec::new(), 0);
    for message in sink.try_iter() {
        match message {
            ToSink::Output(batch) => {
                let values = batch.records.iter().map(|span| span.value(&batch.arena).to_vec());
                enriched.extend(values);
            }
            ToSink::Rejects(batch) => {
                let is_dead = |kind| matches!(kind, RejectKind::DeadLetter(_));
                dead += batch.records.iter().filter(|record| is_dead(record.kind)).count();
            }
            ToSink::WorkerEpoch(epoch) => answer = Some(*epoch),
            other => panic!("a worker sends no {other:?}"),
        }
    }
    Made { answer: answer.expect("an answer to the barrier"), enriched, dead }
}

fn windows() -> Windows {
    let state = PartitionState::new(Offset(0), Completeness::FromStart);
    let image = StateImage { partitions: BTreeMap::from([(P, state)]), ..StateImage::default() };
    Windows::new(RULES, &image, &[P])
}

proptest! {
    #[test]
    fn every_record_is_processed_or_dead_lettered_and_counted_once(
        records in vec(record(), 0..40),
    ) {
        let router = Router::new(&FieldNames::default(), WORKERS);
        let mut shares: Vec<Vec<(i64, &[u8])>> = vec![Vec::new(); WORKERS];
        for (offset, value) in (0..).zip(&records) {
            shares[router.worker_of(value, offset).0].push((offset, value));
        }
        let (mut processed, mut deltas) = (0, Vec::new());
        for (id, share) in shares.iter().enumerate() {
            let made = work(id, share);
            let counts = made.answer.counts.first().map_or_else(Default::default, |c| c.1);
            prop_assert_eq!(counts.processed + counts.dead_lettered, share.len() as u64);
            prop_assert_eq!(counts.processed, made.enriched.len() as u64);
            prop_assert_eq!(counts.dead_lettered, made.dead as u64);
            for value in &made.enriched {
                let event: serde_json::Value = serde_json::from_slice(value).expect("JSON");
                prop_assert!(event["hour_of_day"].is_number(), "{}", event);
            }
            processed += counts.processed;
            deltas.extend(made.answer.deltas);
        }
        let next_offset = Offset(records.len() as i64);
        let prepared = windows().prepare(EpochInput {
            epoch: Epoch(1),
            deltas,
            progress: vec![PartitionProgress { partition: P, next_offset, idle_as_of: None }],
            horizon: None,
            partitions: 1,
            now_ms: NOW_MS,
            close_all: true,
        });
        let counted: u64 = prepared.records().iter().map(|record| record.sum.total).sum();
        prop_assert_eq!(counted, processed, "nothing is late without a horizon");
    }
}
