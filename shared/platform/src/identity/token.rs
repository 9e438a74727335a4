//! Access tokens: issuing and verifying, with a cache of what was verified.

use std::{cell::RefCell, collections::HashMap};

use jwt_compact::{UntrustedToken, prelude::Claims};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tollgate_domain::{
    account::Role,
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};

use super::keys::{SigningKey, VerifyingKeys, verified};

/// How long an access token is good for.
pub const ACCESS_TOKEN_SECONDS: i64 = 15 * 60;

/// The audience of our access tokens.
const AUDIENCE: &str = "tollgate";

/// How far the clocks of two machines may be apart.
const LEEWAY_SECONDS: i64 = 5;

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The user.
    #[serde(rename = "sub")]
    pub user: UserId,
    /// The tenant, which carries its shard.
    #[serde(rename = "ten")]
    pub tenant: TenantId,
    /// The session.
    #[serde(rename = "sid")]
    pub session: SessionId,
    /// The role in the tenant.
    pub role: Role,
    /// The product whose plan pays.
    #[serde(rename = "prd")]
    pub product: Product,
}

#[derive(Serialize, Deserialize)]
struct Body {
    aud: String,
    #[serde(flatten)]
    access: AccessClaims,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token of ours: malformed, wrong key, wrong algorithm, wrong audience, not yet valid.
    #[error("the access token is not valid")]
    Invalid,
    /// It was good once.
    #[error("the access token has expired")]
    Expired,
}

/// Signs an access token. `None` when signing fails.
pub fn issue(key: &SigningKey, access: AccessClaims, now: Timestamp) -> Option<String> {
    let mut claims = Claims::new(Body { aud: AUDIENCE.to_owned(), access });
    let issued_at = chrono_at(now.as_seconds())?;
    claims.issued_at = Some(issued_at);
    claims.expiration = chrono_at(now.as_seconds() + ACCESS_TOKEN_SECONDS);
    key.sign(&claims)
}

fn chrono_at(seconds: i64) -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp(seconds, 0)
}

/// A verified token: an Ed25519 check costs about half a millisecond in WASM, a third of a request.
#[derive(Clone, Copy)]
struct Verified {
    access: AccessClaims,
    expires_at_seconds: i64,
}

/// How many verified tokens an isolate remembers.
const REMEMBERED: usize = 4_096;

thread_local! {
    static CACHE: RefCell<HashMap<[u8; 32], Verified>> = RefCell::new(HashMap::new());
}

/// Verifies a token's form, algorithm, signature, audience and times.
///
/// Tokens that were good are remembered by their SHA-256 until they expire; an expired one is told apart from an
/// invalid one only after its signature has been checked.
///
/// # Errors
/// See [`TokenError`].
pub fn verify(keys: &VerifyingKeys, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let known = CACHE.with_borrow(|cache| cache.get(&digest).copied());
    let verified = if let Some(verified) = known {
        verified
    } else {
        let verified = check(keys, token, now)?;
        CACHE.with_borrow_mut(|cache| {
            if cache.len() >= REMEMBERED {
                cache.retain(|_, entry| entry.expires_at_seconds > now.as_seconds());
                if cache.len() >= REMEMBERED {
                    cache.clear();
                }
            }
            cache.insert(digest, verified);
        });
        verified
    };
    if now.as_seconds() >= verified.expires_at_seconds {
        return Err(TokenError::Expired);
    }
    Ok(verified.access)
}

