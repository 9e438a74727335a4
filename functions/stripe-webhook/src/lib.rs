//! What Stripe tells: received, stored, processed; and an operator's view of it.

mod events;
mod jobs;
mod overage;
mod process;
mod receipt;
mod receive;
mod stripe_queue;

#[cfg(not(target_arch = "wasm32"))]
pub use public::{Docs, ROUTES};

/// What the gateway leads to.
mod public {
    use super::{events, receive};

    tollgate_platform::routes! {
        post "/webhooks/stripe" => receive::receive;
        get "/admin/stripe-events" => events::list;
        post "/admin/stripe-events/{id}/replay" => events::replay;
    }
}

/// Beside it, what `cron` alone asks.
fn router() -> axum::Router {
    public::router().route(tollgate_platform::billing::JOBS_PATH, axum::routing::post(jobs::run))
}

tollgate_platform::fetch_entry!();
