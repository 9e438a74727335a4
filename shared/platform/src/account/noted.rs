//! The audit log's entries of an account.

use tollgate_domain::{
    audit::{Action, Actor, Outcome},
    id::{SessionId, TenantId, UserId},
};

use crate::{Scope, audit};

/// What a user did to an account: the user's own.
pub async fn of_user(scope: &Scope, tenant: TenantId, user: UserId, action: Action) {
    let entry = audit::entry(scope, Actor::User { id: user }, action, "user", Some(user.to_string()), Outcome::Success);
    audit::record(scope, tenant, &entry).await;
}

/// The same, where it is the first proof of the address and ended what was made before.
pub async fn of_first_proof(scope: &Scope, tenant: TenantId, user: UserId, action: Action) {
    let entry = audit::entry(scope, Actor::User { id: user }, action, "user", Some(user.to_string()), Outcome::Success);
    let entry = entry.with("ended", "sessions, keys, second factor, links and invitations made before the first proof");
    audit::record(scope, tenant, &entry).await;
}

/// What a user did to a session.
pub async fn of_session(scope: &Scope, tenant: TenantId, user: UserId, action: Action, session: SessionId) {
    let entry =
        audit::entry(scope, Actor::User { id: user }, action, "session", Some(session.to_string()), Outcome::Success);
    audit::record(scope, tenant, &entry).await;
}

/// What somebody, nobody knows who, tried at a user's account or one of its sessions. Written after the answer: how long that
/// takes must not tell whether there is such an account.
pub fn of_stranger(
    scope: &Scope,
    tenant: TenantId,
    action: Action,
    kind: &str,
    id: String,
    outcome: Outcome,
    why: &str,
) {
    let entry = audit::entry(scope, Actor::Anonymous, action, kind, Some(id), outcome);
    let entry = if why.is_empty() { entry } else { entry.with("why", why) };
    let writer = scope.clone();
    scope.wait_until(async move { audit::record(&writer, tenant, &entry).await });
}
