//! Whether what calls another server or writes a mail may be done: the rates are `shared/domain/src/outgoing_rates.rs`, the
//! counters are `SignInGuard` objects, each under its own name.

use tollgate_domain::{
    id::{TenantId, UserId},
    outgoing_rates::{CountedBy, Outgoing},
    secret_hash::SecretHash,
};

use super::{
    GuardReply, GuardRequest, call,
    network::{block, network},
};
use crate::{Code, Problem, Scope, mailbox};

/// Who asks for it, and whom it reaches; what a route does not know it leaves out, and is not counted by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking<'a> {
    /// The tenant for whom it is done.
    pub tenant: Option<TenantId>,
    /// The user who asks.
    pub user: Option<UserId>,
    /// The mailbox or domain that it reaches, as it was typed.
    pub target: Option<&'a str>,
}

impl<'a> Asking<'a> {
    /// For a tenant.
    pub fn of_tenant(tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..Self::default() }
    }

    /// By a user.
    pub fn of_user(user: UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// To a mailbox or a domain.
    pub fn to(target: &'a str) -> Self {
        Self { target: Some(target), ..Self::default() }
    }
}

/// Whether it may be done; it is counted, whether it then works or not: whom it reaches must not be told by what is counted.
///
/// # Errors
/// 429 with the time to wait; 503 when a counter cannot be reached.
pub async fn admit(scope: &Scope, what: Outgoing, asking: Asking<'_>) -> Result<(), Problem> {
    for rate in what.rates() {
        let Some(whose) = whose(scope, rate.by, asking) else { continue };
        let name = format!("outgoing/{}/{}/{whose}", what.as_str(), rate.by.as_str());
        let request = GuardRequest::Rated { free: rate.free, forget_one_ms: rate.forget_one_ms };
        if let GuardReply::Wait(wait_ms) = call(scope, &name, request).await? {
            return Err(too_many(what, wait_ms));
        }
    }
    Ok(())
}

fn whose(scope: &Scope, by: CountedBy, asking: Asking<'_>) -> Option<String> {
    match by {
        CountedBy::Tenant => asking.tenant.map(|tenant| tenant.to_string()),
        CountedBy::User => asking.user.map(|user| user.to_string()),
        CountedBy::Network => network(scope),
        CountedBy::Block => block(scope),
        CountedBy::Target => asking.target.map(|target| {
            // Every spelling of a mailbox is one, and the name of an object tells nobody's address.
            let one = mailbox::canonical(target)
                .map_or_else(|_| target.trim().to_lowercase(), |email| email.as_str().to_owned());
            SecretHash::of("outgoing_target", one.as_bytes()).to_string()
        }),
    }
}

fn too_many(what: Outgoing, wait_ms: i64) -> Problem {
    let seconds = wait_ms.max(1).unsigned_abs().div_ceil(1000);
    Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(
            Code::RateLimited,
            format!("There were too many {} in a short time. Try again in {seconds} s.", what.plural()),
        )
    }
}
