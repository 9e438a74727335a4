//! Signing in through Google, GitHub and any `OpenID` provider of the installation.

mod account;
mod callback;
mod exchange_code;
mod github;
mod identities;
mod provider;
mod start;

tollgate_platform::routes! {
    get "/auth/oauth/{provider}/start" => start::start;
    get "/auth/oauth/{provider}/callback" => callback::callback;
    post "/auth/oauth/token" => exchange_code::exchange;
    get "/auth/identities" => identities::list;
    delete "/auth/identities/{id}" => identities::remove;
}

tollgate_platform::fetch_entry!();
