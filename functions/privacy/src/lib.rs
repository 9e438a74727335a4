//! What a person may ask for: all that is kept about them, and that it is deleted.

mod delete_user;
mod export;
mod password;

tollgate_platform::routes! {
    delete "/user" => delete_user::delete;
    get "/user/export" => export::export;
}

tollgate_platform::fetch_entry!();

/// 401 for a session that was ended.
fn session_ended() -> tollgate_platform::Problem {
    tollgate_platform::Problem::new(tollgate_platform::Code::SessionRevoked, "This session was ended. Sign in again.")
}
