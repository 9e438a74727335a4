//! When readiness is looked at anew: one look costs every function and every database a question, and this address is
//! open to the internet.

use tollgate_domain::time::Timestamp;

/// How long the outcome of a look is the answer. Monitors ask every ten seconds or more seldom; a deployment that waits
/// for readiness loses this much at most.
pub const FRESH_MS: i64 = 5_000;

/// How long a look may take before another one may begin: longer than a function's question, which gives up before.
/// A look whose client went away never ends.
pub const LOOK_MS: i64 = 7_000;

/// What is known of readiness, in this isolate.
#[derive(Debug, Default)]
pub struct Look {
    last: Option<(Timestamp, Outcome)>,
    looking_since: Option<Timestamp>,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 200 or 503.
    pub status: u16,
    /// The JSON that is answered.
    pub body: String,
}

/// What to do about a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// This is the answer.
    Answer(Outcome),
    /// Look, and tell with [`Look::ended`].
    Begin,
    /// Somebody is looking: ask again in a moment.
    Wait,
}

impl Look {
    /// What to do about a question at an instant.
    pub fn next(&mut self, now: Timestamp) -> Next {
        let age = |at: Timestamp| now.as_millis() - at.as_millis();
        // A clock that jumped back makes an age negative: then nothing is known.
        if let Some((at, outcome)) = &self.last
            && (0..FRESH_MS).contains(&age(*at))
        {
            return Next::Answer(outcome.clone());
        }
        if self.looking_since.is_some_and(|at| (0..LOOK_MS).contains(&age(at))) {
            return Next::Wait;
        }
        self.looking_since = Some(now);
        Next::Begin
    }

    /// A look ended.
    pub fn ended(&mut self, now: Timestamp, outcome: Outcome) {
        self.last = Some((now, outcome));
        self.looking_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn outcome(status: u16) -> Outcome {
        Outcome { status, body: status.to_string() }
    }

    #[test]
    fn a_hundred_at_once_make_one_look() {
        let mut look = Look::default();
        let begun = (0..100).filter(|_| look.next(at(0)) == Next::Begin).count();
        assert_eq!(begun, 1);
        look.ended(at(40), outcome(200));
        assert!((0..100).all(|_| look.next(at(41)) == Next::Answer(outcome(200))));
    }

    #[test]
    fn an_outcome_is_kept_for_some_seconds_whatever_it_is() {
        let mut look = Look::default();
        assert_eq!(look.next(at(0)), Next::Begin);
        look.ended(at(0), outcome(503));
        assert_eq!(look.next(at(FRESH_MS - 1)), Next::Answer(outcome(503)));
        assert_eq!(look.next(at(FRESH_MS)), Next::Begin);
        assert_eq!(look.next(at(FRESH_MS)), Next::Wait);
    }

    #[test]
    fn a_look_that_never_ends_does_not_stop_the_next() {
        let mut look = Look::default();
        assert_eq!(look.next(at(0)), Next::Begin);
        assert_eq!(look.next(at(LOOK_MS - 1)), Next::Wait);
        assert_eq!(look.next(at(LOOK_MS)), Next::Begin);
    }

    #[test]
    fn a_clock_that_jumps_back_keeps_no_outcome() {
        let mut look = Look::default();
        assert_eq!(look.next(at(0)), Next::Begin);
        look.ended(at(0), outcome(200));
        assert_eq!(look.next(at(-60_000)), Next::Begin);
    }
}
