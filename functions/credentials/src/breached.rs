//! Passwords that were seen in breaches: asked at Have I Been Pwned, or whoever speaks the same, without telling which.

use std::time::Duration;

use tollgate_domain::breached::ListedAs;
use tollgate_platform::{
    Scope, log,
    outgoing::{self, Outgoing},
    settings,
    settings::Environment,
};

/// Who is asked where nothing else is set.
const DEFAULT: &str = "https://api.pwnedpasswords.com";

/// Nobody waits longer for the answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The largest answer that is read: a range has some 40 kB, padded.
const MAX_BYTES: usize = 256 * 1024;

/// Whether a password was seen in a breach. `false` when nobody can say: the list that is shipped is looked at in any case.
pub async fn was_seen(scope: &Scope, password: &str) -> bool {
    let Some(base) = asked_at(scope) else { return false };
    let listed = ListedAs::of(password);
    match range(scope, &base, listed.prefix()).await {
        Ok(answer) => listed.is_in(&answer),
        Err(why) => {
            log::warn("breached", &format!("a password is taken unasked: {why}"), Some(scope));
            false
        }
    }
}

/// `PWNED_BASE_URL`: an address, or `off`. On a developer's machine nobody is asked unless it is set.
fn asked_at(scope: &Scope) -> Option<String> {
    match settings::text(scope.env(), "PWNED_BASE_URL") {
        Some(off) if off == "off" => None,
        Some(base) => Some(base.trim_end_matches('/').to_owned()),
        None => (scope.settings().environment == Environment::Production).then(|| DEFAULT.to_owned()),
    }
}

async fn range(scope: &Scope, base: &str, prefix: &str) -> Result<String, String> {
    // Padding hides how long the answer is from who sees the line.
    let headers = [("add-padding", "true"), ("user-agent", "tollgate")];
    let url = format!("{base}/range/{prefix}");
    let call = Outgoing { method: "GET", url: &url, headers: &headers, body: None };
    let answer = outgoing::send(scope, &call, PATIENCE).await.map_err(|error| error.to_string())?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status()));
    }
    let bytes = answer.bytes(MAX_BYTES, PATIENCE).await.map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "the answer is no text".to_owned())
}
