//! A run of a job: at most one at a time, in steps that are remembered, written down in the history.

use serde::Serialize;
use tollgate_domain::{id::RunId, time::Timestamp};
use tollgate_platform::{
    Problem, Scope, log, random,
    store::directory_jobs::{self, Ended},
};

use crate::jobs::{Job, Next};

/// How long a run may be silent before another takes its job over, in milliseconds: longer than any step.
const SILENT_MS: i64 = 120_000;

/// The most steps of a run, and after how long it begins no other.
const STEPS: u32 = 20;
const RUN_MS: i64 = 30_000;

/// Who started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The schedule.
    Clock,
    /// The operator of the installation.
    Operator,
    /// A developer, on their own machine.
    Local,
}

impl By {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Operator => "operator",
            Self::Local => "local",
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RunOut {
    /// Which job.
    pub job: &'static str,
    /// Whether it did what it had to; `true` when another run has the job.
    pub ok: bool,
    /// How many things it did.
    pub done: u32,
    /// Whether there is more for the next run.
    pub more: bool,
    /// `done`, `more`, `failed`, `lost` (another run took over), or `busy` (another run has the job: this one did nothing).
    pub outcome: &'static str,
}

impl RunOut {
    fn ended(name: &'static str, done: u32, outcome: &'static str) -> Self {
        let ok = outcome != "failed";
        Self { job: name, ok, done, more: outcome != "done", outcome }
    }
}

/// Runs a job and says what it did.
///
/// # Errors
/// 503 when the database cannot be reached: then it did not begin.
pub async fn run(scope: &Scope, job: Job, by: By) -> Result<RunOut, Problem> {
    let name = job.name();
    let id = RunId::new(scope.now(), random::entropy()?);
    let Some(mut cursor) = directory_jobs::take(scope, name, id, by.as_str(), held_until(scope)).await? else {
        return Ok(RunOut::ended(name, 0, "busy"));
    };
    let (done, outcome, error) = steps(scope, job, id, &mut cursor).await;
    if let Some(problem) = &error {
        log::error("cron", &format!("{name} failed and comes again: {}", problem.detail), Some(scope));
    }
    let error = error.map(|problem| problem.detail);
    let is_idle = by == By::Clock && outcome == "done" && done == 0;
    let how = Ended { outcome, done, error: error.as_deref(), cursor: cursor.as_deref(), is_idle };
    // Should this fail, the run counts as lost when the next one takes over: from where it stood last.
    directory_jobs::ended(scope, name, id, how).await?;
    Ok(RunOut::ended(name, done, outcome))
}

async fn steps(
    scope: &Scope,
    job: Job,
    id: RunId,
    cursor: &mut Option<String>,
) -> (u32, &'static str, Option<Problem>) {
    let begun = scope.now();
    let mut done = 0_u32;
    for _ in 0..STEPS {
        let step = match job.step(scope, cursor.as_deref()).await {
            Ok(step) => step,
            Err(problem) => return (done, "failed", Some(problem)),
        };
        done = done.saturating_add(step.done);
        match step.next {
            Next::Rest(rest) => {
                *cursor = rest;
                return (done, "done", None);
            }
            Next::Failed(detail) => {
                *cursor = None;
                return (done, "failed", Some(Problem { detail, ..Problem::dependency("job") }));
            }
            Next::Later => return (done, "more", None),
            Next::From(place) => *cursor = Some(place),
        }
        match directory_jobs::keep(scope, job.name(), id, held_until(scope), cursor.as_deref()).await {
            Ok(true) => {}
            Ok(false) => return (done, "lost", None),
            Err(error) => return (done, "failed", Some(error.into())),
        }
        if scope.now() > begun.plus_millis(RUN_MS) {
            break;
        }
    }
    (done, "more", None)
}

fn held_until(scope: &Scope) -> Timestamp {
    scope.now().plus_millis(SILENT_MS)
}
