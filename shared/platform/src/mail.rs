//! Asking for a mail. It is handed to a queue, and `notify` sends it: whoever asks does not wait for a mail server, and an
//! account that is not there takes as long as one that is.

use serde::{Deserialize, Serialize};
use tollgate_api::Problem;
use tollgate_domain::{
    catalogue::Product,
    id::TenantId,
    mail::{self, Letter, Rendered},
    subscription::Notice,
};

use crate::{Scope, log};

/// A mail on its way through the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Whose mail it is.
    pub tenant: TenantId,
    /// What it is about: the same event is written about once.
    pub event: String,
    /// The recipient's address.
    pub to: String,
    /// See [`Letter::kind`].
    pub kind: String,
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The links in it.
    pub links: Vec<String>,
    /// Where one click switches mails of its kind off (RFC 8058), for those that may be.
    #[serde(default)]
    pub unsubscribe: Option<String>,
}

/// Asks for a mail; of several for the same event one is sent.
///
/// # Errors
/// 503 when the queue does not take it.
pub async fn send(
    scope: &Scope,
    tenant: TenantId,
    event: String,
    to: &str,
    letter: &Letter<'_>,
) -> Result<(), Problem> {
    hand_over(scope, tenant, event, to, (letter.kind(), letter.rendered()), None).await
}

/// The same for a mail of a kind that may be switched off, with the link for that.
///
/// # Errors
/// 503 when the queue does not take it.
pub async fn send_optional(
    scope: &Scope,
    tenant: TenantId,
    event: String,
    to: &str,
    letter: &Letter<'_>,
    unsubscribe: String,
) -> Result<(), Problem> {
    let rendered = letter.rendered().with_unsubscribe(&unsubscribe);
    hand_over(scope, tenant, event, to, (letter.kind(), rendered), Some(unsubscribe)).await
}

/// Asks for a mail about what is bought. The notice's key is what it is about.
///
/// # Errors
/// 503 when the queue does not take it.
pub async fn notice(
    scope: &Scope,
    tenant: TenantId,
    to: &str,
    product: Product,
    notice: &Notice,
    link: &str,
) -> Result<(), Problem> {
    let written = mail::billing(product, notice.kind, link);
    hand_over(scope, tenant, format!("subscription {}", notice.key), to, written, None).await
}

async fn hand_over(
    scope: &Scope,
    tenant: TenantId,
    event: String,
    to: &str,
    (kind, rendered): (&str, Rendered),
    unsubscribe: Option<String>,
) -> Result<(), Problem> {
    let mail = Mail {
        tenant,
        event,
        to: to.to_owned(),
        kind: kind.to_owned(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        links: rendered.links,
        unsubscribe,
    };
    queue(scope, &mail).await
}

/// Hands a mail to the queue, as it is.
///
/// # Errors
/// 503 when the queue does not take it.
pub async fn queue(scope: &Scope, mail: &Mail) -> Result<(), Problem> {
    let failed = |error: &worker::Error| {
        log::error("mail", &error.to_string(), Some(scope));
        Problem::dependency("mail queue")
    };
    let queue = scope.env().queue("MAIL").map_err(|error| failed(&error))?;
    queue.send(mail).await.map_err(|error| failed(&error))
}
