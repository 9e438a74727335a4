//! Accounts and what is linked with them.

use tollgate_api::Problem;
use tollgate_domain::{
    account::Email,
    audit::{Action, Actor, Outcome},
    id::{IdentityId, TenantId, UserId},
};

use super::{Identified, Provider};
use crate::{
    Scope, audit, random,
    store::{
        StoreError,
        directory_federation::{self, HolderRow},
        provider_identities::{self, NewIdentity},
    },
};

/// Who may go in.
#[derive(Debug)]
pub struct Admitted {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// What stands for the password.
    pub credential: String,
    /// Whether the account was made just now.
    pub is_new: bool,
}

impl Admitted {
    /// Into an account that is there.
    ///
    /// # Errors
    /// `internal` when its row cannot be read.
    pub fn known(row: HolderRow) -> Result<Self, Problem> {
        let (Ok(tenant), Ok(user)) = (row.tenant_id.parse(), row.user_id.parse()) else {
            return Err(Problem::internal());
        };
        Ok(Self { tenant, user, credential: row.password_hash, is_new: false })
    }
}

/// The account that the subject is linked with.
///
/// # Errors
/// When the database cannot be read.
pub async fn known(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
) -> Result<Option<HolderRow>, StoreError> {
    directory_federation::account_by_subject(scope, &provider.realm, &identified.issuer, &identified.subject).await
}

/// The link of this sign-in.
///
/// # Errors
/// `internal` without randomness.
pub fn new_identity<'a>(
    scope: &Scope,
    provider: &'a Provider,
    identified: &'a Identified,
) -> Result<NewIdentity<'a>, Problem> {
    Ok(NewIdentity {
        id: IdentityId::new(scope.now(), random::entropy()?),
        realm: &provider.realm,
        issuer: &identified.issuer,
        subject: &identified.subject,
        email: identified.email.as_ref().map(Email::as_str),
        now: scope.now(),
    })
}

/// Links the subject with an account; `None` when somebody else was faster.
///
/// # Errors
/// 503 when the database cannot be written.
pub async fn link(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
    row: HolderRow,
) -> Result<Option<Admitted>, Problem> {
    let admitted = Admitted::known(row)?;
    let identity = new_identity(scope, provider, identified)?;
    match provider_identities::link(scope, admitted.tenant, admitted.user, &identity).await {
        Ok(()) => {}
        Err(StoreError::Taken(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    note_link(scope, &admitted, &identity, false).await;
    Ok(Some(admitted))
}

/// Notes a link in the log.
pub async fn note_link(scope: &Scope, admitted: &Admitted, identity: &NewIdentity<'_>, took_over: bool) {
    let (by, id) = (Actor::User { id: admitted.user }, Some(identity.id.to_string()));
    let entry = audit::entry(scope, by, Action::IdentityLink, "identity", id, Outcome::Success);
    let entry = entry.with("through", identity.realm);
    let entry = if took_over { entry.with("why", "taken over: the address had not been confirmed") } else { entry };
    audit::record(scope, admitted.tenant, &entry).await;
}
