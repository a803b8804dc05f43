//! What is a problem and what a hint, on facts made by hand.

use super::{
    Fetch,
    cluster::{self, Own},
    facts::Facts,
    findings::Findings,
    topics,
};
use crate::{
    config::RunConfig,
    kafka::{
        ClusterDescription, ErrorCode, GroupDescription, GroupMember, KafkaError, Operation,
        Rights, TopicReplicas,
    },
    pipeline::internal_topics::{Settings, TopicFacts},
    settings,
    topics::{PerTopic, Topic},
};

fn config(arguments: &[&str]) -> RunConfig {
    let fixed = ["logintide", "run", "--brokers", "b:9092", "--instance-id", "one"];
    let line = [&fixed, arguments].concat();
    settings::of_line(&line)
}

fn topic(name: &str, replicas: usize, settings: &[(&str, &str)]) -> TopicFacts {
    let described = TopicReplicas {
        name: name.to_owned(),
        id: None,
        partitions: 8,
        replication: replicas,
        in_sync: replicas,
        leaderless: 0,
        rights: Rights::default(),
    };
    TopicFacts { replicas: Ok(Some(described)), settings: Some(made(settings)) }
}

fn made(settings: &[(&str, &str)]) -> Settings {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const MISSING: TopicFacts = TopicFacts { replicas: Ok(None), settings: None };

/// A cluster of three in which nothing is wrong.
fn facts() -> Facts {
    let sound = |policy: &str| {
        let settings = [
            ("min.insync.replicas", "2"),
            ("max.message.bytes", "1048588"),
            ("cleanup.policy", policy),
        ];
        topic("t", 3, &settings)
    };
    Facts {
        cluster_id: "c1".into(),
        cluster: ClusterDescription { brokers: 3, rights: Rights::default() },
        broker: Some(made(&[
            ("transaction.max.timeout.ms", "900000"),
            ("transaction.state.log.replication.factor", "3"),
            ("transaction.state.log.min.isr", "2"),
            ("offsets.topic.replication.factor", "3"),
        ])),
        topics: PerTopic::of(&Topic::COUNTING, |topic| {
            let is_compacted = matches!(topic, Topic::Aggregated | Topic::Journal);
            sound(if is_compacted { "compact" } else { "delete" })
        }),
        offsets_topic: MISSING,
        transactions_topic: MISSING,
        group: Ok(GroupDescription::default()),
        committed: Vec::new(),
        ends: Vec::new(),
        unseen: Vec::new(),
    }
}

/// Problems and hints.
fn judged(config: &RunConfig, facts: &Facts) -> (Vec<String>, Vec<String>) {
    let mut findings = Findings::default();
    topics::judge(config, facts, &mut findings);
    let own = Own { transaction_timeout_ms: 60_000, has_stopped: false };
    cluster::judge(config, facts, own, &mut findings);
    let (problems, hints) = findings.all();
    (problems.to_vec(), hints.to_vec())
}

/// The only problem.
fn problem(config: &RunConfig, facts: &Facts) -> String {
    let (problems, hints) = judged(config, facts);
    assert_eq!((problems.len(), hints.len()), (1, 0), "{problems:?} {hints:?}");
    problems.into_iter().next().expect("one")
}

/// The only hint.
fn hint(facts: &Facts) -> String {
    let (problems, hints) = judged(&config(&[]), facts);
    assert_eq!((problems.len(), hints.len()), (0, 1), "{problems:?} {hints:?}");
    hints.into_iter().next().expect("one")
}

fn set(topic: &mut TopicFacts, name: &str, value: &str) {
    let settings = topic.settings.as_mut().expect("a topic with settings");
    settings.insert(name.to_owned(), value.to_owned());
}

#[test]
fn a_sound_cluster_has_neither_problems_nor_hints() {
    assert_eq!(judged(&config(&[]), &facts()), (Vec::new(), Vec::new()));
}

#[test]
fn all_missing_topics_are_named_at_once_and_may_be_created() {
    let mut facts = facts();
    facts.topics = PerTopic::of(&Topic::COUNTING, |_| MISSING);
    let (problems, _) = judged(&config(&[]), &facts);
    assert_eq!(problems.len(), 6);
    assert!(problems.iter().all(|text| text.contains("--create-topics")), "{problems:?}");
    let creating = config(&["--create-topics"]);
    assert_eq!(judged(&creating, &facts), (Vec::new(), Vec::new()));
    facts.cluster.rights = Rights::new(Some(vec![Operation::Describe]));
    assert_eq!(judged(&creating, &facts).1.len(), 6);
}

#[test]
fn topics_that_cannot_take_what_is_written_are_problems() {
    let mut small = facts();
    set(&mut small.topics[Topic::Aggregated], "max.message.bytes", "1000");
    assert!(problem(&config(&[]), &small).contains("max.message.bytes=1000 is below 262144"));
    let mut strict = facts();
    set(&mut strict.topics[Topic::Processed], "min.insync.replicas", "4");
    assert!(problem(&config(&[]), &strict).contains("min.insync.replicas=4 is above its 3"));
    for (topic, part) in [
        (Topic::Processed, "newest event of each user"),
        (Topic::DeadLetter, "without a key"),
        (Topic::Late, "without a key"),
    ] {
        let mut compacted = facts();
        set(&mut compacted.topics[topic], "cleanup.policy", "compact");
        assert!(problem(&config(&[]), &compacted).contains(part));
    }
}

#[test]
fn batches_that_could_not_be_read_are_a_hint_with_both_values() {
    let mut facts = facts();
    let hints = |facts: &Facts| {
        let (answer_bytes, receive_limit) = (2_000_000, 100_000_000);
        let mut findings = Findings::default();
        let fetch = Fetch { answer_bytes, receive_limit };
        topics::judge_largest_batch(&config(&[]), facts, fetch, &mut findings);
        findings.all().1.to_vec()
    };
    assert_eq!(hints(&facts), Vec::<String>::new());
    set(&mut facts.topics[Topic::Input], "max.message.bytes", "100000000");
    let hints = hints(&facts).concat();
    assert!(hints.contains("max.message.bytes=100000000 allows batches above -X"), "{hints}");
    assert!(hints.contains("raise that to 100001024"), "{hints}");
}

#[test]
fn replicas_that_are_away_are_problems() {
    let mut behind = facts();
    let Ok(Some(replicas)) = &mut behind.topics[Topic::Processed].replicas else {
        panic!("made above")
    };
    replicas.in_sync = 1;
    assert!(problem(&config(&[]), &behind).contains("only 1 replicas are in sync"));
    let mut dead = facts();
    let Ok(Some(replicas)) = &mut dead.topics[Topic::Input].replicas else { panic!("made above") };
    replicas.leaderless = 2;
    assert!(problem(&config(&[]), &dead).contains("2 of 8 partitions have no leader"));
}

#[test]
fn what_is_only_unwise_is_a_hint() {
    let mut plain = facts();
    set(&mut plain.topics[Topic::Aggregated], "cleanup.policy", "delete");
    assert!(hint(&plain).contains("newest revision"));
    let mut cut = facts();
    set(&mut cut.topics[Topic::Input], "max.message.bytes", "3000000");
    set(&mut cut.topics[Topic::Late], "max.message.bytes", "3000000");
    assert!(hint(&cut).contains("--dead-letter-topic") && hint(&cut).contains("redriven"));
    let mut lone = facts();
    set(&mut lone.topics[Topic::Processed], "min.insync.replicas", "1");
    assert!(hint(&lone).contains("set it to 2"));
    let mut unseen = facts();
    unseen.unseen.push("denied".into());
    assert!(hint(&unseen).contains("denied"));
}

#[test]
fn transactions_that_cannot_work_are_problems_in_both_modes() {
    let mut single = facts();
    single.cluster.brokers = 1;
    single.offsets_topic = topic("__consumer_offsets", 1, &[]);
    let (problems, _) = judged(&config(&[]), &single);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("transaction.state.log.replication.factor=3"), "{problems:?}");
    assert!(problems[1].contains("transaction.state.log.min.isr=2"), "{problems:?}");
    let relaxed = config(&["--delivery", "at-least-once"]);
    assert_eq!(judged(&relaxed, &single).0, problems);

    let mut brief = facts();
    let broker = brief.broker.as_mut().expect("settings");
    broker.insert("transaction.max.timeout.ms".into(), "30000".into());
    assert!(problem(&config(&[]), &brief).contains("transaction.max.timeout.ms=30000"));

    let mut reduced = facts();
    reduced.transactions_topic = topic("__transaction_state", 1, &[("min.insync.replicas", "2")]);
    assert!(problem(&config(&[]), &reduced).contains("1 replicas in sync, but needs 2"));
}

