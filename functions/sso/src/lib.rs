//! Signing in through teams' own providers.

mod callback;
mod start;

tollgate_platform::routes! {
    get "/auth/sso/start" => start::start;
    get "/auth/sso/callback" => callback::callback;
}

tollgate_platform::fetch_entry!();
