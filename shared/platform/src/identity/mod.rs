//! Who is calling: access tokens and the extractor that a handler's signature names.
//!
//! An access token is a JWT (RFC 7519) signed with Ed25519 (`alg: EdDSA`, RFC 8037). Only `auth` holds the private
//! key; every other function verifies with the public ones in the setting `JWKS`. A handler that takes a
//! [`Caller`] cannot run without a verified token, and has no other source for the tenant.

mod caller;
mod keys;
mod mail_token;
mod refresh;
mod token;

pub use caller::Caller;
pub use keys::{SigningKey, VerifyingKeys};
pub use mail_token::{MailToken, MailTokenKind};
pub use refresh::{GRACE_MS, REFRESH_TOKEN_MS, RefreshToken, TagKey};
pub use token::{ACCESS_TOKEN_SECONDS, AccessClaims, TokenError, issue, verify};
