//! Bounded runs of a group: processes that end by themselves, and are started again together.
//!
//! In:  where the processes stand. Out: new starts, or what a run has left out.
//! Holds: what was written before anybody started is read when all have ended by themselves, where
//! brokers knew of the partition.

use logintide::topics::{PerTopic, Topic};

use super::{input::Feed, oracle::Outputs, slot::Slot};
use crate::kafka::{Random, SimKafka};

/// The runs of a history.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Records that were there when the processes were started that run now.
    there: usize,
    /// Partitions of the input that brokers knew of.
    partitions: usize,
    ended: usize,
}

impl Runs {
    /// The processes are about to be started.
    pub(crate) fn begin(kafka: &SimKafka, input: &str, feed: &Feed) -> Self {
        let partitions = kafka.known_partitions(input);
        Self { there: feed.written().len(), partitions, ended: 0 }
    }

    /// How often all processes have ended by themselves.
    pub(crate) fn ended(&self) -> usize {
        self.ended
    }

    /// Starts all processes again once all have ended by themselves.
    pub(crate) fn advance(
        &mut self,
        (kafka, names): (&SimKafka, &PerTopic<String>),
        feed: &Feed,
        slots: &mut [Slot],
        random: &mut Random,
    ) -> Result<(), String> {
        let all: Vec<_> = names.values().map(String::as_str).collect();
        // Markers of the last transaction may still be on their way.
        if !slots.iter().all(Slot::is_resting) || !kafka.is_settled(&all) {
            return Ok(());
        }
        let outputs = Outputs::read(kafka, names);
        let there = feed.written()[..self.there].iter().enumerate();
        let there = there.filter(|(_, input)| (input.partition as usize) < self.partitions);
        if let Some(number) = outputs.first_missing(there) {
            return Err(format!(
                "record {number} was not read, although {} were there when the run began",
                self.there
            ));
        }
        let next = Self::begin(kafka, &names[Topic::Input], feed);
        *self = Self { ended: self.ended + 1, ..next };
        kafka.with(|cluster| cluster.note(|| format!("run {} has ended", self.ended)));
        for slot in slots {
            slot.wake(kafka, random);
        }
        Ok(())
    }
}
