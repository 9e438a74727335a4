//! Who is calling: access tokens and the extractor that a handler's signature names.
//!
//! An access token is a JWT (RFC 7519) signed with Ed25519 (`alg: EdDSA`, RFC 8037). Only `auth` holds the private
//! key; every other function verifies with the public ones in the setting `JWKS`. Programs send API
//! keys instead (`tollgate_domain::api_key`). A handler's signature says what it needs, [`Caller`], [`Allowed`], [`Fresh`],
//! [`Ranked`] or [`Metered`]; without one of them it has no source for the tenant.

mod allowed;
pub mod api_key;
mod caller;
mod keys;
mod mail_token;
mod operator;
mod refresh;
mod role;
mod token;

pub use allowed::{Allowed, Asker, Fresh, Identity, Metered, Needs, Payer, needs};
pub use caller::Caller;
pub use keys::{SigningKey, VerifyingKeys};
pub use mail_token::{MailToken, MailTokenKind};
pub use operator::Operator;
pub use refresh::{GRACE_MS, REFRESH_TOKEN_MS, RefreshToken, TagKey};
pub use role::{AdminOf, AdminWith, MemberOf, MemberWith, OwnerOf, OwnerWith, Ranked, RankedWith, actor};
pub use token::{ACCESS_TOKEN_SECONDS, AccessClaims, TokenError, issue, verify};
