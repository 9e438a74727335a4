//! What proves who somebody is, beside signing in itself: passwords that are changed, second factors, and the counters that
//! make guessing slow. The only function with the vault's keys and people's codes.

mod breached;
mod confirm;
mod disable;
mod enroll;
mod internal;
mod password;
mod proof;
mod recovery_codes;
mod second_factor;
#[expect(missing_docs, reason = "the macro writes methods without docs")]
mod sign_in_guard_do;
mod status;
mod told;

#[cfg(not(target_arch = "wasm32"))]
pub use public::{Docs, ROUTES};
pub use sign_in_guard_do::SignInGuard;

/// What the gateway leads to.
mod public {
    use super::{confirm, disable, enroll, password, recovery_codes, status};

    tollgate_platform::routes! {
        post "/auth/password" => password::change;
        get "/auth/totp" => status::status;
        post "/auth/totp/enroll" => enroll::enroll;
        post "/auth/totp/confirm" => confirm::confirm;
        post "/auth/totp/disable" => disable::disable;
        post "/auth/totp/recovery-codes" => recovery_codes::renew;
    }
}

/// Beside it, what `auth` alone asks.
fn router() -> axum::Router {
    public::router().route(tollgate_platform::credentials::PATH, axum::routing::post(internal::answer))
}

tollgate_platform::fetch_entry!();
