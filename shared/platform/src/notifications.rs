//! Mails that their readers may have switched off.

use base64ct::{Base64UrlUnpadded, Encoding};
use tollgate_api::Problem;
use tollgate_domain::{
    id::{TenantId, UserId},
    mail::{Letter, Unsubscribe},
};

use crate::{
    Scope, mail, random,
    store::notifications::{self, Recipient},
};

/// Tells one reader, unless they do not want to be told. The event is about this reader: the same event is written about once.
///
/// # Errors
/// 503 when the database or the queue does not answer.
pub async fn tell(
    scope: &Scope,
    tenant: TenantId,
    event: String,
    reader: &Recipient,
    letter: &Letter<'_>,
) -> Result<(), Problem> {
    let Some(category) = letter.category() else {
        return mail::send(scope, tenant, event, &reader.email, letter).await;
    };
    if !reader.wants(category) {
        return Ok(());
    }
    let key = match &reader.unsubscribe_key {
        Some(key) => key.clone(),
        None => key(scope, tenant, reader.user_id).await?,
    };
    let said = Unsubscribe { tenant, user: reader.user_id, category };
    let token = said.signed(&key).ok_or_else(Problem::internal)?;
    let link = format!("{}/user/notifications/unsubscribe?token={token}", scope.settings().public_url);
    mail::send_optional(scope, tenant, event, &reader.email, letter, link).await
}

/// What a user's links are signed with, made when it is first needed: of two at once one is kept.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn key(scope: &Scope, tenant: TenantId, user: UserId) -> Result<String, Problem> {
    let fresh = Base64UrlUnpadded::encode_string(&random::bytes::<32>()?);
    notifications::add_key(scope, tenant, user, &fresh).await?;
    notifications::key(scope, tenant, user).await?.ok_or_else(Problem::internal)
}
