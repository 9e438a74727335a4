//! `GET /admin/jobs`, `POST /admin/jobs/{name}/run`: for the operator of the installation.

use axum::extract::Path;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tollgate_api::usage::PageOut;
use tollgate_domain::time::Timestamp;
use tollgate_platform::{
    Problem, Scope,
    http::{Query, Reply, cursor, cut, limit},
    identity::Operator,
    store::directory_jobs::{self, RunRow},
};
use utoipa::ToSchema;

use crate::{
    jobs::Job,
    run::{By, RunOut, run},
};

/// Which, and how to page.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

/// A run of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobRunOut {
    /// `run_...`
    id: String,
    /// The job.
    name: String,
    /// `clock`, `operator` or `local`.
    started_by: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// `running`, `done`, `more` (the next run goes on), `failed`, or `lost` (it was killed; the next run went on).
    outcome: String,
    /// How many things it did.
    done: u32,
    /// Why it failed.
    error: Option<String>,
    /// Where the next run begins.
    cursor: Option<String>,
}

fn shown(row: RunRow) -> JobRunOut {
    JobRunOut {
        id: row.run_id,
        name: row.name,
        started_by: row.started_by,
        started_at: Timestamp::from_millis(row.started_at),
        finished_at: row.finished_at.map(Timestamp::from_millis),
        outcome: row.outcome,
        done: row.done,
        error: row.error,
        cursor: row.cursor,
    }
}

/// What the jobs did, newest first. Of runs by the clock that found nothing to do the latest is kept. For the operator: 404
/// without the setting `OPERATOR_TOKEN`.
#[utoipa::path(get, path = "/admin/jobs", operation_id = "list_job_runs", tag = "operations", security(("operator" = [])),
    params(
        ("name" = Option<String>, Query, description = "One job only, e.g. `remind_trials`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<JobRunOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, _operator: Operator, Query(which): Query<Which>) -> Result<Reply, Problem> {
    let limit = limit(which.limit)?;
    let before = cursor(which.cursor.as_deref())?;
    let job = which.name.as_deref().map(|name| Job::named(name).ok_or_else(unknown)).transpose()?;
    let rows = directory_jobs::runs(&scope, job.map(Job::name), before, limit + 1).await?;
    let (rows, next_cursor) = cut(rows, limit, |row| row.run_id.clone());
    let data = rows.into_iter().map(shown).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<JobRunOut> { data, next_cursor }))
}

/// Runs a job now and answers what it did. While another run has it, nothing is done: `busy`. For the operator.
#[utoipa::path(post, path = "/admin/jobs/{name}/run", operation_id = "run_job", tag = "operations", security(("operator" = [])),
    params(("name" = String, Path, description = "The job's name, e.g. `remind_trials`")),
    responses((status = 200, body = RunOut), (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn run_now(scope: Scope, _operator: Operator, Path(name): Path<String>) -> Result<Reply, Problem> {
    let job = Job::named(&name).ok_or_else(unknown)?;
    Ok(Reply::json(StatusCode::OK, &run(&scope, job, By::Operator).await?))
}

fn unknown() -> Problem {
    Problem::not_found("job")
}
