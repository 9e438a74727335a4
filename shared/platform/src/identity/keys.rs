//! Ed25519 keys as JSON Web Keys (RFC 7517, RFC 8037).

use std::{cell::RefCell, rc::Rc};

use jwt_compact::{
    AlgorithmExt,
    alg::Ed25519,
    jwk::JsonWebKey,
    prelude::{Claims, Header},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::Env;

use crate::{log, settings};

type PublicKey = <Ed25519 as jwt_compact::Algorithm>::VerifyingKey;
type SecretKey = <Ed25519 as jwt_compact::Algorithm>::SigningKey;

/// The public keys that access tokens are verified with, by `kid`; two while one rolls.
#[derive(Default)]
pub struct VerifyingKeys(Vec<(String, PublicKey)>);

/// The private key that `auth` signs with.
pub struct SigningKey {
    kid: String,
    key: SecretKey,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

fn kid_of(jwk: &serde_json::Value) -> Option<String> {
    jwk.get("kid")?.as_str().map(str::to_owned)
}

thread_local! {
    static KEYS: RefCell<Option<Rc<VerifyingKeys>>> = const { RefCell::new(None) };
}

impl VerifyingKeys {
    /// The keys of the setting `JWKS`, read once per isolate.
    pub fn of(env: &Env) -> Rc<Self> {
        KEYS.with_borrow_mut(|known| Rc::clone(known.get_or_insert_with(|| Rc::new(Self::read(env)))))
    }

    fn read(env: &Env) -> Self {
        let keys = settings::text(env, "JWKS").map(|jwks| Self::from_jwks(&jwks)).unwrap_or_default();
        if keys.is_empty() {
            log::error("identity", "JWKS is missing or holds no Ed25519 key: nobody can sign in", None);
        }
        keys
    }

    /// The Ed25519 keys of a JWK set; keys of other kinds and keys without a `kid` are passed over.
    pub fn from_jwks(text: &str) -> Self {
        let Ok(set) = serde_json::from_str::<KeySet>(text) else {
            return Self::default();
        };
        Self(
            set.keys
                .into_iter()
                .filter_map(|jwk| {
                    let kid = kid_of(&jwk)?;
                    let jwk: JsonWebKey<'_> = serde_json::from_value(jwk).ok()?;
                    Some((kid, PublicKey::try_from(&jwk).ok()?))
                })
                .collect(),
        )
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of that id.
    pub(super) fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.iter().find(|(known, _)| known == kid).map(|(_, key)| key)
    }
}

impl core::fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kid, _)| kid)).finish()
    }
}

impl SigningKey {
    /// The private key of a JWK with `d` and `kid`.
    pub fn from_jwk(text: &str) -> Option<Self> {
        let jwk: serde_json::Value = serde_json::from_str(text).ok()?;
        let kid = kid_of(&jwk)?;
        let jwk: JsonWebKey<'_> = serde_json::from_value(jwk).ok()?;
        Some(Self { kid, key: SecretKey::try_from(&jwk).ok()? })
    }

    pub(super) fn sign<T: Serialize>(&self, claims: &Claims<T>) -> Option<String> {
        let header = Header::empty().with_key_id(self.kid.clone()).with_token_type("JWT");
        Ed25519.token(&header, claims, &self.key).ok()
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Verifies a token's signature with the key its header names.
pub(super) fn verified<T: DeserializeOwned>(
    keys: &VerifyingKeys,
    token: &jwt_compact::UntrustedToken<'_>,
) -> Option<Claims<T>> {
    let key = keys.get(token.header().key_id.as_deref()?)?;
    // The validator compares the header's algorithm with the key's: `none` and HMAC never reach a key.
    let token = Ed25519.validator::<T>(key).validate(token).ok()?;
    Some(token.into_parts().1)
}
