//! The extractors that say what a request may be made with, and what it needs.
//!
//! | a handler takes | who may call it |
//! |---|---|
//! | [`Caller`] | a person who signed in; a key gets 403 |
//! | [`Allowed<S>`] | a person, or a key with the scope `S`, verified in D1 |
//! | [`Fresh<S>`] | the same, in the role of this moment |
//! | [`MemberWith<S>`](super::MemberWith), [`AdminWith<S>`](super::AdminWith) | the same, in at least this role |
//! | [`Metered<S>`] | the same; the meter verifies the key in the call that reserves |
//!
//! `S` is one of [`needs`]: the scope stands in the handler's signature, and without it there is no tenant to work for.

use core::{marker::PhantomData, ops::Deref};

use axum::extract::FromRequestParts;
use http::request::Parts;
use tollgate_api::Problem;
use tollgate_domain::{
    account::Role,
    api_key::{Scope as KeyScope, Token},
    audit::Actor,
    catalogue::Product,
    id::{ApiKeyId, SessionId, TenantId, UserId},
    meter::Credential,
};
use worker::send::IntoSendFuture;

use super::{
    api_key,
    caller::{Caller, Presented},
    role::standing_role,
};
use crate::{Scope, audit};

/// What a handler needs of a key.
pub trait Needs: Send + Sync + 'static {
    /// The scope.
    const SCOPE: KeyScope;

    /// Whether a key without it is noted in the audit log. Not in chat: there the meter refuses, on the hot path.
    const AUDITED: bool;
}

macro_rules! needs {
    ($($full:ident, $read:ident;)*) => {
        /// What a handler can need: `needs::Chat` is the scope `chat`, `needs::ChatRead` is `chat:read`.
        pub mod needs {
            use tollgate_domain::api_key::{Resource, Scope};

            use super::Needs;

            $(
                #[doc = concat!("Reading and changing: ", stringify!($full), ".")]
                #[derive(Debug, Clone, Copy)]
                pub struct $full;

                impl Needs for $full {
                    const SCOPE: Scope = Scope::full(Resource::$full);
                    const AUDITED: bool = !matches!(Resource::$full, Resource::Chat);
                }

                #[doc = concat!("Reading: ", stringify!($full), ".")]
                #[derive(Debug, Clone, Copy)]
                pub struct $read;

                impl Needs for $read {
                    const SCOPE: Scope = Scope::read(Resource::$full);
                    const AUDITED: bool = !matches!(Resource::$full, Resource::Chat);
                }
            )*
        }
    };
}

needs! {
    Chat, ChatRead;
    Conversations, ConversationsRead;
    Usage, UsageRead;
    Agent, AgentRead;
    Tasks, TasksRead;
    Gmail, GmailRead;
    Workflows, WorkflowsRead;
    Team, TeamRead;
    Billing, BillingRead;
    Account, AccountRead;
}

/// Whose plan pays: names a meter.
pub trait Payer {
    /// Tenant, user and product.
    fn payer(&self) -> (TenantId, UserId, Product);
}

impl Payer for Caller {
    fn payer(&self) -> (TenantId, UserId, Product) {
        (self.tenant, self.user, self.product)
    }
}

/// Who asks, verified: a person who signed in, or a key.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The tenant, which carries its shard.
    pub tenant: TenantId,
    /// The role in the tenant.
    pub role: Role,
    /// The product whose plan pays.
    pub product: Product,
    /// The session of who signed in. That it still stands is for the handler's own statement to say.
    pub session: Option<SessionId>,
    /// The key.
    pub key: Option<ApiKeyId>,
}

impl Identity {
    /// As the audit log names it.
    pub const fn actor(&self) -> Actor {
        match self.key {
            Some(id) => Actor::ApiKey { id, user: self.user },
            None => Actor::User { id: self.user },
        }
    }
}

impl Payer for Identity {
    fn payer(&self) -> (TenantId, UserId, Product) {
        (self.tenant, self.user, self.product)
    }
}

impl From<Caller> for Identity {
    fn from(caller: Caller) -> Self {
        Self {
            user: caller.user,
            tenant: caller.tenant,
            role: caller.role,
            product: caller.product,
            session: Some(caller.session),
            key: None,
        }
    }
}

