//! Extractors that say who may call: a handler's signature names the least role.
//!
//! A token's role is as old as the token, up to 15 minutes. Here the role is read from the database with the session, in
//! one statement: who was demoted, removed or signed out is stopped with the next request.

use core::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tollgate_api::{Code, Problem};
use tollgate_domain::{
    account::Role,
    audit::Actor,
    id::{SessionId, TenantId, UserId},
};
use worker::send::SendFuture;

use super::{Caller, Fresh, Identity, Needs};
use crate::{Scope, audit, store::teams};

/// The least role that may call.
pub trait Least: Send + Sync + 'static {
    /// Which.
    const ROLE: Role;
}

/// Marks handlers for everybody in the tenant.
#[derive(Debug, Clone, Copy)]
pub struct AnyMember;
/// Marks handlers for admins and owners.
#[derive(Debug, Clone, Copy)]
pub struct AnAdmin;
/// Marks handlers for owners.
#[derive(Debug, Clone, Copy)]
pub struct AnOwner;

impl Least for AnyMember {
    const ROLE: Role = Role::Member;
}
impl Least for AnAdmin {
    const ROLE: Role = Role::Admin;
}
impl Least for AnOwner {
    const ROLE: Role = Role::Owner;
}

/// A caller whose session stands, in the role of this moment.
#[derive(Debug, Clone, Copy)]
pub struct Ranked<L> {
    caller: Caller,
    /// The role of this moment; it hides the token's.
    pub role: Role,
    least: PhantomData<L>,
}

/// Anybody in the tenant.
pub type MemberOf = Ranked<AnyMember>;
/// An admin or an owner of the tenant.
pub type AdminOf = Ranked<AnAdmin>;
/// An owner of the tenant.
pub type OwnerOf = Ranked<AnOwner>;

impl<L> core::ops::Deref for Ranked<L> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<S: Sync, L: Least> FromRequestParts<S> for Ranked<L> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let scope = parts.extensions.get::<Scope>().cloned().ok_or_else(Problem::internal)?;
        let role = SendFuture::new(standing_role(&scope, caller.tenant, caller.user, caller.session)).await?;
        require::<L>(&scope, caller.tenant, role, actor(&caller))?;
        Ok(Self { caller, role, least: PhantomData })
    }
}

/// The same for keys, too: a key with the scope `S` acts in the role of its user.
#[derive(Debug)]
pub struct RankedWith<L, S> {
    fresh: Fresh<S>,
    least: PhantomData<L>,
}

/// Anybody in the tenant, in person or with a key.
pub type MemberWith<S> = RankedWith<AnyMember, S>;
/// An admin or an owner of the tenant, in person or with a key.
pub type AdminWith<S> = RankedWith<AnAdmin, S>;
/// An owner of the tenant, in person or with a key.
pub type OwnerWith<S> = RankedWith<AnOwner, S>;

impl<L, S> core::ops::Deref for RankedWith<L, S> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.fresh
    }
}

impl<T: Sync, L: Least, S: Needs> FromRequestParts<T> for RankedWith<L, S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        let fresh = Fresh::<S>::from_request_parts(parts, state).await?;
        let scope = parts.extensions.get::<Scope>().ok_or_else(Problem::internal)?;
        require::<L>(scope, fresh.tenant, fresh.role, fresh.actor())?;
        Ok(Self { fresh, least: PhantomData })
    }
}

/// Whether a role is enough; who has less is noted.
fn require<L: Least>(scope: &Scope, tenant: TenantId, role: Role, actor: Actor) -> Result<(), Problem> {
    if role >= L::ROLE {
        return Ok(());
    }
    audit::denied(scope, tenant, actor, role.as_str());
    let who = if L::ROLE == Role::Owner { "owners" } else { "owners and admins" };
    Err(Problem::new(Code::Forbidden, format!("Only {who} may do this; you are {}.", role.as_str())))
}

/// The role of this moment, while the session stands: one statement.
pub(super) async fn standing_role(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: SessionId,
) -> Result<Role, Problem> {
    let role = teams::standing_role(scope, tenant, user, session).await?;
    role.ok_or_else(|| Problem::new(Code::SessionRevoked, "This session was ended. Sign in again."))
}

/// The caller as the audit log names it.
pub fn actor(caller: &Caller) -> Actor {
    Actor::User { id: caller.user }
}
