//! Handing a mail to whoever carries it.

use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use serde::Serialize;
use tollgate_platform::{
    Scope, log,
    mail::Mail,
    outgoing::{self, Outgoing},
    settings,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// How long Resend may take. What it does not answer is sent again, under the same key.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Done,
    /// It is tried again; why.
    Later(String),
    /// It is never taken as it is; why.
    Refused(String),
}

/// Headers of a mail beside the usual ones. One click in the reader's mail program switches its kind off (RFC 8058).
#[derive(Serialize)]
struct Headers {
    #[serde(rename = "List-Unsubscribe")]
    list_unsubscribe: String,
    #[serde(rename = "List-Unsubscribe-Post")]
    list_unsubscribe_post: &'static str,
}

/// Resend's `POST /emails` (<https://resend.com/docs/api-reference/emails/send-email>), and the message of Cloudflare's binding
/// (<https://developers.cloudflare.com/email-service/api/send-emails/workers-api/>).
#[derive(Serialize)]
struct Email<'a> {
    from: &'a str,
    to: [&'a str; 1],
    subject: &'a str,
    text: &'a str,
    html: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
}

/// By Resend where it is configured, by Cloudflare where `EMAIL` is bound; on a developer's machine the outbox is enough.
pub async fn deliver(scope: &Scope, mail: &Mail) -> Delivery {
    let env = scope.env();
    let from = settings::text(env, "MAIL_FROM").unwrap_or_else(|| "Tollgate <onboarding@resend.dev>".to_owned());
    let headers = mail.unsubscribe.as_ref().map(|link| Headers {
        list_unsubscribe: format!("<{link}>"),
        list_unsubscribe_post: "List-Unsubscribe=One-Click",
    });
    let Mail { subject, text, html, .. } = mail;
    let email = Email { from: &from, to: [&mail.to], subject, text, html, headers };
    let Ok(body) = serde_json::to_string(&email) else { return Delivery::Refused("it cannot be written".to_owned()) };
    let binding = Reflect::get(env, &JsValue::from_str("EMAIL")).ok().filter(JsValue::is_object);
    match (settings::text(env, "RESEND_API_KEY"), binding) {
        (Some(key), _) => by_resend(scope, mail, &key, &body).await,
        (None, Some(binding)) => by_cloudflare(scope, &binding, &body).await,
        (None, None) if scope.settings().is_local() => Delivery::Done,
        (None, None) => Delivery::Later("neither RESEND_API_KEY nor the binding EMAIL is there".to_owned()),
    }
}

async fn by_resend(scope: &Scope, mail: &Mail, key: &str, body: &str) -> Delivery {
    let base = settings::text(scope.env(), "RESEND_BASE_URL").unwrap_or_else(|| "https://api.resend.com".to_owned());
    let event = format!("{}/{}", mail.tenant, mail.event);
    let headers = [
        ("authorization", format!("Bearer {key}")),
        ("content-type", "application/json".to_owned()),
        ("idempotency-key", event),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let url = format!("{}/emails", base.trim_end_matches('/'));
    let call = Outgoing { method: "POST", url: &url, headers: &headers, body: Some(body) };
    match outgoing::send(scope, &call, PATIENCE).await {
        Ok(answer) => judge(scope, mail, answer.status()),
        Err(error) => {
            log::warn("deliver", &format!("Resend cannot be reached: {error}"), Some(scope));
            Delivery::Later("Resend cannot be reached".to_owned())
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
            Delivery::Refused(format!("Resend answers {status}"))
        }
        // Keys, quotas and outages pass.
        _ => {
            log::warn("deliver", &format!("Resend answers {status}"), Some(scope));
            Delivery::Later(format!("Resend answers {status}"))
        }
    }
}

/// The binding knows no idempotency key: an answer that is lost may mean a second mail.
async fn by_cloudflare(scope: &Scope, binding: &JsValue, body: &str) -> Delivery {
    let sent = async {
        let send: Function = Reflect::get(binding, &JsValue::from_str("send"))?.dyn_into()?;
        let promise: Promise = send.call1(binding, &js_sys::JSON::parse(body)?)?.dyn_into()?;
        JsFuture::from(promise).await
    };
    match sent.await {
        Ok(_) => Delivery::Done,
        Err(error) => {
            let code = Reflect::get(&error, &JsValue::from_str("code")).ok().and_then(|code| code.as_string());
            let why = format!("the binding EMAIL: {}", code.as_deref().unwrap_or("failed"));
            log::warn("deliver", &format!("{why}: {error:?}"), Some(scope));
            match code.as_deref() {
                Some(
                    "E_VALIDATION_ERROR" | "E_FIELD_MISSING" | "E_RECIPIENT_NOT_ALLOWED" | "E_RECIPIENT_SUPPRESSED",
                ) => Delivery::Refused(why),
                _ => Delivery::Later(why),
            }
        }
    }
}
