use super::*;

fn client(properties: &[(&str, &str)]) -> ClientSettings {
    ClientSettings {
        brokers: "127.0.0.1:1".into(),
        properties: properties.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
    }
}

fn consumer(properties: &[(&str, &str)]) -> ConsumerSettings {
    ConsumerSettings {
        client: client(properties),
        group_id: "g".into(),
        instance_id: Some("i".into()),
        topic: "t".into(),
        fetch_queue_kbytes: 32 * 1024,
        session_timeout: Duration::from_secs(6),
        max_poll_interval: Duration::from_mins(5),
        reads_uncommitted: false,
    }
}

fn producer(properties: &[(&str, &str)]) -> ProducerSettings {
    ProducerSettings {
        client: client(properties),
        queue_kbytes: 1024,
        batch_bytes: 1_000_000,
        linger: Duration::from_micros(2_500),
        delivery_timeout: Duration::from_mins(1),
        transactional: None,
    }
}

#[test]
fn protected_properties_are_refused_by_name_in_every_spelling() {
    let aliases = ALIASES.iter().filter(|(_, name)| PROTECTED.iter().any(|(p, _)| p == name));
    for name in PROTECTED.iter().map(|(name, _)| *name).chain(aliases.map(|(a, _)| *a)) {
        let error = consumer(&[(name, "x")]).to_config().expect_err(name);
        assert!(error.to_string().contains(&format!("-X {name}=x")), "{error}");
        producer(&[(name, "x")]).to_config().expect_err(name);
    }
}

#[test]
fn an_ordinary_property_overrides_ours_also_under_its_alias() {
    let config = producer(&[("linger.ms", "7"), ("compression.type", "lz4")])
        .to_config()
        .expect("both may be set");
    assert_eq!(config.get("queue.buffering.max.ms"), Some("7"));
    assert_eq!(config.get("linger.ms"), None);
    assert_eq!(config.get("compression.codec"), Some("lz4"));
    let config = consumer(&[("fetch.max.bytes", "1"), ("fetch.max.bytes", "2")])
        .to_config()
        .expect("may be set");
    assert_eq!(config.get("fetch.max.bytes"), Some("2"));
}

#[test]
fn cooperative_assignment_is_refused() {
    for strategy in ["cooperative-sticky", "range,cooperative-sticky"] {
        let settings = consumer(&[("partition.assignment.strategy", strategy)]);
        let error = settings.to_config().expect_err(strategy);
        assert!(error.to_string().contains(strategy), "{error}");
    }
    consumer(&[("partition.assignment.strategy", "roundrobin")])
        .to_config()
        .expect("an eager strategy may be chosen");
}

#[test]
fn librdkafka_takes_every_property_that_is_set_here() {
    let config = consumer(&[]).to_config().expect("no user properties");
    assert_eq!(config.get("session.timeout.ms"), Some("6000"));
    assert_eq!(config.get("heartbeat.interval.ms"), Some("1000"));
    assert_eq!(config.get("max.poll.interval.ms"), Some("300000"));
    config.create_native_config().expect("consumer properties");
    let mut settings = producer(&[]);
    settings.transactional =
        Some(Transactional { id: "tx".into(), timeout: Duration::from_mins(1) });
    let config = settings.to_config().expect("no user properties");
    assert_eq!(config.get("queue.buffering.max.ms"), Some("2.500"));
    assert_eq!(config.get("transactional.id"), Some("tx"));
    assert_eq!(config.get("transaction.timeout.ms"), Some("60000"));
    assert_eq!(config.get("connections.max.idle.ms"), Some("5000"));
    config.create_native_config().expect("producer properties");
}

#[test]
fn the_transaction_timeout_is_the_one_that_the_user_has_set() {
    let with = |properties: &[_], transactional| {
        ProducerSettings { transactional, ..producer(properties) }.transaction_timeout()
    };
    let ours = || Some(Transactional { id: "tx".into(), timeout: Duration::from_mins(1) });
    let user = [(TRANSACTION_TIMEOUT, "7000")];
    assert_eq!(with(&[], ours()), Duration::from_mins(1));
    assert_eq!(with(&user, ours()), Duration::from_secs(7));
    assert_eq!(with(&user, None), Duration::ZERO);
}

#[test]
fn a_record_that_could_outlive_its_transaction_is_refused_with_both_values() {
    let with = |properties: &[_]| {
        let (mut settings, timeout) = (producer(properties), Duration::from_secs(70));
        settings.transactional = Some(Transactional { id: "tx".into(), timeout });
        settings.to_config()
    };
    with(&[]).expect("60 s fit into 70 s");
    with(&[("transaction.timeout.ms", "60000")]).expect("as long is short enough");
    with(&[("transaction.timeout.ms", "soon")]).expect("left to librdkafka");
    for (properties, delivery, transaction) in [
        (("transaction.timeout.ms", "59999"), "=60000", "=59999"),
        (("delivery.timeout.ms", "70001"), "=70001", "=70000"),
        (("message.timeout.ms", "0"), "=0", "=70000"),
    ] {
        let error = with(&[properties]).expect_err("too long").to_string();
        assert!(error.contains(&format!("message.timeout.ms{delivery} ")), "{error}");
        assert!(error.contains(&format!("transaction.timeout.ms{transaction}:")), "{error}");
        assert!(error.contains("raise -X transaction.timeout.ms"), "{error}");
    }
    producer(&[("message.timeout.ms", "0")]).to_config().expect("without transactions");
}

#[test]
fn a_client_connects_again_soon_and_the_user_may_say_otherwise() {
    let backoff = |properties: &[(&str, &str)]| {
        let config = consumer(properties).to_config().expect("may be set");
        config.get("reconnect.backoff.ms").map(str::to_owned)
    };
    assert_eq!(backoff(&[]).as_deref(), Some("10"));
    assert_eq!(backoff(&[("reconnect.backoff.ms", "250")]).as_deref(), Some("250"));
}
