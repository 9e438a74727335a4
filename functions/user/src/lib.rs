//! The profile of a person, API keys, and where the trial stands.

mod api_key_change;
mod api_keys;
mod config;
mod notifications;
mod profile;
mod trial_status;
mod unsubscribe;

tollgate_platform::routes! {
    get "/user/api-keys" => api_keys::list;
    post "/user/api-keys" => api_keys::make;
    post "/user/api-keys/{id}/rotate" => api_key_change::rotate;
    delete "/user/api-keys/{id}" => api_key_change::revoke;
    get "/user/config" => config::read;
    put "/user/config" => config::put;
    get "/user/notifications" => notifications::read;
    put "/user/notifications" => notifications::put;
    get "/user/notifications/unsubscribe" => unsubscribe::page;
    post "/user/notifications/unsubscribe" => unsubscribe::unsubscribe;
    get "/user/profile" => profile::read;
    patch "/user/profile" => profile::change;
    get "/user/trial-status" => trial_status::trial_status;
}

tollgate_platform::fetch_entry!();
