//! One event's way without Kafka and threads: route, parse, enrich; beside a bare simd-json parse
//! of the same bytes. Time per 10 000 events, throughput in bytes and events.

mod common;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use logintide::{
    event::{Enricher, EventConfig, FieldNames, Parser},
    source::Router,
};

const EVENTS: u64 = 10_000;

fn events(criterion: &mut Criterion) {
    let plain = common::values(EVENTS, 0.0);
    let mut group = criterion.benchmark_group("events");
    group.throughput(common::throughput(&plain));

    let router = Router::new(&FieldNames::default(), 4);
    group.bench_function("route", |bench| {
        bench.iter(|| {
            (0..).zip(&plain).map(|(at, value)| router.worker_of(value, at).0).sum::<usize>()
        });
    });

    let mut tapes = common::Tapes::default();
    group.bench_function("bare simd-json tape", |bench| bench.iter(|| tapes.of(&plain)));

    let config = EventConfig::default();
    let mut parser = Parser::new(&config);
    group.bench_function("parse and validate", |bench| {
        bench.iter(|| {
            for value in &plain {
                black_box(parser.parse(value, common::KAFKA_MS).expect("plain events are valid"));
            }
        });
    });

    let odd = common::values(EVENTS, 1.0);
    for (name, values) in [("enrich", &plain), ("enrich, slow path", &odd)] {
        let mut enricher = Enricher::new(&config);
        let mut out = Vec::new();
        group.throughput(common::throughput(values));
        group.bench_function(format!("parse, validate, {name}"), |bench| {
            bench.iter(|| {
                for value in values {
                    out.clear();
                    if let Ok(event) = parser.parse(value, common::KAFKA_MS) {
                        enricher.append(value, &event, common::KAFKA_MS * 1000, &mut out);
                    }
                    black_box(out.len());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
