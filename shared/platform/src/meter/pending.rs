//! What waits for a ride to its object: settles, and reserves that come while another one is on its way.
//!
//! A settle is off the response path, and the next reserve of the same user goes to the same object: for a busy user
//! the settle travels with it and costs no call of its own. It never waits longer than [`HOLD_MS`]. One that is lost
//! with its isolate is an unsettled reservation, which counts at its estimate.
//!
//! Reserves of one user that come together travel together: while one call is on its way, those that arrive wait, and
//! when it is back the first of them takes the others along. So the calls, and the commits in the object, are fewer
//! the busier a user is, and nobody who comes alone waits for anything.

use std::{cell::RefCell, collections::HashMap, hash::Hash, rc::Rc};

use super::{export::Owner, ticket::Ticket, wire::End};

/// The longest a settle waits for a reserve to ride on.
pub(super) const HOLD_MS: i64 = 50;

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
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&object) {
            self.0.retain(|_, queue| queue.in_flight > 0 || !queue.ends.is_empty());
        }
        self.0.entry(object).or_default()
    }

    /// A reserve begins.
    pub(super) fn begin(&mut self, object: K, now_ms: i64) {
        let queue = self.queue(object);
        queue.in_flight += 1;
        queue.previous_reserve_ms = queue.last_reserve_ms;
        queue.last_reserve_ms = now_ms;
    }

    /// Whether this reserve calls now; `false`: a call is on its way, and it waits for that to be back.
    pub(super) fn leads(&mut self, object: K, now_ms: i64) -> bool {
        let queue = self.queue(object);
        if queue.calling_since_ms.is_some_and(|since| now_ms < since.saturating_add(PATIENCE_MS)) {
            return false;
        }
        queue.calling_since_ms = Some(now_ms);
        true
    }

    /// Waits for the call that is on its way.
    pub(super) fn wait(&mut self, object: K, waiting: W) {
        self.queue(object).waiting.push(waiting);
    }

    /// A call sets out: it takes along the reserves that wait.
    pub(super) fn together(&mut self, object: K) -> Vec<W> {
        let queue = self.queue(object);
        let count = queue.waiting.len().min(MAX_TOGETHER - 1);
        queue.waiting.drain(..count).collect()
    }

    /// A call is back: the first that waits calls next, if there is one.
    pub(super) fn back(&mut self, object: K, now_ms: i64) -> Option<W> {
        let queue = self.0.get_mut(&object)?;
        if queue.waiting.is_empty() {
            queue.calling_since_ms = None;
            return None;
        }
        queue.calling_since_ms = Some(now_ms);
        Some(queue.waiting.remove(0))
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
    fn reserves_that_come_while_a_call_is_on_its_way_travel_together() {
        let mut queues = Queues::<&str, u8>::default();
        assert!(queues.leads("u", 0));
        for number in 1..=3 {
            assert!(!queues.leads("u", 1));
            queues.wait("u", number);
        }
        assert!(queues.leads("other", 1), "users do not wait for each other");
        assert_eq!(queues.back("u", 2), Some(1), "the first that waits calls next");
        assert!(!queues.leads("u", 2));
        assert_eq!(queues.together("u"), [2, 3], "and takes the others along");
        assert_eq!(queues.back("u", 3), None);
        assert!(queues.leads("u", 3));
    }

    #[test]
    fn a_call_has_room_for_so_many_and_the_rest_goes_next() {
        let mut queues = Queues::<&str, u8>::default();
        assert!(queues.leads("u", 0));
        for number in 0..100 {
            queues.wait("u", number);
        }
        assert_eq!(queues.back("u", 1), Some(0));
        assert_eq!(queues.together("u").len(), MAX_TOGETHER - 1);
        assert_eq!(queues.back("u", 2), Some(64));
        assert_eq!(queues.together("u").len(), 35);
    }

    #[test]
    fn a_call_that_never_comes_back_holds_nobody_up_for_ever() {
        let mut queues = Queues::<&str, u8>::default();
        assert!(queues.leads("u", 0));
        assert!(!queues.leads("u", PATIENCE_MS - 1));
        assert!(queues.leads("u", PATIENCE_MS));
    }
}
