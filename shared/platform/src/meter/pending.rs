//! Settles that wait for a ride.
//!
//! A settle is off the response path, and the next reserve of the same user goes to the same object: for a busy user
//! the settle travels with it and costs no call of its own. It never waits longer than [`HOLD_MS`]. One that is lost
//! with its isolate is an unsettled reservation, which counts at its estimate.

use std::{cell::RefCell, collections::HashMap};

use super::wire::End;

/// The longest a settle waits for a reserve to ride on.
pub(super) const HOLD_MS: i64 = 50;

/// A user is busy when the reserve before this one was at most this long ago.
const BUSY_MS: i64 = 1_000;

/// How many idle users an isolate remembers before it forgets them.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
struct Queue {
    ends: Vec<End>,
    in_flight: u32,
    last_reserve_ms: i64,
    previous_reserve_ms: i64,
    flush_due_ms: i64,
}

/// When a settle is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At once: nobody will come along.
    Now,
    /// After [`HOLD_MS`], unless a reserve took it.
    Later,
    /// Another request of this isolate will send it with its own.
    WithOthers,
}

/// The queues of an isolate, by object name.
#[derive(Debug, Default)]
pub(super) struct Queues(HashMap<String, Queue>);

impl Queues {
    /// A reserve sets out: it takes along what waits.
    pub(super) fn depart(&mut self, object: &str, now_ms: i64) -> Vec<End> {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(object) {
            self.0.retain(|_, queue| queue.in_flight > 0 || !queue.ends.is_empty());
        }
        // `entry` would allocate the name of every busy user anew.
        if !self.0.contains_key(object) {
            self.0.insert(
                object.to_owned(),
                Queue { previous_reserve_ms: i64::MIN, last_reserve_ms: i64::MIN, ..Queue::default() },
            );
        }
        let Some(queue) = self.0.get_mut(object) else {
            return Vec::new();
        };
        queue.in_flight += 1;
        queue.previous_reserve_ms = queue.last_reserve_ms;
        queue.last_reserve_ms = now_ms;
        std::mem::take(&mut queue.ends)
    }

    /// The work of a reserve is over, or it was refused.
    pub(super) fn arrive(&mut self, object: &str) {
        if let Some(queue) = self.0.get_mut(object) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
        }
    }

    /// Queues an end and says when to send it.
    pub(super) fn push(&mut self, object: &str, end: End, now_ms: i64) -> When {
        let queue = self.0.entry(object.to_owned()).or_default();
        queue.ends.push(end);
        let busy = queue.in_flight > 0 || queue.last_reserve_ms.saturating_sub(queue.previous_reserve_ms) <= BUSY_MS;
        if !busy {
            return When::Now;
        }
        // A flush that is overdue belongs to a request the runtime has ended.
        if queue.flush_due_ms > now_ms {
            return When::WithOthers;
        }
        queue.flush_due_ms = now_ms + HOLD_MS;
        When::Later
    }

    /// Takes what waits, to send it.
    pub(super) fn take(&mut self, object: &str) -> Vec<End> {
        self.0.get_mut(object).map(|queue| std::mem::take(&mut queue.ends)).unwrap_or_default()
    }

    /// Puts back what could not be sent.
    pub(super) fn put_back(&mut self, object: &str, ends: Vec<End>) {
        if !ends.is_empty() {
            let queue = self.0.entry(object.to_owned()).or_default();
            queue.ends.splice(0..0, ends);
        }
    }
}

thread_local! {
    static QUEUES: RefCell<Queues> = RefCell::new(Queues::default());
}

/// Works on this isolate's queues.
pub(super) fn with<R>(work: impl FnOnce(&mut Queues) -> R) -> R {
    QUEUES.with_borrow_mut(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::{id::ReservationId, time::Timestamp};

    fn end(number: u8) -> End {
        let id = ReservationId::new(Timestamp::from_millis(0), [number; 10]);
        End::Release { id, attempt: id, key: None, answer: None }
    }

    #[test]
    fn a_single_request_settles_at_once() {
        let mut queues = Queues::default();
        assert!(queues.depart("u", 1_000).is_empty());
        queues.arrive("u");
        assert_eq!(queues.push("u", end(1), 1_010), When::Now);
        assert_eq!(queues.take("u").len(), 1);
        assert!(queues.take("u").is_empty());
    }

    #[test]
    fn a_busy_user_s_settle_rides_on_the_next_reserve() {
        let mut queues = Queues::default();
        queues.depart("u", 1_000);
        queues.depart("u", 1_001);
        queues.arrive("u");
        assert_eq!(queues.push("u", end(1), 1_010), When::Later);
        assert_eq!(queues.push("u", end(2), 1_020), When::WithOthers);
        assert_eq!(queues.depart("other", 1_021).len(), 0);
        assert_eq!(queues.depart("u", 1_021), [end(1), end(2)]);
        // A later one sets a clock of its own once the first is over.
        assert_eq!(queues.push("u", end(3), 1_060), When::Later);
    }

    #[test]
    fn one_after_the_other_is_busy_too_but_not_for_ever() {
        let mut queues = Queues::default();
        for (at, when) in [(0, When::Now), (900, When::Later), (5_000, When::Now)] {
            queues.depart("u", at);
            queues.arrive("u");
            assert_eq!(queues.push("u", end(1), at), when, "{at}");
        }
    }

    #[test]
    fn what_could_not_be_sent_goes_first_next_time() {
        let mut queues = Queues::default();
        queues.push("u", end(2), 0);
        queues.put_back("u", vec![end(1)]);
        assert_eq!(queues.take("u"), [end(1), end(2)]);
    }

    #[test]
    fn idle_users_are_forgotten() {
        let mut queues = Queues::default();
        for number in 0..REMEMBERED + 5 {
            let name = number.to_string();
            queues.depart(&name, 0);
            queues.arrive(&name);
        }
        assert!(queues.0.len() <= REMEMBERED);
    }
}
