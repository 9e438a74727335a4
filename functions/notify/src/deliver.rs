//! Handing a mail to whoever carries it.

use serde::Serialize;
use tollgate_platform::{Scope, log, mail::Mail, outgoing, settings};

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Done,
    /// It is tried again.
    Later,
    /// It is never taken as it is.
    Refused,
}

/// Resend's `POST /emails` (<https://resend.com/docs/api-reference/emails/send-email>).
#[derive(Serialize)]
struct Email<'a> {
    from: &'a str,
    to: [&'a str; 1],
    subject: &'a str,
    text: &'a str,
    html: &'a str,
}

/// By Resend where it is configured; on a developer's machine the outbox is enough.
pub async fn deliver(scope: &Scope, mail: &Mail) -> Delivery {
    let env = scope.env();
    let Some(key) = settings::text(env, "RESEND_API_KEY") else {
        if scope.settings().is_local() {
            return Delivery::Done;
        }
        log::error("deliver", "RESEND_API_KEY is not set: no mail is sent", Some(scope));
        return Delivery::Later;
    };
    let base = settings::text(env, "RESEND_BASE_URL").unwrap_or_else(|| "https://api.resend.com".to_owned());
    let from = settings::text(env, "MAIL_FROM").unwrap_or_else(|| "Tollgate <onboarding@resend.dev>".to_owned());
    let email = Email { from: &from, to: [&mail.to], subject: &mail.subject, text: &mail.text, html: &mail.html };
    let Ok(body) = serde_json::to_string(&email) else { return Delivery::Refused };
    let event = format!("{}/{}", mail.tenant, mail.event);
    let headers = [
        ("authorization", format!("Bearer {key}")),
        ("content-type", "application/json".to_owned()),
        ("idempotency-key", event),
    ];
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    match outgoing::post(scope, &format!("{}/emails", base.trim_end_matches('/')), headers, &body).await {
        Ok(answer) => judge(scope, mail, answer.status()),
        Err(error) => {
            log::warn("deliver", &format!("Resend cannot be reached: {error}"), Some(scope));
            Delivery::Later
        }
    }
}

fn judge(scope: &Scope, mail: &Mail, status: u16) -> Delivery {
    match status {
        // 409: the same event with another body; it was sent already.
        200..=299 | 409 => Delivery::Done,
        // The mail itself is refused, an address that cannot be for example.
        400 | 422 => {
            log::error("deliver", &format!("Resend refuses a {} mail: {status}", mail.kind), Some(scope));
            Delivery::Refused
        }
        // Keys, quotas and outages pass.
        _ => {
            log::warn("deliver", &format!("Resend answers {status}"), Some(scope));
            Delivery::Later
        }
    }
}
