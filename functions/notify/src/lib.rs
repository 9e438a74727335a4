//! Mails: what others ask for comes through a queue and is sent here.

mod admin_mails;
mod deliver;
mod mail_queue;
mod outbox;

/// Routes that are not in the document: local only.
mod local {
    use axum::{Router, routing::get};

    pub fn routes() -> Router {
        Router::new().route("/__dev/outbox", get(crate::outbox::outbox))
    }
}

mod public {
    use crate::admin_mails;

    tollgate_platform::routes! {
        get "/admin/mails" => admin_mails::list;
        post "/admin/mails/replay" => admin_mails::replay;
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use public::{Docs, ROUTES};

fn router() -> axum::Router {
    public::router().merge(local::routes())
}

tollgate_platform::fetch_entry!();
