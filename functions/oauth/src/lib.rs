//! Signing in through other parties; single sign-on of teams.

mod account;
mod browser;
mod callback;
mod exchange_code;
mod finish;
mod github;
mod identities;
mod openid;
mod provider;
mod sso;
mod sso_callback;
mod sso_domains;
mod sso_start;
mod start;

tollgate_platform::routes! {
    get "/auth/oauth/{provider}/start" => start::start;
    get "/auth/oauth/{provider}/callback" => callback::callback;
    post "/auth/oauth/token" => exchange_code::exchange;
    get "/auth/identities" => identities::list;
    delete "/auth/identities/{id}" => identities::remove;
    get "/auth/sso/start" => sso_start::start;
    get "/auth/sso/callback" => sso_callback::callback;
    get "/team/sso" => sso::read;
    put "/team/sso" => sso::set;
    delete "/team/sso" => sso::remove;
    post "/team/sso/domains" => sso_domains::claim;
    post "/team/sso/domains/{domain}/verify" => sso_domains::verify;
    delete "/team/sso/domains/{domain}" => sso_domains::give_up;
}

tollgate_platform::fetch_entry!();
