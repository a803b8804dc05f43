//! A worker from batch to output, and what an epoch costs the sink beside Kafka: merging, encoding
//! windows and the journal's records. Without a broker; the output is thrown away.

mod common;

use std::{cell::RefCell, collections::BTreeMap, hint::black_box};

use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use crossbeam_channel::Receiver;
use logintide::{
    epoch::ToSink,
    ids::{Epoch, EventTimeMs, InstanceId, Offset, PartitionId, WindowStart},
    journal::{Chain, Content, MergerRecord, Moment, PartitionRecord, Stream, Writer},
    latency::EpochAges,
    limits,
    window::{
        Completeness, EpochInput, MergerHead, Partial, PartitionDelta, PartitionHead,
        PartitionProgress, PartitionState, PartitionTotals, Prepared, StateImage, Windows,
    },
};

use common::{Memory, PARTITIONS, RULES};

const EVENTS: u64 = 20_000;

fn worker(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("worker");
    for (name, odd) in [("plain", 0.0), ("slow path", 1.0)] {
        let values = common::values(EVENTS, odd);
        group.throughput(common::throughput(&values));
        let memory = Memory::new();
        let last_output = RefCell::new(None::<Receiver<ToSink>>);
        let ready = || {
            // The arenas that the sink has emptied come back, as they do while the program runs.
            if let Some(output) = last_output.take() {
                memory.empty(&output);
            }
            let (worker, _, input, output) = common::worker(&values, &memory);
            (worker, input, output)
        };
        group.bench_function(name, |bench| {
            bench.iter_batched(
                ready,
                |(worker, input, output)| {
                    worker.run(&input).expect("nothing can fail");
                    last_output.replace(Some(output));
                },
                BatchSize::PerIteration,
            );
        });
    }
    least(&mut group);
    // What the latency percentiles add to that: records of one Kafka timestamp, and of ever new
    // ones.
    group.throughput(Throughput::Elements(EVENTS));
    for (name, step) in [("ages, one timestamp", 0), ("ages, new timestamps", 1)] {
        let mut ages = EpochAges::default();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                ages.begin_batch(common::KAFKA_MS);
                for number in 0..EVENTS as i64 {
                    ages.record(common::KAFKA_MS - step * (number % 1000));
                }
            });
        });
    }
    group.finish();
}

/// The least that a worker can do with these libraries: a tape of each value, and as many bytes as
/// an enriched event has, by partition. No rules, no keys, no counts.
fn least(group: &mut BenchmarkGroup<'_, WallTime>) {
    /// What enriching appends to a plain event.
    const MORE: [u8; 118] = [b' '; 118];
    let (values, memory) = (common::values(EVENTS, 0.0), Memory::new());
    let batches = common::batches(&values, &memory);
    let mut outputs = [const { Vec::<u8>::new() }; PARTITIONS];
    let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
    group.throughput(common::throughput(&values));
    group.bench_function("the least", |bench| {
        bench.iter(|| {
            for (batch, record) in
                batches.iter().flat_map(|b| b.records.iter().map(move |r| (b, r)))
            {
                let raw = record.span.value(&batch.arena);
                copy.clear();
                copy.extend_from_slice(raw);
                let tape = simd_json::to_tape_with_buffers(&mut copy, &mut buffers);
                black_box(tape.expect("plain events are JSON").0.len());
                let output = &mut outputs[record.position.partition.0 as usize];
                if output.len() >= limits::OUTPUT_BATCH_BYTES {
                    black_box(&mut *output).clear();
                }
                output.extend_from_slice(raw);
                output.extend_from_slice(&MORE);
            }
        });
    });
}

