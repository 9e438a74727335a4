//! Writing the audit log.

use tollgate_domain::{
    audit::{Action, Actor, Entry, Outcome, Source, Target, append},
    id::TenantId,
};

use crate::{
    Scope, log,
    store::{self, StoreError},
};

/// How often an entry is tried: others may write at the same time, one comes after the other.
const TRIES: u32 = 8;

/// From where a request comes: address, device, id.
pub fn source(scope: &Scope) -> Source {
    Source {
        ip: scope.header("cf-connecting-ip"),
        user_agent: scope.header("user-agent"),
        request_id: Some(scope.request_id()),
    }
}

/// An entry about this request.
pub fn entry(scope: &Scope, actor: Actor, action: Action, kind: &str, id: Option<String>, outcome: Outcome) -> Entry {
    Entry::new(actor, action, Target { kind: kind.to_owned(), id }, source(scope), outcome)
}

/// Notes, after the answer, that somebody of the tenant asked for what is not theirs to do.
pub fn denied(scope: &Scope, tenant: TenantId, actor: Actor, why: &str) {
    let operation = format!("{} {}", scope.request().method(), scope.path());
    let entry = entry(scope, actor, Action::AccessDeny, "operation", Some(operation), Outcome::Denied).with("why", why);
    let writer = scope.clone();
    scope.wait_until(async move { record(&writer, tenant, &entry).await });
}

/// Appends an entry to a tenant's log. What was done stands either way: an entry that cannot be written is in the log of the
/// function, whole.
pub async fn record(scope: &Scope, tenant: TenantId, entry: &Entry) {
    for _ in 0..TRIES {
        let written = match store::audit_head(scope, tenant).await {
            Ok(head) => match append(head, entry, scope.now()) {
                Some((row, _)) => store::append_audit(scope, tenant, entry, &row).await,
                None => Err(StoreError::Failed),
            },
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => return,
            Err(StoreError::Taken(_)) => {}
            Err(StoreError::Failed) => break,
        }
    }
    let body = entry.to_body().unwrap_or_default();
    log::error("audit", &format!("an entry of {tenant} could not be written: {body}"), Some(scope));
}
