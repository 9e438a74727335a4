//! `GET /health/ready` inside a function: do its stores answer?

use worker::Env;

use crate::store::directory;

/// What does not answer; `None` when all is well.
pub(super) async fn failing_store(env: &Env) -> Option<String> {
    let binding = directory::silent_database(env).await?;
    Some(format!("the database {binding} does not answer"))
}
