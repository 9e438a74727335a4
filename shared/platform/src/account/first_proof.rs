//! The first proof that an address belongs to whoever acts: it ends what was made before it.
//!
//! Anybody can register anybody's address. So until its owner has acted once (confirmed it by the mailed link, set a password by
//! mail, come in through a provider that vouches for it), whatever stands in the account may be a stranger's: keys, sessions, a
//! second factor, links with providers, invitations, roles of those who were invited, the team's single sign-on, mailed tokens.
//! All of it ends with the first proof, in the meters before and after the database.
//!
//! One proof leaves everything as it is: the mailed link, opened by whoever also sends an access token of the account. Nobody
//! but its maker has a session of an unproven account, so maker and mailbox are one person.
//!
//! Joining a team by a mailed invitation is such a proof too: it takes a session of the account and the mail, and ends the keys,
//! sessions and invitations of the tenant that is left in any case.

use tollgate_api::Problem;
use tollgate_domain::{
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};

use super::ending::{end_in_meters, reachable};
use crate::{
    Scope,
    identity::{Caller, api_key},
    store,
};

/// How long before this the caller of [`stop`] may have read the clock: no request takes as long.
const CLOCK_READ_BEFORE_MS: i64 = 60_000;

/// What was stopped in the meters before the database was changed.
#[derive(Debug)]
pub struct Stopped {
    tenant: TenantId,
    user: UserId,
    sessions: Vec<SessionId>,
    keys_too: bool,
    at: Timestamp,
}

/// Whether the request carries an access token of this account whose session stands.
///
/// # Errors
/// 503 when the database cannot be read.
pub async fn comes_from_its_maker(scope: &Scope, tenant: TenantId, user: UserId) -> Result<bool, Problem> {
    let Some(caller) = Caller::presented(scope) else { return Ok(false) };
    if (caller.tenant, caller.user) != (tenant, user) {
        return Ok(false);
    }
    let row = store::profile(scope, tenant, user, caller.session).await?;
    Ok(row.is_some_and(|row| row.session_stands()))
}

/// Stops a user's sessions in the meters, and their keys where they are to end too. The meters come first: should a later step
/// fail, whoever tries again leaves nothing open.
///
/// # Errors
/// 503 when a meter or the database cannot be reached.
pub async fn stop(scope: &Scope, tenant: TenantId, user: UserId, keys_too: bool) -> Result<Stopped, Problem> {
    let products = store::users_products(scope, tenant, user).await?;
    // The database is told an instant that the caller may have read before this: sessions ended since then are looked for again.
    let at = scope.now().plus_millis(-CLOCK_READ_BEFORE_MS);
    let sessions = reachable(scope, tenant, user, at).await?;
    end_in_meters(scope, tenant, user, &products, &sessions).await?;
    if keys_too {
        api_key::revoke_all(scope, tenant, user).await?;
    }
    Ok(Stopped { tenant, user, sessions, keys_too, at })
}

impl Stopped {
    /// The same for what was opened or made between [`stop`] and the database's change, after which nothing of before opens
    /// anything.
    ///
    /// # Errors
    /// 503 when a meter or the database cannot be reached.
    pub async fn stop_the_rest(&self, scope: &Scope) -> Result<(), Problem> {
        let products = store::users_products(scope, self.tenant, self.user).await?;
        let mut sessions = reachable(scope, self.tenant, self.user, self.at).await?;
        sessions.retain(|session| !self.sessions.contains(session));
        end_in_meters(scope, self.tenant, self.user, &products, &sessions).await?;
        if self.keys_too {
            api_key::revoke_all(scope, self.tenant, self.user).await?;
        }
        Ok(())
    }
}
