//! The profile of a person and where the trial stands.

mod profile;
mod trial_status;

tollgate_platform::routes! {
    get "/user/profile" => profile::read;
    patch "/user/profile" => profile::change;
    get "/user/trial-status" => trial_status::trial_status;
}

tollgate_platform::fetch_entry!();
