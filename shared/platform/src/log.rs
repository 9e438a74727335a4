//! Structured logs: one JSON object a line, with the request id that the client was told.
//!
//! What goes wrong on our side or at a provider is logged in full here and only here; the client gets a problem
//! without it. Never log a token, a key, a password or a prompt.

use serde_json::json;

use crate::Scope;

/// Something failed that should not.
pub fn error(what: &str, detail: &str, scope: Option<&Scope>) {
    worker::console_error!("{}", line("error", what, detail, scope));
}

/// Something is wrong outside, or was mended.
pub fn warn(what: &str, detail: &str, scope: Option<&Scope>) {
    worker::console_warn!("{}", line("warn", what, detail, scope));
}

fn line(level: &str, what: &str, detail: &str, scope: Option<&Scope>) -> String {
    json!({
        "level": level,
        "what": what,
        "detail": detail,
        "request_id": scope.map(|scope| scope.request_id().to_string()),
    })
    .to_string()
}
