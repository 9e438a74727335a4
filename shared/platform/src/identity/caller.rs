//! The extractor that says who is calling.

use axum::extract::FromRequestParts;
use http::request::Parts;
use tollgate_api::{Code, Problem};

use super::keys::VerifyingKeys;
use super::token::{AccessClaims, TokenError, verify};
use crate::Scope;

/// A verified caller: the only source of a user and a tenant in a handler.
#[derive(Debug, Clone, Copy)]
pub struct Caller(AccessClaims);

impl core::ops::Deref for Caller {
    type Target = AccessClaims;

    fn deref(&self) -> &AccessClaims {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let scope = parts.extensions.get::<Scope>().ok_or_else(Problem::internal)?;
        let header = scope.header("authorization").ok_or_else(|| {
            Problem::new(
                Code::Unauthorized,
                "Send `Authorization: Bearer <access token>`; POST /auth/login answers one.",
            )
        })?;
        let token = bearer(&header).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "The Authorization header must be `Bearer <access token>`, once.")
        })?;
        verify(&VerifyingKeys::of(scope.env()), token, scope.now()).map(Self).map_err(|error| match error {
            TokenError::Invalid => Problem::new(Code::Unauthorized, "The access token is not valid."),
            TokenError::Expired => {
                Problem::new(Code::TokenExpired, "The access token has expired; POST /auth/refresh answers a new one.")
            }
        })
    }
}

/// The token of a bearer header (RFC 6750, section 2.1): the scheme in any case, one blank, one token.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    // Two headers of one name arrive joined by a comma: a comma is no part of a token.
    let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    (scheme.eq_ignore_ascii_case("bearer") && sound).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn one_bearer_token_and_nothing_else() {
        assert_eq!(bearer("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer("bearer a"), Some("a"));
        for header in ["", "Bearer", "Bearer ", "Basic a", "Bearer a b", "Bearer a, Bearer b", "Bearer  a", "Bearer é"]
        {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
