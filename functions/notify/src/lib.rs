//! Mails: what others ask for comes through a queue and is sent here.

mod deliver;
mod mail_queue;
mod outbox;

use axum::{Router, routing::get};

fn router() -> Router {
    Router::new().route("/__dev/outbox", get(outbox::outbox))
}

tollgate_platform::fetch_entry!();
