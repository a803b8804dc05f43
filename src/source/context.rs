//! What the source has in every phase. Owned by the source thread.
//!
//! In:  settings, clients, channels. Out: the calls that are the same in every phase.
//! Holds: an incarnation is left before its partitions are given away; what is kept here over
//! incarnations is about the log and the group, never about an open epoch.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;

use super::{
    Halt, SourceSettings,
    asking::Asking,
    departed::Departed,
    fatal,
    intake::{Intake, ReadFault},
    leaving::{After, Leaving},
    phase::Phase,
    topics::KnownTopics,
    unreadable::Unreadable,
};
use crate::{
    client::{Client, Clock, RecordConsumer},
    control::Control,
    epoch::{RunEnds, ToSource},
    error::RunError,
    ids::{Epoch, Incarnation, Offset, PartitionId},
    kafka::KafkaError,
    limits,
};

/// The source without its phase.
#[derive(Debug)]
pub(super) struct Context<C: Client> {
    pub(super) settings: SourceSettings,
    pub(super) client: C,
    pub(super) consumer: C::Consumer,
    pub(super) admin: C::Admin,
    pub(super) intake: Intake,
    pub(super) from_sink: Receiver<ToSource>,
    pub(super) control: Arc<Control>,
    pub(super) incarnation: Incarnation,
    /// No epoch from this one on was used by this process.
    pub(super) unused_epoch: Epoch,
    /// Rollbacks since the last committed epoch.
    pub(super) rollbacks: u32,
    /// Whether partitions were lost and none were assigned since.
    pub(super) lost: bool,
    /// Where partitions without a commit begin, kept until there is one.
    pub(super) fresh_starts: BTreeMap<PartitionId, Offset>,
    /// Where a bounded run is to end, once that was asked for: if this instance merges.
    pub(super) run_ends: Option<RunEnds>,
    /// When the group was last joined anew for partitions that nobody has.
    pub(super) joined_at: Option<Instant>,
    pub(super) topics: KnownTopics,
    pub(super) unreadable: Unreadable<C::Consumer>,
    pub(super) departed: Departed<C::Producer>,
    warned_at: Option<Instant>,
}

impl<C: Client> Context<C> {
    pub(super) fn new(
        settings: SourceSettings,
        (client, consumer, admin): (C, C::Consumer, C::Admin),
        intake: Intake,
        from_sink: Receiver<ToSource>,
        control: Arc<Control>,
    ) -> Self {
        let topics = KnownTopics::new(settings.outputs);
        Self {
            settings,
            client,
            consumer,
            admin,
            intake,
            from_sink,
            control,
            incarnation: Incarnation(0),
            unused_epoch: Epoch(0),
            rollbacks: 0,
            lost: false,
            fresh_starts: BTreeMap::new(),
            run_ends: None,
            joined_at: None,
            topics,
            unreadable: Unreadable::default(),
            departed: Departed::new(),
            warned_at: None,
        }
    }

    /// The monotonic clock as it is now; `intake` has the time at which the turn began.
    pub(super) fn now(&self) -> Instant {
        self.client.clock().now()
    }

    /// Serves the consumer, which keeps its place in the group. What the group says is handled in
    /// the next turn.
    pub(super) fn serve(&mut self) {
        let intake = &mut self.intake;
        let served = self.consumer.serve(Duration::ZERO, &mut |event| {
            // A record returned here is one like any other; nothing can be put back.
            let _flow = intake.event(event);
        });
        if let Err(error) = served {
            self.intake.faults.push(ReadFault::Reported(error));
        }
    }

    /// Whether a message of the sink is about the present incarnation.
    pub(super) fn concerns(&self, message: &ToSource) -> bool {
        let of = match message {
            ToSource::Undone(incarnation)
            | ToSource::AskAgain { incarnation, .. }
            | ToSource::News { incarnation, .. }
            | ToSource::RollBack { incarnation, .. } => *incarnation,
            ToSource::Recovered(recovered) => recovered.incarnation,
            ToSource::Committed(done) => done.incarnation,
        };
        of == self.incarnation
    }

    /// Ends the incarnation. Partitions are neither given back nor taken before the sink says that
    /// nothing of it is open any more.
    pub(super) fn leave(&mut self, after: After) -> Result<Phase, Halt> {
        self.incarnation = self.incarnation.next();
        self.intake.partitions.clear();
        self.intake.lanes.reset(self.incarnation)?;
        self.departed.begin();
        self.control.health().set_assigned(0);
        Ok(Phase::Leaving(Leaving::new(after)))
    }

    /// Leaves the incarnation and recovers the same partitions, after a pause that grows with
    /// repeated failure.
    pub(super) fn roll_back(
        &mut self,
        partitions: Vec<PartitionId>,
        reason: &str,
    ) -> Result<Phase, Halt> {
        let next_try = self.now() + self.count_rollback(reason)?;
        self.leave(After::Ask(Asking::new(partitions, next_try)))
    }

    /// Notes a rollback and says why. Returns the pause before the next attempt.
    pub(super) fn count_rollback(&mut self, reason: &str) -> Result<Duration, Halt> {
        self.rollbacks += 1;
        if self.rollbacks > limits::ROLLBACK_ATTEMPTS {
            return Err(Halt::Failed(RunError::GaveUp {
                what: "committing an epoch".to_owned(),
                attempts: limits::ROLLBACK_ATTEMPTS,
                last: reason.to_owned(),
            }));
        }
        let pause = backoff(self.rollbacks);
        tracing::warn!(
            reason,
            attempt = self.rollbacks,
            pause_ms = pause.as_millis() as u64,
            "epoch rolled back; reading again from the committed offsets"
        );
        Ok(pause)
    }

    /// The group says that another process has this one's instance id. When its own session had run
    /// out before, that may be the answer to a heartbeat of its former membership: it joins again,
    /// unless a namesake has committed. Otherwise, and the second time, it stops.
    pub(super) fn replaced(&mut self, error: &KafkaError) -> Result<Phase, Halt> {
        if !self.lost {
            return Err(Halt::Failed(RunError::Failed(format!(
                "fenced: another process with this instance id, {}, has taken this one's place in \
                 the consumer group; this process stops. Nothing is lost or doubled; give each \
                 process its own --instance-id ({error})",
                self.settings.instance
            ))));
        }
        self.lost = false;
        tracing::warn!(
            %error,
            "the group knows another member of this name, after this one's session had run out: \
             joining again, unless that one has committed"
        );
        self.consumer.renew(&self.settings.consumer).map_err(|error| fatal(&error))?;
        self.leave(After::Rejoin)
    }

    /// Logs a lasting fault, once every few seconds.
    pub(super) fn warn_of(&mut self, error: &KafkaError) {
        let now = self.intake.now();
        if self.warned_at.is_none_or(|last| now - last >= limits::REPEATED_LOG_INTERVAL) {
            self.warned_at = Some(now);
            tracing::warn!(%error, "reading the input is disturbed; trying again");
        }
    }
}

/// Doubles from a tenth of a second up to the longest pause.
fn backoff(attempt: u32) -> Duration {
    let doubled = Duration::from_millis(100) * 2u32.saturating_pow(attempt.min(16) - 1);
    doubled.min(limits::ROLLBACK_BACKOFF_MAX)
}
