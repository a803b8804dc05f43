//! Headers of input records: on all that becomes of them, in their order, and never a way to harm.

use std::time::Duration;

use logintide::{
    headers::{HeaderBlock, push},
    ids::{Offset, PartitionId},
    kafka::{Consumer, DrainEvent, Flow, Producer, SendError},
};
use testkit::{Scenario, brokers, text};

use crate::client::support::{PATIENCE, consumer_settings, flush, producer_settings, until};

type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A record as another program would write it.
struct Input<'a> {
    value: String,
    headers: &'a [(&'a str, Option<&'a [u8]>)],
}

fn send(topic: &str, records: &[Input<'_>]) {
    let mut settings = producer_settings(&brokers());
    settings.client.properties.push(("message.max.bytes".into(), "1048588".into()));
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic(topic).expect("topic");
    for Input { value, headers } in records {
        let mut block = Vec::new();
        for (name, value) in *headers {
            push(&mut block, name.as_bytes(), *value);
        }
        let block = HeaderBlock::new(&block);
        let (partition, value) = (Some(PartitionId(0)), Some(value.as_bytes()));
        until("room", || {
            producer.poll(Duration::ZERO);
            match producer.send_with_headers(&topic, partition, Some(b"key"), value, block) {
                Ok(()) => Some(()),
                Err(SendError::Full) => None,
                Err(error) => panic!("{error}"),
            }
        });
    }
    flush(&producer);
    assert_eq!(producer.take_delivery_failures().count, 0);
}

/// Value and headers of every record of a topic; read until there are as many.
fn read(topic: &str, count: usize) -> Vec<(String, Headers)> {
    let mut consumer =
        Consumer::new(&consumer_settings(&brokers(), topic, "nobody")).expect("consumer");
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assigns");
    let mut records = Vec::new();
    let deadline = std::time::Instant::now() + PATIENCE;
    while records.len() < count {
        assert!(std::time::Instant::now() < deadline, "{} of {count} in {topic}", records.len());
        consumer.drain(Duration::from_millis(100), |event| {
            if let DrainEvent::Record(record) = event {
                let name = |name: &[u8]| String::from_utf8(name.to_vec()).expect("UTF-8");
                let headers = record.headers.iter();
                let headers = headers.map(|h| (name(h.name), h.value.map(<[u8]>::to_vec)));
                let value = String::from_utf8_lossy(record.value.unwrap_or_default());
                records.push((value.into_owned(), headers.collect()));
            }
            Flow::Continue
        });
        consumer.serve(Duration::ZERO, &mut |_| {}).expect("serves");
    }
    records
}

/// A scenario whose topics have one partition, so that they have one order.
fn scenario(name: &str) -> Scenario {
    let scenario = Scenario::new(name);
    let input = scenario.topic("input");
    let output =
        scenario.loadgen(&["produce", "--topic", &input, "--create-topic", "1", "--count", "0"]);
    assert!(output.status.success(), "{}", text(&output));
    scenario
}

/// The headers that this program did not write.
fn foreign(headers: &Headers) -> Headers {
    headers.iter().filter(|(name, _)| !name.starts_with("logintide.")).cloned().collect()
}

/// The value of the only header of this name.
fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut named = headers.iter().filter(|(known, _)| known == name);
    let found = named.next().map(|(_, value)| value.as_deref().expect("a value"));
    assert_eq!(named.next(), None, "{name} comes twice");
    found.map(|value| std::str::from_utf8(value).expect("text"))
}

fn event(user: &str, seconds: i64) -> String {
    format!("{{\"user_id\":\"{user}\",\"timestamp\":{seconds}}}")
}

fn now_seconds() -> i64 {
    logintide::clock::now_ms() / 1000
}

const TRACE: &[(&str, Option<&[u8]>)] = &[
    ("traceparent", Some(b"00-1")),
    ("ce_type", Some(b"login")),
    ("logintide.reason", Some(b"not ours")),
    ("\u{fc}nic\u{f6}de", Some(&[0, 255])),
    ("null", None),
    ("traceparent", Some(b"")),
];

