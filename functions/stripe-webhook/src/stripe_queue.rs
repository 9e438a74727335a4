//! The queue of events.

use serde::{Deserialize, Serialize};
use tollgate_platform::{Problem, Scope, billing, log};
use worker::{Context, Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, Result, event};

use crate::process::{Processed, process};

/// An event that waits.
#[derive(Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// `evt_...`.
    pub event: String,
}

/// Gives events to the queue.
///
/// # Errors
/// When the queue does not take them.
pub async fn hand_over(scope: &Scope, events: &[String]) -> core::result::Result<(), Problem> {
    billing::hand_over_events(scope, events).await
}

/// Processes each; what cannot be processed yet comes again, later each time.
#[event(queue)]
async fn queue(batch: MessageBatch<Waiting>, env: Env, _: Context) -> Result<()> {
    let scope = match Scope::background(env) {
        Ok(scope) => scope,
        Err(error) => {
            log::error("stripe_queue", &format!("{error:?}"), None);
            batch.retry_all();
            return Ok(());
        }
    };
    for message in batch.raw_iter() {
        let Ok(waiting) = serde_wasm_bindgen::from_value::<Waiting>(message.body()) else {
            log::error("stripe_queue", "a message that is none", Some(&scope));
            message.ack();
            continue;
        };
        match process(&scope, &waiting.event).await {
            Processed::Ended => message.ack(),
            Processed::Later { seconds } => {
                message.retry_with_options(&QueueRetryOptionsBuilder::new().with_delay_seconds(seconds).build());
            }
        }
    }
    Ok(())
}
