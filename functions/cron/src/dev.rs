//! `POST /__dev/cron`, local only: runs a job now.

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{FieldError, Validate};
use tollgate_platform::{
    Problem, Scope,
    http::{Json, Reply},
};

use crate::{
    jobs::Job,
    run::{By, run as run_job},
};

/// Which.
#[derive(Debug, Deserialize)]
pub struct CronIn {
    /// The expression, as in `wrangler.toml`, or a job's name.
    cron: String,
}

impl Validate for CronIn {}

/// Runs the job of an expression and answers what it did.
#[worker::send]
pub async fn run(scope: Scope, Json(input): Json<CronIn>) -> Result<Reply, Problem> {
    if !scope.settings().is_local() {
        return Err(Problem::not_found("address"));
    }
    let job = Job::of(&input.cron)
        .ok_or_else(|| Problem::invalid(vec![FieldError::new("cron", "is no expression that anything runs at")]))?;
    Ok(Reply::json(StatusCode::OK, &run_job(&scope, job, By::Local).await?))
}
