//! Events that wait to be processed, on their way to the queue.

use serde::Serialize;
use tollgate_api::Problem;

use crate::{Scope, log};

#[derive(Serialize)]
struct Waiting<'a> {
    event: &'a str,
}

/// Gives stored events to the queue.
///
/// # Errors
/// 503 when the queue does not take one.
pub async fn hand_over_events(scope: &Scope, events: &[String]) -> Result<(), Problem> {
    let failed = |error: &worker::Error| {
        log::error("billing", &error.to_string(), Some(scope));
        Problem::dependency("event queue")
    };
    let queue = scope.env().queue("STRIPE_EVENTS").map_err(|error| failed(&error))?;
    for event in events {
        queue.send(&Waiting { event }).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}
