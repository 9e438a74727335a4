//! What runs by the clock: one job for each expression in `wrangler.toml`.
//!
//! A job is bounded in what it does in one run, picks up where it left off, and does no harm when it runs twice.

mod billing;
mod dev;
mod jobs;
mod rewrap_data_keys;
mod roll_up;

use axum::{Router, routing::post};
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
            job.run(&scope).await;
        }
        None => log::error("cron", &format!("nothing runs at {:?}", event.cron()), Some(&scope)),
    }
}

fn router() -> Router {
    Router::new().route("/__dev/cron", post(dev::run))
}

tollgate_platform::fetch_entry!();
