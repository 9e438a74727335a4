//! A reserve that waits for another request to take it along.
//!
//! The runtime ties what a request does to that request: whoever goes on with a reserve must do so in its own. A promise
//! that was made here goes on here, wherever it is resolved (compatibility flag `handle_cross_request_promise_resolution`,
//! on by default); a Rust waker would go on in the other request.

use std::{cell::RefCell, time::Duration};

use futures::future::{Either, select};
use js_sys::{Function, Promise};
use tollgate_api::Problem;
use tollgate_domain::meter::Reserve;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::Delay;

use super::{pending::PATIENCE_MS, wire::Worked};

/// What became of a reserve that waited.
#[derive(Debug)]
pub(super) enum Told {
    /// It was taken along.
    Answered(Box<Result<Worked, Problem>>),
    /// It is the first of those that wait: it calls, and takes the others along.
    Lead,
}

/// A reserve that waits. Whoever has the other end says once what became of it.
#[derive(Debug)]
pub(super) struct Ticket {
    /// What is asked for.
    pub(super) reserve: Reserve,
    told: RefCell<Option<Told>>,
    promise: Promise,
    /// Set by the promise as it is made.
    resolve: Option<Function>,
}

impl Ticket {
    pub(super) fn new(reserve: Reserve) -> Self {
        let mut resolver = None;
        let promise = Promise::new(&mut |resolve, _| resolver = Some(resolve));
        Self { reserve, told: RefCell::default(), promise, resolve: resolver }
    }

    /// Says what became of it.
    pub(super) fn tell(&self, told: Told) {
        self.told.replace(Some(told));
        // Resolving a promise does not fail.
        let _ = self.resolve.as_ref().map(|resolve| resolve.call0(&JsValue::UNDEFINED));
    }

    /// Waits to be told; `None` when nobody said anything for so long that nobody will.
    pub(super) async fn told(&self) -> Option<Told> {
        let waiting = JsFuture::from(self.promise.clone());
        let patience = Delay::from(Duration::from_millis(PATIENCE_MS.unsigned_abs()));
        if let Either::Right(_) = select(waiting, patience).await {
            crate::log::warn("meter", "a call that others waited for never came back", None);
        }
        self.told.take()
    }
}
