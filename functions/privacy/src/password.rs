//! Asking for the password again, before something that cannot be undone.

use tollgate_domain::id::UserId;
use tollgate_platform::{
    Code, Problem, Scope,
    guard::{GuardReply, GuardRequest},
    log,
    meter::call_for,
    password,
};

/// What is tried with a stolen session is slowed down, as a sign-in is.
const TRIES: GuardRequest = GuardRequest::Counted { free: 5, forget_one_ms: 10 * 60 * 1000 };

/// Whether a password is the user's; every try counts, also one that succeeds.
///
/// # Errors
/// 429 after too many, 503 when they cannot be counted.
pub async fn is_right(scope: &Scope, user: UserId, password: &str, stored: &str) -> Result<bool, Problem> {
    let unavailable = || Problem::dependency("sign-in guard");
    let counted = call_for(scope, "SIGN_IN_GUARD", &format!("password/{user}"), &TRIES).await;
    match counted.map_err(|error| {
        log::error("password", &format!("{error:?}"), Some(scope));
        unavailable()
    })? {
        GuardReply::Wait(wait_ms) => {
            let seconds = wait_ms.max(1).unsigned_abs().div_ceil(1000);
            let detail = format!("The password was tried too often. Try again in {seconds} s.");
            return Err(Problem { retry_after_seconds: Some(seconds), ..Problem::new(Code::RateLimited, detail) });
        }
        GuardReply::Failed => return Err(unavailable()),
        GuardReply::Allow | GuardReply::NotKnown => {}
    }
    password::verify(password, stored)
}
