//! A reserve that waits for another request to take it along.

use std::cell::{Cell, RefCell};

use tollgate_api::Problem;
use tollgate_domain::meter::Reserve;

use super::wire::Worked;

/// A reserve that waits. Whoever takes it along leaves the answer here.
///
/// Nobody is woken: the runtime ties what a request does to that request, and a waker called by another one would let it go
/// on there. Whoever waits looks again after a moment, on a timer of its own.
#[derive(Debug)]
pub(super) struct Ticket {
    /// What is asked for.
    pub(super) reserve: Reserve,
    departed: Cell<bool>,
    answer: RefCell<Option<Result<Worked, Problem>>>,
}

impl Ticket {
    pub(super) fn new(reserve: Reserve) -> Self {
        Self { reserve, departed: Cell::default(), answer: RefCell::default() }
    }

    /// It was taken along.
    pub(super) fn depart(&self) {
        self.departed.set(true);
    }

    /// Whether it was taken along.
    pub(super) const fn has_departed(&self) -> bool {
        self.departed.get()
    }

    /// What became of it.
    pub(super) fn tell(&self, answer: Result<Worked, Problem>) {
        self.answer.replace(Some(answer));
    }

    /// What became of it, once.
    pub(super) fn told(&self) -> Option<Result<Worked, Problem>> {
        self.answer.take()
    }
}