fn check(keys: &VerifyingKeys, token: &str, now: Timestamp) -> Result<Verified, TokenError> {
    let untrusted = UntrustedToken::new(token).map_err(|_| TokenError::Invalid)?;
    let claims: Claims<Body> = verified(keys, &untrusted).ok_or(TokenError::Invalid)?;
    let expires_at = claims.expiration.ok_or(TokenError::Invalid)?.timestamp();
    let too_early = [claims.not_before, claims.issued_at]
        .into_iter()
        .flatten()
        .any(|instant| instant.timestamp() > now.as_seconds() + LEEWAY_SECONDS);
    if too_early || claims.custom.aud != AUDIENCE {
        return Err(TokenError::Invalid);
    }
    Ok(Verified { access: claims.custom.access, expires_at_seconds: expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64UrlUnpadded, Encoding};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    // The key pair of RFC 8037, appendix A.
    const PRIVATE: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"k1","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const PUBLIC: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"RSA","kid":"r"},{"kty":"OKP"}]}"#;

    fn access() -> AccessClaims {
        AccessClaims {
            user: UserId::new(NOW, [1; 10]),
            tenant: TenantId::new(NOW, [2; 10]),
            session: SessionId::new(NOW, [3; 10]),
            role: Role::Owner,
            product: Product::Agent,
        }
    }

    fn token() -> String {
        issue(&SigningKey::from_jwk(PRIVATE).unwrap(), access(), NOW).unwrap()
    }

    fn verify_at(token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        CACHE.with_borrow_mut(HashMap::clear);
        verify(&VerifyingKeys::from_jwks(PUBLIC), token, now)
    }

    fn forged(header: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
        let token = token();
        let mut parts = token.split('.');
        let (_, body, signature) = (parts.next(), parts.next().unwrap(), parts.next().unwrap());
        let mut claims: serde_json::Value =
            serde_json::from_slice(&Base64UrlUnpadded::decode_vec(body).unwrap()).unwrap();
        change(&mut claims);
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        format!("{}.{}.{signature}", encode(header), encode(&claims.to_string()))
    }

    #[test]
    fn a_token_says_who_until_it_expires() {
        let token = token();
        assert_eq!(verify_at(&token, NOW), Ok(access()));
        let end = NOW.plus_millis(ACCESS_TOKEN_SECONDS * 1000);
        assert_eq!(verify_at(&token, end.plus_millis(-1)), Ok(access()));
        assert_eq!(verify_at(&token, end), Err(TokenError::Expired));
    }

    #[test]
    fn a_remembered_token_expires_too() {
        let keys = VerifyingKeys::from_jwks(PUBLIC);
        let token = token();
        assert!(verify(&keys, &token, NOW).is_ok());
        assert!(CACHE.with_borrow(|cache| !cache.is_empty()));
        assert_eq!(verify(&keys, &token, NOW.plus_days(1)), Err(TokenError::Expired));
    }

    #[test]
    fn forgeries_are_refused() {
        let good = r#"{"alg":"EdDSA","kid":"k1"}"#;
        for (name, token) in [
            ("changed claims", forged(good, |claims| claims["role"] = "admin".into())),
            ("alg none", forged(r#"{"alg":"none","kid":"k1"}"#, |_| ())),
            ("alg HS256", forged(r#"{"alg":"HS256","kid":"k1"}"#, |_| ())),
            ("unknown kid", forged(r#"{"alg":"EdDSA","kid":"../k1"}"#, |_| ())),
            ("no kid", forged(r#"{"alg":"EdDSA"}"#, |_| ())),
            ("nothing", String::new()),
            ("dots", "..".into()),
            ("no signature", token().rsplit_once('.').unwrap().0.to_owned() + "."),
            ("short signature", token().rsplit_once('.').unwrap().0.to_owned() + ".AAAA"),
        ] {
            assert_eq!(verify_at(&token, NOW), Err(TokenError::Invalid), "{name}");
        }
    }

    #[test]
    fn a_signature_of_another_key_is_refused() {
        // The second key pair of RFC 8032, section 7.1, under our key's id.
        let other = r#"{"kty":"OKP","crv":"Ed25519","kid":"k1","d":"TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}"#;
        let token = issue(&SigningKey::from_jwk(other).unwrap(), access(), NOW).unwrap();
        assert_eq!(verify_at(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn tokens_from_the_future_or_for_others_are_refused() {
        let key = SigningKey::from_jwk(PRIVATE).unwrap();
        let early = issue(&key, access(), NOW.plus_millis(60_000)).unwrap();
        assert_eq!(verify_at(&early, NOW), Err(TokenError::Invalid));
        let mut claims = Claims::new(Body { aud: "others".into(), access: access() });
        claims.expiration = chrono_at(NOW.as_seconds() + 60);
        assert_eq!(verify_at(&key.sign(&claims).unwrap(), NOW), Err(TokenError::Invalid));
        claims.custom.aud = AUDIENCE.into();
        assert!(verify_at(&key.sign(&claims).unwrap(), NOW).is_ok());
        claims.expiration = None;
        assert_eq!(verify_at(&key.sign(&claims).unwrap(), NOW), Err(TokenError::Invalid));
    }
}