#[test]
fn missing_rights_are_problems() {
    let mut denied = facts();
    let Ok(Some(input)) = &mut denied.topics[Topic::Input].replicas else { panic!("made above") };
    input.rights = Rights::new(Some(vec![Operation::Describe]));
    assert!(problem(&config(&[]), &denied).contains("may not Read it"));
    let mut group = facts();
    group.group = Ok(GroupDescription {
        rights: Rights::new(Some(vec![Operation::Describe])),
        ..GroupDescription::default()
    });
    assert!(problem(&config(&[]), &group).contains("cannot join"));
    let refused = |code: i32| KafkaError::Fatal {
        operation: "describe the group",
        code: ErrorCode(code),
        text: "refused".into(),
    };
    // GROUP_AUTHORIZATION_FAILED
    group.group = Err(refused(30));
    assert!(problem(&config(&[]), &group).contains("group logintide (--group-id): this user may"));
    // UNSUPPORTED_VERSION
    group.group = Err(refused(35));
    assert!(hint(&group).contains("could not be asked for: describe the group: refused"));
    let mut journal = facts();
    let Ok(Some(replicas)) = &mut journal.topics[Topic::Journal].replicas else {
        panic!("made above")
    };
    replicas.rights = Rights::new(Some(vec![Operation::Describe, Operation::Write]));
    assert!(problem(&config(&[]), &journal).contains("(--journal-topic): this user may not Read"));
}

