//! A clock that leaps, and how a state survives it.
//!
//! The instants that a meter is told never go back for it: of two clocks that differ by seconds the later one counts. So an
//! instant far in the future, from a clock that was wrong for a while, would leave whoever called meanwhile there for good: in
//! another month, after the end of a trial, without the sessions and keys that were stopped. But somebody who comes back after
//! three weeks brings such an instant, too, and is right.
//!
//! Both are judged at the instant they bring. With the first event at an instant that is [`LEAP_MS`] or more after the last one,
//! the state keeps beside it what it would be had the clock not leapt ([`Behind`]), and takes each event in for both. When the
//! clock comes back before the leap is believed ([`BELIEVED_AFTER_MS`]), that is the state, and what was used meanwhile is
//! counted in it. After that only an operator's word brings it back.

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, Timestamp, millis};

/// From how far after the last instant one counts as a leap, and how far before it one counts as a return: an hour. Nobody is
/// ahead of the clock for longer.
pub const LEAP_MS: i64 = 60 * 60 * 1_000;

/// How long a leap has to last to be believed: a day, so that somebody who looks after the machine has seen it.
pub const BELIEVED_AFTER_MS: i64 = DAY_MS;

/// How much of the time between two events counts for that: a night does, and another leap does not count for more.
const LONGEST_STEP_MS: i64 = DAY_MS / 2;

/// A state as it would be had the clock not leapt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind<S> {
    /// How long the leap has lasted.
    lasted_ms: i64,
    /// The last instant that was seen.
    #[serde(with = "millis")]
    seen: Timestamp,
    state: Box<S>,
}

impl<S> Behind<S> {
    /// Of a clock that leaps to `at`.
    pub fn new(at: Timestamp, state: S) -> Self {
        Self { lasted_ms: 0, seen: at, state: Box::new(state) }
    }

    /// The state behind.
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// The state behind, to take an event in; and how far its clock goes on for an event at `at`, in milliseconds. Another
    /// leap is none for it.
    pub fn going_on_to(&mut self, at: Timestamp) -> (&mut S, i64) {
        let step = at.as_millis().saturating_sub(self.seen.as_millis());
        self.lasted_ms = self.lasted_at(at);
        self.seen = self.seen.max(at);
        (&mut self.state, if (0..LEAP_MS).contains(&step) { step } else { 0 })
    }

    /// The state behind, when the clock has come back.
    pub fn into_state(self) -> S {
        *self.state
    }

    /// How long the leap will have lasted with an event at `at`.
    fn lasted_at(&self, at: Timestamp) -> i64 {
        let step = at.as_millis().saturating_sub(self.seen.as_millis());
        self.lasted_ms.saturating_add(step.clamp(0, LONGEST_STEP_MS))
    }
}

/// A state whose instants never go back, but from a leap.
pub trait Leaping: Sized {
    /// The latest instant seen.
    fn latest(&self) -> Timestamp;

    /// What would be had the clock not leapt, where it has.
    fn behind(&self) -> Option<&Behind<Self>>;

    /// The instant commands are judged at: the clock's, but never before one that was seen, unless it was that of a leap.
    fn now(&self, clock: Timestamp) -> Timestamp {
        match self.doubted() {
            Some(behind) if self.is_back(clock) => clock.max(behind.latest()),
            _ => clock.max(self.latest()),
        }
    }

    /// The earliest instant that commands may still be judged at: what nobody asks for any more at this one need not be kept.
    fn earliest(&self, clock: Timestamp) -> Timestamp {
        let now = self.now(clock);
        self.doubted().map_or(now, |behind| behind.latest().min(now))
    }

    /// Whether the clock has come back from a leap that is not believed yet: the next command takes it in.
    fn is_back(&self, clock: Timestamp) -> bool {
        self.doubted().is_some() && has_returned(self.latest(), clock)
    }

    /// Whether what would be without a leap is to be kept before an event at this instant. A leap that is not believed yet is
    /// one with those that follow it: the way back is to before the first. The first instant of all is no leap.
    fn leaps_to(&self, at: Timestamp) -> bool {
        let latest = self.latest();
        let is_one_with_another = self.behind().is_some_and(|behind| behind.lasted_at(at) < BELIEVED_AFTER_MS);
        latest > Timestamp::default() && at >= latest.plus_millis(LEAP_MS) && !is_one_with_another
    }

    /// The instant to go back to when an operator says that the clock is right; `None` when it is not ahead.
    fn returns_to(&self, clock: Timestamp) -> Option<Timestamp> {
        let behind = self.behind().map(|behind| behind.state().latest());
        let to = behind.filter(|latest| !has_returned(*latest, clock)).map_or(clock, |latest| clock.max(latest));
        (to < self.latest()).then_some(to)
    }

    /// What is behind a leap that is not believed yet.
    fn doubted(&self) -> Option<&Self> {
        self.behind().filter(|behind| behind.lasted_ms < BELIEVED_AFTER_MS).map(Behind::state)
    }
}

/// Whether a clock has come back from the last instant.
fn has_returned(latest: Timestamp, clock: Timestamp) -> bool {
    clock.plus_millis(LEAP_MS) <= latest
}
