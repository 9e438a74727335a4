//! Registration, sign-in and tokens: the only function that holds the signing key.

mod accept_invitation;
mod jwks;
mod login;
mod logout;
mod password;
mod refresh;
mod register;
mod tokens;

tollgate_platform::routes! {
    post "/auth/register" => register::register;
    post "/auth/login" => login::login;
    post "/auth/refresh" => refresh::refresh;
    post "/auth/logout" => logout::logout;
    post "/team/invites/accept" => accept_invitation::accept;
    get "/auth/.well-known/jwks.json" => jwks::jwks;
}

tollgate_platform::fetch_entry!();
