//! What Stripe tells: received, stored, processed; and an operator's view of it.

mod events;
mod process;
mod receive;
mod stripe_queue;

tollgate_platform::routes! {
    post "/webhooks/stripe" => receive::receive;
    get "/admin/stripe-events" => events::list;
    post "/admin/stripe-events/{id}/replay" => events::replay;
}

tollgate_platform::fetch_entry!();