#[test]
fn a_journal_that_loses_or_cannot_take_the_state_is_a_problem() {
    let mut deletes = facts();
    set(&mut deletes.topics[Topic::Journal], "cleanup.policy", "delete");
    let text = problem(&config(&[]), &deletes);
    assert!(text.contains("topic logintide-journal (--journal-topic): with cleanup.policy=delete"));
    assert!(text.contains("; run: kafka-configs.sh --bootstrap-server b:9092 "), "{text}");
    let mut small = facts();
    set(&mut small.topics[Topic::Journal], "max.message.bytes", "500000");
    assert!(problem(&config(&[]), &small).contains("max.message.bytes=500000 is below 525824"));
    let text = problem(&config(&["-X", "message.max.bytes=500000"]), &facts());
    assert!(text.contains("(--journal-topic): -X message.max.bytes=500000 is below"), "{text}");
    let mut missing = facts();
    missing.topics[Topic::Journal] = MISSING;
    let text = problem(&config(&[]), &missing);
    assert!(text.contains("create it by kafka-topics.sh") && text.contains("--partitions 8 "));
    let mut seldom = facts();
    set(&mut seldom.topics[Topic::Journal], "segment.ms", "604800000");
    assert!(hint(&seldom).contains("keep outdated records for long"));
}

#[test]
fn members_of_the_group_are_named() {
    let member = |instance: &str| GroupMember {
        client_id: "logintide".into(),
        host: "/10.0.0.7".into(),
        instance_id: instance.into(),
        assigned: Vec::new(),
    };
    let mut used = facts();
    let group = |members| GroupDescription {
        state: "Stable".into(),
        assignor: "range".into(),
        members,
        ..GroupDescription::default()
    };
    used.group = Ok(group(vec![member("one")]));
    let text = problem(&config(&[]), &used);
    assert!(text.contains("logintide on 10.0.0.7 (instance id one) has this instance id"));
    used.group = Ok(group(vec![member("two"), member("")]));
    let text = problem(&config(&[]), &used);
    assert!(text.contains("logintide on 10.0.0.7 (instance id two), logintide on 10.0.0.7"));
    let sticky =
        GroupDescription { assignor: "cooperative-sticky".into(), ..group(vec![member("x")]) };
    used.group = Ok(sticky);
    assert!(judged(&config(&[]), &used).0[1].contains("assign by cooperative-sticky"));
}

#[test]
fn what_keeps_the_run_out_of_its_group_is_a_problem() {
    for (setting, value, part) in [
        ("group.max.session.timeout.ms", "9000", "is above the brokers' group.max.session.timeout"),
        (
            "group.min.session.timeout.ms",
            "60000",
            "is below the brokers' group.min.session.timeout",
        ),
    ] {
        let mut strict = facts();
        strict.broker.as_mut().expect("settings").insert(setting.into(), value.into());
        let text = problem(&config(&[]), &strict);
        assert!(text.contains(part) && text.contains(&format!("={value}, so")), "{text}");
    }
    let mut foreign = facts();
    let protocol = Some("connect".to_owned());
    foreign.group = Ok(GroupDescription { foreign_protocol: protocol, ..Default::default() });
    assert!(problem(&config(&[]), &foreign).contains("(protocol connect)"));
    let mut full = facts();
    full.broker.as_mut().expect("settings").insert("group.max.size".into(), "1".into());
    let member = GroupMember {
        client_id: "other".into(),
        host: "/10.0.0.7".into(),
        instance_id: "two".into(),
        assigned: Vec::new(),
    };
    let members = vec![member];
    full.group = Ok(GroupDescription { state: "Stable".into(), members, ..Default::default() });
    let (problems, _) = judged(&config(&[]), &full);
    assert!(problems.iter().any(|text| text.contains("group.max.size=1")), "{problems:?}");
}
