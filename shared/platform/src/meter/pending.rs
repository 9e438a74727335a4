//! What waits for a ride to its object: settles, and reserves that come while another one is on its way.
//!
//! A settle is off the response path, and the next reserve of the same user goes to the same object: for a busy user
//! the settle travels with it and costs no call of its own. It never waits longer than [`HOLD_MS`]. One that is lost
//! with its isolate is an unsettled reservation, which counts at its estimate.
//!
//! Reserves of one user that come together travel together: they wait for a moment, and then the first to look again
//! takes the others along. So the calls, and the commits in the object, are fewer the busier a user is. Who comes alone
//! waits for nothing.

use std::{cell::RefCell, collections::HashMap, hash::Hash, rc::Rc};

use super::{RESERVATION_TTL_MS, export::Owner, ticket::Ticket, wire::End};

/// The longest a settle waits for a reserve to ride on.
pub(super) const HOLD_MS: i64 = 50;

/// How long a reserve waits for others of its user, where others are on their way.
pub(super) const GATHER_MS: i64 = 1;

/// A call that is not back by then is taken for lost: the runtime may have ended the request that made it.
pub(super) const PATIENCE_MS: i64 = 10_000;

/// Reserves of one call.
const MAX_TOGETHER: usize = 64;

/// A user is busy when the reserve before this one was at most this long ago.
const BUSY_MS: i64 = 1_000;

/// How many idle users an isolate remembers before it forgets them.
const REMEMBERED: usize = 10_000;

#[derive(Debug)]
struct Queue<W> {
    ends: Vec<End>,
    in_flight: u32,
    last_reserve_ms: i64,
    previous_reserve_ms: i64,
    flush_due_ms: i64,
    /// When the call that is on its way set out.
    calling_since_ms: Option<i64>,
    waiting: Vec<W>,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self {
            ends: Vec::new(),
            in_flight: 0,
            last_reserve_ms: i64::MIN,
            previous_reserve_ms: i64::MIN,
            flush_due_ms: 0,
            calling_since_ms: None,
            waiting: Vec::new(),
        }
    }
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

/// The queues of an isolate: `K` names the object, `W` is a reserve that waits.
#[derive(Debug)]
pub(super) struct Queues<K, W>(HashMap<K, Queue<W>>);

impl<K, W> Default for Queues<K, W> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash, W> Queues<K, W> {
    fn queue(&mut self, object: K) -> &mut Queue<W> {
        self.0.entry(object).or_default()
    }

    /// A reserve begins; whether others of this user are on their way, too.
    pub(super) fn begin(&mut self, object: K, now_ms: i64) -> bool {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&object) {
            // A request that the runtime ended never says that its work is over.
            let lost = |queue: &Queue<W>| now_ms.saturating_sub(queue.last_reserve_ms) > RESERVATION_TTL_MS;
            self.0.retain(|_, queue| !queue.ends.is_empty() || (queue.in_flight > 0 && !lost(queue)));
        }
        let queue = self.queue(object);
        queue.in_flight += 1;
        queue.previous_reserve_ms = queue.last_reserve_ms;
        queue.last_reserve_ms = now_ms;
        queue.in_flight > 1
    }

    /// Waits to be taken along.
    pub(super) fn wait(&mut self, object: K, waiting: W) {
        self.queue(object).waiting.push(waiting);
    }

    /// Sets out with those that wait; `None` while another call of theirs is on its way.
    pub(super) fn set_out(&mut self, object: K, now_ms: i64) -> Option<Vec<W>> {
        let queue = self.queue(object);
        if queue.calling_since_ms.is_some_and(|since| now_ms < since.saturating_add(PATIENCE_MS)) {
            return None;
        }
        queue.calling_since_ms = Some(now_ms);
        let count = queue.waiting.len().min(MAX_TOGETHER);
        Some(queue.waiting.drain(..count).collect())
    }

    /// A call is back.
    pub(super) fn back(&mut self, object: K) {
        if let Some(queue) = self.0.get_mut(&object) {
            queue.calling_since_ms = None;
        }
    }

    /// Waits no longer.
    pub(super) fn leave(&mut self, object: K, is_it: impl Fn(&W) -> bool) {
        if let Some(queue) = self.0.get_mut(&object) {
            queue.waiting.retain(|waiting| !is_it(waiting));
        }
    }

    /// The work of a reserve is over, or it was refused.
    pub(super) fn arrive(&mut self, object: K) {
        if let Some(queue) = self.0.get_mut(&object) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
        }
    }

    /// Queues an end and says when to send it.
    pub(super) fn push(&mut self, object: K, end: End, now_ms: i64) -> When {
        let queue = self.queue(object);
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

    /// Takes the ends that wait, to send them.
    pub(super) fn take(&mut self, object: K) -> Vec<End> {
        self.0.get_mut(&object).map(|queue| std::mem::take(&mut queue.ends)).unwrap_or_default()
    }

    /// Puts back what could not be sent.
    pub(super) fn put_back(&mut self, object: K, ends: Vec<End>) {
        if !ends.is_empty() {
            self.queue(object).ends.splice(0..0, ends);
        }
    }
}

