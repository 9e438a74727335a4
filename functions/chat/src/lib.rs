//! OpenAI-compatible chat completions, metered.
//!
//! The hot path: `completions.rs` reads the request, `admission.rs` reserves, `ask.rs` asks the provider,
//! `once.rs` or `streamed.rs` passes its answer on and settles. Zero D1 statements, zero KV reads, one object call before the provider and at most one after.

mod admission;
mod ask;
mod completions;
mod extractive;
mod failure;
mod models;
mod once;
mod providers;
mod streamed;
mod trials;

tollgate_platform::routes! {
    post "/v1/chat/completions" => completions::completions;
    get "/v1/models" => models::list;
    get "/v1/models/{provider}/{model}" => models::retrieve;
    get "/v1/models/{id}" => models::retrieve_by_id;
}

tollgate_platform::fetch_entry!();
