//! What runs by the clock: one job for each expression in `wrangler.toml`.
//!
//! A job is bounded in what it does in one run, picks up where it left off, and does no harm when it runs twice.

mod admin_jobs;
mod clean_up;
mod delete_users;
mod dev;
mod jobs;
mod remind_trials;
mod report_overage;
mod return_to_clock;
mod rewrap_data_keys;
mod roll_up;
mod run;
mod settle_arrivals;
mod usage_statements;

use tollgate_platform::{Scope, log};
use worker::{Env, ScheduleContext, ScheduledEvent, event};

/// The runtime's call, on the minute.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _: ScheduleContext) {
    let Ok(scope) = Scope::background(env) else {
        log::error("cron", "no scope could be made", None);
        return;
    };
    match jobs::Job::of(&event.cron()) {
        Some(job) => {
            if run::run(&scope, job, run::By::Clock).await.is_err() {
                log::error("cron", &format!("{} could not begin", job.name()), Some(&scope));
            }
        }
        None => log::error("cron", &format!("nothing runs at {:?}", event.cron()), Some(&scope)),
    }
}

/// Routes that are not in the document: local only.
mod local {
    use axum::{Router, routing::post};

    pub fn routes() -> Router {
        Router::new().route("/__dev/cron", post(crate::dev::run))
    }
}

mod public {
    use crate::admin_jobs;

    tollgate_platform::routes! {
        get "/admin/jobs" => admin_jobs::list;
        post "/admin/jobs/{name}/run" => admin_jobs::run_now;
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use public::{Docs, ROUTES};

fn router() -> axum::Router {
    public::router().merge(local::routes())
}

tollgate_platform::fetch_entry!();
