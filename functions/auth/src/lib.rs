//! Registration, sign-in and tokens: the only function that holds the signing key.

mod forgot_password;
mod jwks;
mod login;
mod logout;
mod refresh;
mod register;
mod reset_password;
mod sessions;
mod tokens;
mod verify_email;

use tollgate_platform::{
    account::{ending, mailed, noted},
    guard, password,
};

tollgate_platform::routes! {
    post "/auth/register" => register::register;
    post "/auth/login" => login::login;
    post "/auth/refresh" => refresh::refresh;
    post "/auth/logout" => logout::logout;
    post "/auth/verify-email" => verify_email::verify;
    post "/auth/verify-email/resend" => verify_email::resend;
    post "/auth/forgot-password" => forgot_password::forgot;
    post "/auth/reset-password" => reset_password::reset;
    get "/auth/sessions" => sessions::list;
    delete "/auth/sessions/{id}" => sessions::revoke;
    get "/auth/.well-known/jwks.json" => jwks::jwks;
}

tollgate_platform::fetch_entry!();
