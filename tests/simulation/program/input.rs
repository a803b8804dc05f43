//! The input of a history: login events, written while it runs.
//!
//! In:  chance. Out: records in the input topic, and what each of them is.
//! Holds: a record's value names its number, so that it is found again in every output.

use crate::kafka::{Random, SimKafka};

use super::{
    plan::{ORDERLY_DELAY_MS, Plan, Work},
    users,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Valid,
    /// No event can be read from it.
    Invalid,
    Tombstone,
}

/// A record of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) kind: Kind,
    pub(crate) partition: i32,
    /// Event time, milliseconds.
    pub(crate) time_ms: i64,
    pub(crate) user: usize,
}

/// Who writes the input.
#[derive(Debug)]
pub(crate) struct Feed {
    work: Work,
    topic: String,
    left: usize,
    is_orderly: bool,
    dates_ahead: bool,
    /// Chances of the partitions, of one another.
    weights: Vec<usize>,
    users: usize,
    /// When the first record was written.
    began_ms: Option<i64>,
    written: Vec<Input>,
}

impl Feed {
    pub(crate) fn new(topic: &str, partitions: usize, plan: &Plan, random: &mut Random) -> Self {
        let mut weights: Vec<_> = (0..partitions).map(|_| *random.pick(&[0, 1, 1, 8])).collect();
        weights[random.below(partitions)] = 4;
        Self {
            work: plan.work,
            topic: topic.to_owned(),
            left: plan.records,
            is_orderly: plan.is_orderly,
            dates_ahead: !plan.loses_journal(),
            weights,
            users: 1 + random.below(6),
            began_ms: None,
            written: Vec::new(),
        }
    }

    /// All records that were written, in the order of their numbers.
    pub(crate) fn written(&self) -> &[Input] {
        &self.written
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The topic has a partition more.
    pub(crate) fn add_partition(&mut self, random: &mut Random) {
        self.weights.push(*random.pick(&[0, 1, 4]));
    }

    /// Writes some records, or none.
    pub(crate) fn write(&mut self, kafka: &SimKafka, random: &mut Random) {
        if self.left == 0 || !random.one_in(3) {
            return;
        }
        for _ in 0..(1 + random.below(3)).min(self.left) {
            self.left -= 1;
            self.write_one(kafka, random, Self::partition);
        }
    }

    /// Writes a record to this partition, besides those of the plan.
    pub(crate) fn write_to(&mut self, kafka: &SimKafka, random: &mut Random, partition: i32) {
        self.write_one(kafka, random, |_, _| partition);
    }

    fn write_one(
        &mut self,
        kafka: &SimKafka,
        random: &mut Random,
        choose: impl Fn(&Self, &mut Random) -> i32,
    ) {
        let now_ms = kafka.with(|cluster| cluster.now_ms());
        let kind = match random.below(12) {
            0 => Kind::Invalid,
            1 => Kind::Tombstone,
            _ => Kind::Valid,
        };
        let (time_ms, user) = (now_ms - self.delay_ms(random), random.below(self.users));
        let mut input = Input { kind, partition: 0, time_ms, user };
        let (value, partition) = match self.work {
            Work::Windows => {
                let value = value(self.written.len(), input, random);
                (value, choose(self, random))
            }
            Work::Users => {
                let began_ms = *self.began_ms.get_or_insert(now_ms);
                let value = users::value(began_ms, now_ms, user, kind, random);
                (value, (user % self.weights.len()) as i32)
            }
        };
        input.partition = partition;
        let key = random.one_in(2).then_some(b"k".as_slice());
        kafka.append_record(&self.topic, partition, key, value.as_deref().map(str::as_bytes));
        self.written.push(input);
    }

    /// How old an event is when it is written.
    fn delay_ms(&self, random: &mut Random) -> i64 {
        let mut up_to = |most: i64| random.below(most as usize + 1) as i64;
        if self.is_orderly {
            return up_to(ORDERLY_DELAY_MS);
        }
        match up_to(20) {
            0..=10 => up_to(300),
            11..=15 => up_to(3_000),
            16..=18 => up_to(12_000),
            _ if self.dates_ahead => -up_to(4_000),
            _ => 0,
        }
    }

    fn partition(&self, random: &mut Random) -> i32 {
        let mut at = random.below(self.weights.iter().sum());
        let chosen = self.weights.iter().position(|weight| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        chosen.expect("below the sum of the weights") as i32
    }
}

/// A record's value; `None` is a tombstone.
fn value(number: usize, input: Input, random: &mut Random) -> Option<String> {
    let Input { kind, time_ms, user, .. } = input;
    match kind {
        Kind::Valid => {
            let device = random.pick(&["android", "iOS"]);
            let who = format!(r#""user_id":"u{user}","device_type":"{device}""#);
            let rest = r#""app_version":"2.3.0","ip":"10.0.0.1","locale":"RU""#;
            let id = format!(r##""device_id":"#{number}#""##);
            Some(format!(r#"{{{who},"timestamp":{time_ms},{rest},{id}}}"#))
        }
        Kind::Invalid => Some(match random.below(3) {
            0 => format!(r##"{{"device_id":"#{number}#""##),
            1 => format!(r##"{{"timestamp":{time_ms},"device_id":"#{number}#"}}"##),
            _ => format!(r##"{{"user_id":"u","timestamp":"soon","device_id":"#{number}#"}}"##),
        }),
        Kind::Tombstone => None,
    }
}

/// The number that a value names.
pub(crate) fn number_in(value: &[u8]) -> Option<usize> {
    let from = value.iter().position(|byte| *byte == b'#')? + 1;
    let digits = value[from..].iter().position(|byte| *byte == b'#')?;
    std::str::from_utf8(&value[from..from + digits]).ok()?.parse().ok()
}
