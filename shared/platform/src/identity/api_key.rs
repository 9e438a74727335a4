//! Looking an API key up: where no meter verifies it, and where a meter does not know it.

use std::cell::RefCell;

use tollgate_api::Problem;
use tollgate_domain::{
    account::Role,
    api_key::{ApiKey, Token},
    id::{TenantId, UserId},
    secret_hash::SecretHash,
};

use crate::{
    Scope, log,
    meter::MeterClient,
    store::{self, ApiKeyRow},
};

/// How long an isolate remembers that a key is not good. None ever becomes good again.
const REFUSED_MS: i64 = 60_000;

/// How many it remembers.
const REMEMBERED: usize = 256;

thread_local! {
    /// Until when, by the hash of the key's text: who asks again and again costs nothing.
    static REFUSED: RefCell<Vec<(SecretHash, i64)>> = const { RefCell::new(Vec::new()) };
}

/// The key and its user's role, once it is found good: one D1 statement.
///
/// # Errors
/// 401 when it is not good, 503 when the database cannot be read.
pub(crate) async fn look_up(scope: &Scope, token: &Token) -> Result<(ApiKey, Role), Problem> {
    let hash = token.hash();
    let now = scope.now();
    if REFUSED.with_borrow(|refused| refused.iter().any(|(known, until)| *until > now.as_millis() && *known == hash)) {
        return Err(Problem::api_key_refused());
    }
    let (tenant, id) = token.claimed();
    // The tenant is claimed: it may name a shard that there is not.
    let row = if store::shards(scope).any(|shard| shard == tenant.shard()) {
        store::find_api_key(scope, tenant, id).await?
    } else {
        None
    };
    let refusal = match row.as_ref().and_then(|row| Some((row, row.key(tenant)?, row.role()?))) {
        Some((row, key, role)) => match key.verify(token, now) {
            Ok(_) => {
                note_use(scope, row, &key);
                return Ok((key, role));
            }
            Err(refusal) => refusal.to_string(),
        },
        None => "the API key is not known".to_owned(),
    };
    log::warn("identity", &format!("{id}: {refusal}"), Some(scope));
    REFUSED.with_borrow_mut(|refused| {
        if refused.len() >= REMEMBERED {
            refused.remove(0);
        }
        refused.push((hash, now.plus_millis(REFUSED_MS).as_millis()));
    });
    Err(Problem::api_key_refused())
}

/// Writes the key's last use behind the answer, at most once an hour.
fn note_use(scope: &Scope, row: &ApiKeyRow, key: &ApiKey) {
    let now = scope.now();
    if !row.is_touch_due(now) {
        return;
    }
    let (writer, tenant, id) = (scope.clone(), key.tenant, key.id);
    scope.wait_until(async move {
        // What is not written is written with the next use; the store has logged it.
        let _ = store::touch_api_key(&writer, tenant, id, now).await;
    });
}

/// Stops every key of a user, in the database and in the meters: for who leaves a team or is deleted.
///
/// # Errors
/// 503 when the database or a meter cannot be reached: then it is to be done again.
pub async fn revoke_all(scope: &Scope, tenant: TenantId, user: UserId) -> Result<(), Problem> {
    let revoked = store::revoke_all_api_keys(scope, tenant, user, scope.now()).await?;
    let products: std::collections::BTreeSet<_> = revoked.iter().map(|(_, product)| *product).collect();
    for product in products {
        let keys = revoked.iter().filter(|(_, of)| *of == product).map(|(key, _)| *key).collect();
        MeterClient::named(tenant, user, product).revoke_keys(scope, keys).await?;
    }
    Ok(())
}
