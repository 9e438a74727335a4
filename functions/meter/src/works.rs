//! Work that is going on under idempotency keys: who does it, and who waits for its answer.
//!
//! It lives in memory only. After a restart the object learns of work that goes on from its signs of life.

use std::collections::HashMap;

use futures::channel::oneshot;
use tollgate_domain::{id::ReservationId, time::Timestamp};
use tollgate_platform::meter::{Answer, WORKING_LEASE_MS};

/// How many works are remembered before those that are lost are looked for.
const REMEMBERED: usize = 256;

/// Who works on a reservation, and when that was heard of last.
struct Work {
    attempt: ReservationId,
    heard: Timestamp,
}

impl Work {
    fn is_alive(&self, now: Timestamp) -> bool {
        now.apart_ms(self.heard) < WORKING_LEASE_MS
    }
}

#[derive(Default)]
pub struct Works {
    running: HashMap<ReservationId, Work>,
    waiting: HashMap<ReservationId, Vec<oneshot::Sender<Option<Answer>>>>,
}

impl Works {
    /// Somebody begins to work, or goes on.
    pub fn heard(&mut self, id: ReservationId, attempt: ReservationId, now: Timestamp) {
        if self.running.len() >= REMEMBERED {
            self.running.retain(|_, work| work.is_alive(now));
        }
        self.running.insert(id, Work { attempt, heard: now });
    }

    /// Whether the answer of this reservation is on its way.
    pub fn is_running(&self, id: ReservationId, now: Timestamp) -> bool {
        self.running.get(&id).is_some_and(|work| work.is_alive(now))
    }

    /// Whether somebody else works on it now.
    pub fn is_taken_over(&self, id: ReservationId, attempt: ReservationId) -> bool {
        self.running.get(&id).is_some_and(|work| work.attempt != attempt)
    }

    /// Waits for the answer of a reservation whose work is running.
    pub fn wait_for(&mut self, id: ReservationId) -> oneshot::Receiver<Option<Answer>> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.entry(id).or_default().push(sender);
        receiver
    }

    /// The work of a reservation is over: those who wait get its answer, or that none was kept.
    pub fn ended(&mut self, id: ReservationId, answer: Option<&Answer>) {
        self.running.remove(&id);
        for sender in self.waiting.remove(&id).unwrap_or_default() {
            // Somebody who no longer waits does not matter.
            let _ = sender.send(answer.cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn id(number: u8) -> ReservationId {
        ReservationId::new(at(0), [number; 10])
    }

    #[test]
    fn a_worker_that_is_not_heard_of_for_a_minute_is_lost() {
        let mut works = Works::default();
        works.heard(id(1), id(1), at(0));
        assert!(works.is_running(id(1), at(MINUTE_MS - 1)));
        assert!(!works.is_running(id(1), at(MINUTE_MS)));
        works.heard(id(1), id(1), at(MINUTE_MS - 1));
        assert!(works.is_running(id(1), at(MINUTE_MS)));
        assert!(!works.is_running(id(2), at(0)));
    }

    #[test]
    fn a_worker_of_a_clock_that_was_ahead_is_lost_when_it_comes_back() {
        let mut works = Works::default();
        works.heard(id(1), id(1), at(1_000 * MINUTE_MS));
        assert!(!works.is_running(id(1), at(0)));
    }

    #[test]
    fn who_was_taken_over_knows() {
        let mut works = Works::default();
        assert!(!works.is_taken_over(id(1), id(1)), "after a restart nobody has taken over");
        works.heard(id(1), id(1), at(0));
        assert!(!works.is_taken_over(id(1), id(1)));
        works.heard(id(1), id(2), at(MINUTE_MS));
        assert!(works.is_taken_over(id(1), id(1)));
        assert!(!works.is_taken_over(id(1), id(2)));
    }

    #[test]
    fn all_who_wait_get_the_answer() {
        let mut works = Works::default();
        works.heard(id(1), id(1), at(0));
        let waiting = [works.wait_for(id(1)), works.wait_for(id(1))];
        let mut other = works.wait_for(id(2));
        let answer = Answer { status: 200, content_type: "text/plain".into(), body: "x".into(), cost_microusd: None };
        works.ended(id(1), Some(&answer));
        for mut receiver in waiting {
            assert_eq!(receiver.try_recv(), Ok(Some(Some(answer.clone()))));
        }
        assert!(!works.is_running(id(1), at(1)));
        drop(works);
        assert!(other.try_recv().is_err(), "a memory that is thrown away lets go of those who wait");
    }

    #[test]
    fn lost_work_does_not_pile_up() {
        let mut works = Works::default();
        for number in 0..2_000_i64 {
            let id = ReservationId::new(at(number * 1_000), [0; 10]);
            works.heard(id, id, at(number * 1_000));
        }
        assert!(works.running.len() <= REMEMBERED);
    }
}
