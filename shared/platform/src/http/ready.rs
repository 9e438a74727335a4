//! `GET /health/ready` inside a function: do its stores answer, and have they the tables that it needs?

use worker::Env;

use crate::store::directory_schema;

/// What is not ready; `None` when all is well.
pub(super) async fn failing_store(env: &Env) -> Option<String> {
    directory_schema::unready_database(env).await
}
