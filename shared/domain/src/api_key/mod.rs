//! API keys: what programs sign in with.
//!
//! A key is shown once, when it is made; stored is its hash ([`crate::secret_hash`] says why a SHA-256). Its text says
//! which tenant, user and key it claims to be, so that one look-up by primary key finds the row to verify it against.
//! The claims count for nothing else: tenant and user of a request come from [`Verified`], which only [`ApiKey::verify`]
//! makes.
//!
//! | file | its job |
//! |---|---|
//! | `token` | the text form, with prefix and checksum |
//! | `scope` | what a key may do |
//! | `record` | the stored key: verifying, expiry, revoking, rotation with overlap |

mod record;
mod scope;
mod token;

pub use record::{
    ApiKey, DEFAULT_OVERLAP_MS, InvalidExpiry, MAX_LIFETIME_MS, MAX_OVERLAP_MS, NewApiKey, Refusal, RotateRefusal,
    Rotated, Verified,
};
pub use scope::{Access, InvalidScopes, Resource, Scope, Scopes};
pub use token::{InvalidToken, Token};