thread_local! {
    static QUEUES: RefCell<Queues<Owner, Rc<Ticket>>> = RefCell::default();
}

/// Works on this isolate's queues.
pub(super) fn with<R>(work: impl FnOnce(&mut Queues<Owner, Rc<Ticket>>) -> R) -> R {
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
        let mut queues = Queues::<&str, u8>::default();
        queues.begin("u", 1_000);
        assert!(queues.take("u").is_empty());
        queues.arrive("u");
        assert_eq!(queues.push("u", end(1), 1_010), When::Now);
        assert_eq!(queues.take("u").len(), 1);
        assert!(queues.take("u").is_empty());
    }

    #[test]
    fn a_busy_user_s_settle_rides_on_the_next_reserve() {
        let mut queues = Queues::<&str, u8>::default();
        queues.begin("u", 1_000);
        queues.begin("u", 1_001);
        queues.arrive("u");
        assert_eq!(queues.push("u", end(1), 1_010), When::Later);
        assert_eq!(queues.push("u", end(2), 1_020), When::WithOthers);
        assert_eq!(queues.take("other").len(), 0);
        queues.begin("u", 1_021);
        assert_eq!(queues.take("u"), [end(1), end(2)]);
        // A later one sets a clock of its own once the first is over.
        assert_eq!(queues.push("u", end(3), 1_060), When::Later);
    }

    #[test]
    fn one_after_the_other_is_busy_too_but_not_for_ever() {
        let mut queues = Queues::<&str, u8>::default();
        for (at, when) in [(0, When::Now), (900, When::Later), (5_000, When::Now)] {
            queues.begin("u", at);
            queues.arrive("u");
            assert_eq!(queues.push("u", end(1), at), when, "{at}");
        }
    }

    #[test]
    fn what_could_not_be_sent_goes_first_next_time() {
        let mut queues = Queues::<&str, u8>::default();
        queues.push("u", end(2), 0);
        queues.put_back("u", vec![end(1)]);
        assert_eq!(queues.take("u"), [end(1), end(2)]);
    }

    #[test]
    fn idle_users_are_forgotten() {
        let mut queues = Queues::<usize, u8>::default();
        for number in 0..REMEMBERED + 5 {
            queues.begin(number, 0);
            queues.arrive(number);
        }
        assert!(queues.0.len() <= REMEMBERED);
    }

    #[test]
    fn requests_that_never_end_are_forgotten_too() {
        let mut queues = Queues::<usize, u8>::default();
        for number in 0..REMEMBERED {
            queues.begin(number, 0);
        }
        queues.begin(REMEMBERED, RESERVATION_TTL_MS);
        assert_eq!(queues.0.len(), REMEMBERED + 1, "they may still be at work");
        queues.begin(REMEMBERED + 1, RESERVATION_TTL_MS + 1);
        assert_eq!(queues.0.len(), 2);
    }

    #[test]
    fn reserves_that_come_together_travel_together() {
        let mut queues = Queues::<&str, u8>::default();
        assert!(!queues.begin("u", 0), "alone");
        assert!(queues.begin("u", 0) && queues.begin("u", 0));
        assert!(!queues.begin("other", 0), "users do not wait for each other");
        queues.wait("u", 1);
        queues.wait("u", 2);
        assert_eq!(queues.set_out("u", 1), Some(vec![1, 2]));
        queues.wait("u", 3);
        assert_eq!(queues.set_out("u", 2), None, "a call is on its way");
        queues.back("u");
        queues.wait("u", 4);
        queues.leave("u", |waiting| *waiting == 3);
        assert_eq!(queues.set_out("u", 3), Some(vec![4]));
    }

    #[test]
    fn a_call_has_room_for_so_many_and_the_rest_goes_next() {
        let mut queues = Queues::<&str, u8>::default();
        for number in 0..100 {
            queues.wait("u", number);
        }
        assert_eq!(queues.set_out("u", 1).map(|convoy| convoy.len()), Some(MAX_TOGETHER));
        queues.back("u");
        assert_eq!(queues.set_out("u", 2).map(|convoy| convoy.len()), Some(36));
    }

    #[test]
    fn a_call_that_never_comes_back_holds_nobody_up_for_ever() {
        let mut queues = Queues::<&str, u8>::default();
        assert!(queues.set_out("u", 0).is_some());
        assert!(queues.set_out("u", PATIENCE_MS - 1).is_none());
        assert!(queues.set_out("u", PATIENCE_MS).is_some());
    }
}