/// A person, or a key with the scope `S`.
#[derive(Debug)]
pub struct Allowed<S>(Identity, PhantomData<S>);

impl<S> Deref for Allowed<S> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl<S: Needs, T: Sync> FromRequestParts<T> for Allowed<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &T) -> Result<Self, Problem> {
        let scope = parts.extensions.get::<Scope>().cloned().ok_or_else(Problem::internal)?;
        let identity = match Presented::of(&scope)? {
            Presented::Session(caller) => Identity::from(caller),
            Presented::Key(token) => {
                let (key, role) = api_key::look_up(&scope, &token).into_send().await?;
                if !key.scopes.allow(S::SCOPE) {
                    if S::AUDITED {
                        let actor = Actor::ApiKey { id: key.id, user: key.user };
                        audit::denied(&scope, key.tenant, actor, &format!("scope {}", S::SCOPE));
                    }
                    return Err(Problem::scope_missing(S::SCOPE));
                }
                let (tenant, user, product) = (key.tenant, key.user, key.product);
                Identity { user, tenant, role, product, session: None, key: Some(key.id) }
            }
        };
        Ok(Self(identity, PhantomData))
    }
}

/// The same, in the role of this moment, and with a session that stands: for what depends on the role. One more statement
/// for who signed in; a key's look-up has it anyway.
#[derive(Debug)]
pub struct Fresh<S>(Allowed<S>);

impl<S> Deref for Fresh<S> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl<S: Needs, T: Sync> FromRequestParts<T> for Fresh<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        let mut allowed = Allowed::<S>::from_request_parts(parts, state).await?;
        if let Some(session) = allowed.session {
            let scope = parts.extensions.get::<Scope>().cloned().ok_or_else(Problem::internal)?;
            allowed.0.role = standing_role(&scope, allowed.tenant, allowed.user, session).into_send().await?;
        }
        Ok(Self(allowed))
    }
}

/// Who asks a meter. A key is claimed, and counts for nothing until the meter has verified it.
#[derive(Debug, Clone)]
pub struct Asker {
    payer: (TenantId, UserId, Product),
    proof: Proof,
}

#[derive(Debug, Clone)]
enum Proof {
    Session(SessionId),
    Key(Box<Token>, Credential),
}

impl Asker {
    /// The session of who signed in.
    pub const fn session(&self) -> Option<SessionId> {
        match &self.proof {
            Proof::Session(session) => Some(*session),
            Proof::Key(..) => None,
        }
    }

    /// What the meter is to verify.
    pub const fn credential(&self) -> Option<Credential> {
        match &self.proof {
            Proof::Session(_) => None,
            Proof::Key(_, credential) => Some(*credential),
        }
    }

    /// The key that was sent.
    pub(crate) fn token(&self) -> Option<&Token> {
        match &self.proof {
            Proof::Session(_) => None,
            Proof::Key(token, _) => Some(token),
        }
    }
}

impl Payer for Asker {
    fn payer(&self) -> (TenantId, UserId, Product) {
        self.payer
    }
}

/// A person, or a key that the meter will let in when it is good and has the scope `S`. For handlers that do nothing
/// before their reserve.
#[derive(Debug)]
pub struct Metered<S>(Asker, PhantomData<S>);

impl<S> Metered<S> {
    /// For the reserve.
    pub fn into_asker(self) -> Asker {
        self.0
    }
}

impl<S: Needs, T: Sync> FromRequestParts<T> for Metered<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &T) -> Result<Self, Problem> {
        let scope = parts.extensions.get::<Scope>().ok_or_else(Problem::internal)?;
        let asker = match Presented::of(scope)? {
            Presented::Session(caller) => Asker { payer: caller.payer(), proof: Proof::Session(caller.session) },
            Presented::Key(token) => {
                let ((tenant, key), (user, product)) = (token.claimed(), token.payer());
                let credential = Credential { key, hash: token.hash(), scope: S::SCOPE };
                Asker { payer: (tenant, user, product), proof: Proof::Key(token, credential) }
            }
        };
        Ok(Self(asker, PhantomData))
    }
}
