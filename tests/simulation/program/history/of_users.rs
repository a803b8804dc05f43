//! Histories of the program that keeps users' profiles: the same troubles, another work.

use logintide::{config::Delivery, topics::Topic};

use super::{
    super::{
        plan::{Plan, Work},
        sizes::Outcome,
        users,
    },
    History, play_out,
};
use crate::kafka::{Cluster, Random};

/// Topics that may get more partitions; the records of a window stay in one partition, and those of
/// a stream.
pub(super) fn growing(work: Work) -> &'static [Topic] {
    match work {
        Work::Windows => {
            &[Topic::Input, Topic::Input, Topic::Processed, Topic::DeadLetter, Topic::Late]
        }
        Work::Users => {
            &[Topic::Input, Topic::Input, Topic::Alerts, Topic::DeadLetter, Topic::Activity]
        }
    }
}

/// Plays a history of users.
pub(crate) fn play_users(seed: u64, look: fn(&mut Cluster)) -> Outcome {
    play_out(|| {
        let mut random = Random::new(seed ^ 0x05e2_5eed);
        let plan = Plan::new(Delivery::ExactlyOnce, &mut random).of_users();
        History::of(seed, plan, random, look)
    })
}

impl History {
    /// Judges what readers see once everything has stopped.
    pub(super) fn judge_users(&mut self) -> Result<(), String> {
        self.sizes.inputs = self.feed.written().len();
        self.sizes.seconds = self.now().as_secs();
        users::check(&self.kafka, &self.names, &mut self.sizes)
    }
}