fn trace() -> Headers {
    let kept = TRACE.iter().filter(|(name, _)| *name != "logintide.reason");
    kept.map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect()
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn headers_are_kept_in_every_output_and_through_a_redrive() {
    for delivery in ["exactly-once", "at-least-once"] {
        let scenario = scenario("headers");
        let input = scenario.topic("input");
        let now = now_seconds();
        let with = |value| Input { value, headers: TRACE };
        let without = |value| Input { value, headers: &[] };
        let flags = ["--exit-at-end", "--delivery", delivery];
        send(
            &input,
            &[
                with(event("same", now)),
                without(event("same", now)),
                without(event("same", now)),
                with(event("same", now)),
                with("broken".into()),
                without("broken, too".into()),
            ],
        );
        scenario.start(&flags).ends_with(0);
        let processed = read(&scenario.topic("processed"), 4);
        let kept: Vec<_> = processed.iter().map(|(_, headers)| headers.clone()).collect();
        assert_eq!(kept, [trace(), vec![], vec![], trace()], "{delivery}");
        let letters = read(&scenario.topic("dead-letter"), 2);
        assert_eq!(letters[0].0, "broken");
        assert_eq!(foreign(&letters[0].1), trace());
        assert_eq!(value(&letters[0].1, "logintide.reason"), Some("not_json"));
        assert_eq!(foreign(&letters[1].1), []);
        send(&input, &[with(event("late", now - 86_400))]);
        scenario.start(&flags).ends_with(0);
        let late = read(&scenario.topic("late"), 1);
        assert_eq!(foreign(&late[0].1), trace());
        assert_eq!(value(&late[0].1, "logintide.reason"), Some("late"));
        scenario.redrive(&["--all"]);
        let all = read(&input, 9);
        // As they were written, `logintide.reason` with them; as they came back, without.
        let traces = all.iter().filter(|(_, headers)| foreign(headers) == trace());
        assert_eq!(traces.count(), 5);
        scenario.start(&flags).ends_with(0);
        let again = read(&scenario.topic("dead-letter"), 4);
        let twice: Vec<_> = again
            .iter()
            .filter(|(_, headers)| value(headers, "logintide.redriven") == Some("1"))
            .map(|(value, headers)| (value.as_str(), foreign(headers)))
            .collect();
        assert_eq!(twice, [("broken", trace()), ("broken, too", vec![])]);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn headers_of_nearly_a_megabyte_are_left_out_and_end_nothing() {
    let scenario = scenario("headers-large");
    let large = vec![b'x'; 900_000];
    let headers: &[(&str, Option<&[u8]>)] = &[("traceparent", Some(b"00-1")), ("h", Some(&large))];
    let forged: &[(&str, Option<&[u8]>)] = &[("logintide.redriven", Some(&large))];
    let fits = vec![b'x'; 60_000];
    let fitting: &[(&str, Option<&[u8]>)] = &[("h", Some(&fits))];
    let user = "u".repeat(60_000);
    let now = now_seconds();
    send(
        &scenario.topic("input"),
        &[
            Input { value: event("a", now), headers },
            Input { value: "broken".into(), headers },
            Input { value: event("a", now), headers: forged },
            Input { value: "broken".into(), headers: forged },
            Input { value: event(&user, now), headers: fitting },
            Input { value: "x".repeat(980_000), headers: fitting },
        ],
    );
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let processed = read(&scenario.topic("processed"), 3);
    let dropped =
        |headers: &Headers| value(headers, "logintide.headers_dropped").map(str::to_owned);
    let by_user = |user: &str| {
        let of_user =
            processed.iter().filter(move |(value, _)| value.contains(&format!("\"{user}\"")));
        of_user.map(|(_, headers)| headers.clone()).collect::<Vec<_>>()
    };
    let (of_a, of_user) = (by_user("a"), by_user(&user));
    let expected = |bytes: &str| Some(bytes.to_owned());
    assert_eq!((foreign(&of_a[0]), dropped(&of_a[0])), (vec![], expected("900016")));
    assert_eq!((value(&of_a[1], "logintide.redriven"), dropped(&of_a[1])), (Some("1"), None));
    assert_eq!(foreign(&of_user[0]), [("h".to_owned(), Some(fits.clone()))]);
    let letters = read(&scenario.topic("dead-letter"), 3);
    assert_eq!(dropped(&letters[0].1), expected("900016"));
    assert_eq!(value(&letters[1].1, "logintide.redriven"), Some("1"));
    // A dead letter keeps its value rather than the headers.
    assert_eq!((letters[2].0.len(), dropped(&letters[2].1)), (980_000, expected("60001")));
    // They are still missing when it was redriven, and it says so.
    scenario.redrive(&["--all"]);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let again = read(&scenario.topic("dead-letter"), 5);
    let said: Vec<_> = again.iter().filter_map(|(_, headers)| dropped(headers)).collect();
    assert_eq!(said.len(), 4, "{said:?}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn many_large_headers_beside_small_values_stay_in_the_budget() {
    const MIB: u64 = 1024 * 1024;
    let scenario = scenario("headers-memory");
    let large = vec![b'x'; 900_000];
    let fits = vec![b'x'; 60_000];
    let now = now_seconds();
    let mut records: Vec<_> = Vec::new();
    let (dropped, kept) = ([("h", Some(&large[..]))], [("h", Some(&fits[..]))]);
    for _ in 0..200 {
        records.push(Input { value: event("user", now), headers: &dropped });
        for _ in 0..5 {
            records.push(Input { value: event("user", now), headers: &kept });
        }
    }
    send(&scenario.topic("input"), &records);
    let running = scenario.serve(&["--memory-budget", "32MiB"]);
    let all = records.len() as f64;
    running.wait_for_events(all);
    let peak = running.peak_memory();
    println!("peak memory {} MiB of 32 + 100 MiB", peak / MIB);
    assert!(peak <= (32 + 100) * MIB, "{} MiB\n{}", peak / MIB, running.tail());
    running.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_others_wrote_has_no_effect_on_a_terminal() {
    const HOSTILE: &str = "\u{202e}abc\u{9b}2J\u{7f}\u{200b}\u{2028}\u{feff}";
    let scenario = scenario("headers-terminal");
    let input = scenario.topic("input");
    let value = format!(
        "{{\"user_id\":\"u{HOSTILE}\",\"timestamp\":{},\"locale\":\"{HOSTILE}\",\"device_type\":\"{HOSTILE}\"}}",
        now_seconds()
    );
    send(&input, &[Input { value, headers: &[] }, Input { value: HOSTILE.into(), headers: &[] }]);
    let mut running = scenario.start(&["--exit-at-end"]);
    running.ends_with(0);
    // Other programs may write there, too.
    let hostile = Some(HOSTILE.as_bytes());
    let of_topic: &[(&str, Option<&[u8]>)] =
        &[("logintide.reason", Some(b"not_json")), ("logintide.topic", hostile)];
    let detail = Some(&b"\x1b[2J\xc2\x9b"[..]);
    let of_detail = &[
        ("logintide.reason", Some(&b"not_json"[..])),
        ("logintide.topic", Some(input.as_bytes())),
        ("logintide.detail", detail),
    ];
    send(
        &scenario.topic("dead-letter"),
        &[
            Input { value: HOSTILE.into(), headers: of_topic },
            Input { value: HOSTILE.into(), headers: of_detail },
        ],
    );
    let mut said = vec![running.log()];
    for form in ["text", "json"] {
        let flags = ["--sample", "10", "--output", form, testkit::WITHOUT_TOPICS];
        let text = text(&scenario.check_config(&flags));
        assert!(text.contains("\\u202eabc\\u009b2J"), "{text}");
        said.push(text);
    }
    said.push(scenario.redrive(&["--all", "--dry-run"]));
    assert!(said[3].contains("\\u{202e}abc") && said[3].contains("\\x1b[2J"), "{}", said[3]);
    for text in &said {
        let hidden = text.chars().find(|c| *c != '\n' && logintide::plain::is_hidden(*c));
        assert_eq!(hidden, None, "{text:?}");
    }
}
