//! What a request brought, and the extractor for those who signed in.

use axum::extract::FromRequestParts;
use http::request::Parts;
use tollgate_api::{Code, Problem};
use tollgate_domain::api_key::{InvalidToken, Token};

use super::keys::VerifyingKeys;
use super::token::{AccessClaims, TokenError, verify};
use crate::Scope;

/// A person who signed in, verified. A key is refused with 403: what only a person may do is for this extractor, the rest for
/// [`Allowed`](super::Allowed).
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
        match Presented::of(scope)? {
            Presented::Session(caller) => Ok(caller),
            Presented::Key(_) => Err(Problem::new(
                Code::Forbidden,
                "An API key cannot do this, whatever its scopes: sign in and send the access token.",
            )),
        }
    }
}

impl Caller {
    /// Whoever the request says it is from, where that is verified: for a route that is open to everybody and means more to some.
    pub fn presented(scope: &Scope) -> Option<Self> {
        match Presented::of(scope) {
            Ok(Presented::Session(caller)) => Some(caller),
            Ok(Presented::Key(_)) | Err(_) => None,
        }
    }
}

/// What a request brought to say who asks.
pub(super) enum Presented {
    /// A verified access token.
    Session(Caller),
    /// A key without a typo. What it says is claimed.
    Key(Box<Token>),
}

impl Presented {
    pub(super) fn of(scope: &Scope) -> Result<Self, Problem> {
        let unauthorized = |detail: &str| Problem::new(Code::Unauthorized, detail);
        let header = scope.header("authorization").ok_or_else(|| {
            unauthorized(
                "Send `Authorization: Bearer <access token or API key>`; POST /auth/login answers an access token.",
            )
        })?;
        let token = bearer(&header).ok_or_else(|| {
            unauthorized("The Authorization header must be `Bearer <access token or API key>`, once.")
        })?;
        if Token::is_meant(token) {
            return Token::parse(token).map(|token| Self::Key(Box::new(token))).map_err(|error| match error {
                InvalidToken::Checksum => unauthorized(
                    "The API key is mistyped: its checksum does not fit. Copy it again from where it is kept.",
                ),
                InvalidToken::Prefix | InvalidToken::Shape => unauthorized(
                    "The API key is not a whole one: a part is missing, or something is in it that is in no key.",
                ),
            });
        }
        let verified = verify(&VerifyingKeys::of(scope.env()), token, scope.now());
        verified.map(|claims| Self::Session(Caller(claims))).map_err(|error| match error {
            // Most often another service's key: whoever reads of an access token looks in the wrong place.
            TokenError::Invalid if !is_jwt(token) => unauthorized(
                "This is no API key of this service, which begin with tg_live_, and no access token. POST /user/api-keys makes a key.",
            ),
            TokenError::Invalid => unauthorized("The access token is not valid."),
            TokenError::Expired => {
                Problem::new(Code::TokenExpired, "The access token has expired; POST /auth/refresh answers a new one.")
            }
        })
    }
}

/// Whether it has the three parts of a JSON Web Token.
fn is_jwt(token: &str) -> bool {
    token.split('.').filter(|part| !part.is_empty()).count() == 3
}

/// The token of a bearer header (RFC 6750, section 2.1): the scheme in any case, blanks, one token.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim_matches([' ', '\t']).split_once([' ', '\t'])?;
    let token = token.trim_start_matches([' ', '\t']);
    // Two headers of one name arrive joined by a comma: a comma is no part of a token.
    let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    (scheme.eq_ignore_ascii_case("bearer") && sound).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::{bearer, is_jwt};

    #[test]
    fn what_has_three_parts_may_be_an_access_token() {
        assert!(is_jwt("a.b.c"));
        for other in ["sk-proj-abc", "a.b", "a.b.c.d", "..", "a..c", ""] {
            assert!(!is_jwt(other), "{other}");
        }
    }

    #[test]
    fn one_bearer_token_and_nothing_else() {
        assert_eq!(bearer("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer("bearer a"), Some("a"));
        assert_eq!(bearer("BEARER  a"), Some("a"));
        assert_eq!(bearer(" Bearer \t a "), Some("a"));
        for header in ["", "Bearer", "Bearer ", "Basic a", "Bearer a b", "Bearer a, Bearer b", "Bearer é"] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
