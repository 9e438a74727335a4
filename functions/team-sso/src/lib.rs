//! The single sign-on of a team: its provider and its domains.

mod domains;
mod settings;

tollgate_platform::routes! {
    get "/team/sso" => settings::read;
    put "/team/sso" => settings::set;
    delete "/team/sso" => settings::remove;
    post "/team/sso/domains" => domains::claim;
    post "/team/sso/domains/{domain}/verify" => domains::verify;
    delete "/team/sso/domains/{domain}" => domains::give_up;
}

tollgate_platform::fetch_entry!();
