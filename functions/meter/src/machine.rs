//! What the ledger's shell needs of a pure machine: the meter of a user and the pool of a team are both one.

use serde::{Serialize, de::DeserializeOwned};
use tollgate_domain::{
    clock_leap::Leaping,
    meter::{self, Event},
    pool::{PoolCommand, PoolDecision, PoolEvent, PoolState},
    time::Timestamp,
};

/// A state that is the sum of its events.
pub trait Machine: Default + PartialEq + Clone + Serialize + DeserializeOwned + Leaping {
    type Command;
    type Prior;
    type Decision;
    type Event: Serialize + DeserializeOwned;

    /// Nothing but to look at the clock.
    const SEE_CLOCK: Self::Command;

    /// The instant a command is judged at, and its events are written with.
    fn instant(&self, command: &Self::Command, clock: Timestamp) -> Timestamp;

    /// Decides and takes the events in.
    fn carry_out(
        &mut self,
        command: &Self::Command,
        prior: Option<&Self::Prior>,
        clock: Timestamp,
    ) -> (Self::Decision, Vec<Self::Event>);

    /// Takes in an event that was read.
    fn apply(&mut self, at: Timestamp, event: &Self::Event);

    /// The name of an event's kind, as in the ledger's rows.
    fn kind(event: &Self::Event) -> &'static str;

    /// Whether an event is found again by its request's idempotency key.
    fn is_keyed(event: &Self::Event) -> bool;
}

impl Machine for meter::State {
    type Command = meter::Command;
    type Prior = meter::Prior;
    type Decision = meter::Decision;
    type Event = Event;

    const SEE_CLOCK: meter::Command = meter::Command::SeeClock;

    fn instant(&self, command: &meter::Command, clock: Timestamp) -> Timestamp {
        Self::instant(self, command, clock)
    }

    fn carry_out(
        &mut self,
        command: &meter::Command,
        prior: Option<&meter::Prior>,
        clock: Timestamp,
    ) -> (meter::Decision, Vec<Event>) {
        Self::carry_out(self, command, prior, clock)
    }

    fn apply(&mut self, at: Timestamp, event: &Event) {
        Self::apply(self, at, event);
    }

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    fn is_keyed(event: &Event) -> bool {
        matches!(
            event,
            Event::Reserved { .. } | Event::Refused { .. } | Event::Released { .. } | Event::ReleasedLate { .. }
        )
    }
}

impl Machine for PoolState {
    type Command = PoolCommand;
    type Prior = ();
    type Decision = PoolDecision;
    type Event = PoolEvent;

    const SEE_CLOCK: PoolCommand = PoolCommand::SeeClock;

    fn instant(&self, command: &PoolCommand, clock: Timestamp) -> Timestamp {
        Self::instant(self, command, clock)
    }

    fn carry_out(&mut self, command: &PoolCommand, _: Option<&()>, clock: Timestamp) -> (PoolDecision, Vec<PoolEvent>) {
        Self::carry_out(self, command, clock)
    }

    fn apply(&mut self, at: Timestamp, event: &PoolEvent) {
        Self::apply(self, at, event);
    }

    fn kind(event: &PoolEvent) -> &'static str {
        event.kind()
    }

    fn is_keyed(_: &PoolEvent) -> bool {
        false
    }
}