/// Window state with one window per partition, and the next epoch's counts.
fn epoch(partitions: i32) -> (Windows, EpochInput) {
    let all = (0..partitions).map(PartitionId);
    let state = PartitionState::new(Offset(0), Completeness::FromStart);
    let states: BTreeMap<_, _> = all.clone().map(|partition| (partition, state)).collect();
    let owned: Vec<_> = all.clone().collect();
    let image = StateImage { partitions: states, ..StateImage::default() };
    let windows = Windows::new(RULES, &image, &owned);
    let start = common::START_S * 1000;
    let delta = |partition| {
        let mut partial = Partial::new();
        for number in 0..500_i64 {
            let (locale, user) = (format!("L{}", number % 50), format!("user-{number}"));
            let device = ["android", "iOS"][number as usize % 2];
            partial.count([&*locale, device, "2.3.0"].into(), &user);
        }
        PartitionDelta {
            partition,
            windows: vec![(WindowStart(start), partial)],
            highest_event_time: Some(EventTimeMs(start + 5_000)),
            first_event: Some((0, EventTimeMs(start))),
        }
    };
    let progress =
        |partition| PartitionProgress { partition, next_offset: Offset(500), idle_as_of: None };
    let input = EpochInput {
        epoch: Epoch(1),
        deltas: all.clone().map(delta).collect(),
        progress: all.map(progress).collect(),
        horizon: None,
        partitions: partitions as u32,
        now_ms: start + 6_000,
        close_all: true,
    };
    (windows, input)
}

/// A writer of all streams but the merger's.
fn writer(partitions: i32) -> Writer {
    let instance = InstanceId::parse("bench").expect("valid");
    let mut writer = Writer::new(instance, None, 8);
    let streams = (0..partitions).map(|partition| Stream::Partition(PartitionId(partition)));
    for stream in streams.chain([Stream::Merger]) {
        writer.take_over(stream, &Chain::default(), Offset(0), 0);
    }
    writer
}

/// Encodes an epoch's records. Returns their bytes.
fn journal(writer: &mut Writer, epoch: Epoch, prepared: &Prepared) -> usize {
    let now_ms = epoch.0 as i64 * 100;
    let mut records = writer.begin(Moment { epoch, now_ms, positions: BTreeMap::new() });
    let mut bytes = 0;
    for change in &prepared.partitions {
        let totals = PartitionTotals::default();
        let head = PartitionHead { state: change.state, at_end: true, totals };
        let content = || PartitionRecord { head, windows: change.partials.clone() };
        let stream = Stream::Partition(change.partition);
        bytes += records.write(stream, |_| Content::Partition(content())).bytes();
    }
    let change = &prepared.merge.as_ref().expect("it merges").change;
    let head = MergerHead {
        watermark: change.watermark,
        horizon: change.horizon,
        forgotten: None,
        partitions: prepared.partitions.len() as u32,
        run: None,
        rules: RULES,
    };
    let windows = change.published.clone();
    let content = || MergerRecord { head, past_usage: None, windows };
    bytes += records.write(Stream::Merger, |_| Content::Merger(content())).bytes();
    drop(records.finish());
    bytes
}

fn epochs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epoch");
    group.sample_size(20);
    for partitions in [8, 64, 256] {
        let name = |what| BenchmarkId::new(what, partitions);
        group.bench_function(name("merge"), |bench| {
            bench.iter_batched(
                || epoch(partitions),
                |(windows, input)| (windows.prepare(input), windows),
                BatchSize::PerIteration,
            );
        });
        let (windows, input) = epoch(partitions);
        let prepared = windows.prepare(input);
        let mut out = Vec::new();
        group.bench_function(name("encode"), |bench| {
            bench.iter(|| {
                out.clear();
                prepared.records().iter().for_each(|record| record.encode(&mut out, usize::MAX));
                black_box(out.len())
            });
        });
        let mut writer = writer(partitions);
        let mut epoch = Epoch(1);
        group.bench_function(name("journal"), |bench| {
            bench.iter(|| {
                epoch = epoch.next();
                black_box(journal(&mut writer, epoch, &prepared))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, worker, epochs);
criterion_main!(benches);
