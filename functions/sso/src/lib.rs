//! Single sign-on of teams: their providers, their domains, and signing in through them.

mod callback;
mod domains;
mod provider;
mod settings;
mod start;

tollgate_platform::routes! {
    get "/auth/sso/start" => start::start;
    get "/auth/sso/callback" => callback::callback;
    get "/team/sso" => settings::read;
    put "/team/sso" => settings::set;
    delete "/team/sso" => settings::remove;
    post "/team/sso/domains" => domains::claim;
    post "/team/sso/domains/{domain}/verify" => domains::verify;
    delete "/team/sso/domains/{domain}" => domains::give_up;
}

tollgate_platform::fetch_entry!();
