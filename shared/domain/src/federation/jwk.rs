//! A provider's public keys (RFC 7517), and which of them may verify a token.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The signatures that are taken. `none` and those with a shared secret (`HS256` and so on) have no place here: a token cannot
/// choose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name in a token's header.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    const fn kty(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Ps256 => "RSA",
            Self::Es256 => "EC",
            Self::EdDsa => "OKP",
        }
    }

    /// The members of a key that say what it is; the rest is the provider's business.
    const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Rs256 | Self::Ps256 => &["kty", "n", "e"],
            Self::Es256 => &["kty", "crv", "x", "y"],
            Self::EdDsa => &["kty", "crv", "x"],
        }
    }
}

/// The fewest bytes of an RSA modulus: 2048 bits (RFC 7518, section 3.3).
const RSA_BYTES: usize = 256;

/// A provider's keys.
#[derive(Debug, Clone, Deserialize)]
pub struct KeySet {
    keys: Vec<Map<String, Value>>,
}

/// Why no key verifies a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedKey {
    /// None fits: perhaps the keys were changed, and are to be fetched anew.
    #[error("no key of the provider fits")]
    Unknown,
    /// The token names none, and several fit.
    #[error("the token does not say which key signed it")]
    Ambiguous,
}

impl KeySet {
    /// Reads the document.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The public key for a token's header, cut down to the members that make it: private parts, uses and certificates are
    /// left out.
    ///
    /// # Errors
    /// [`RefusedKey`].
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Map<String, Value>, RefusedKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| kid.is_none_or(|kid| text(key, "kid") == Some(kid)))
            .filter_map(|key| usable(key, algorithm));
        let first = fitting.next().ok_or(RefusedKey::Unknown)?;
        if fitting.next().is_some() { Err(RefusedKey::Ambiguous) } else { Ok(first) }
    }
}

fn text<'a>(key: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    key.get(member)?.as_str()
}

fn usable(key: &Map<String, Value>, algorithm: Algorithm) -> Option<Map<String, Value>> {
    let says = |member, wanted: &[&str]| text(key, member).is_none_or(|said| wanted.contains(&said));
    let named = text(key, "alg").is_none_or(|name| Algorithm::parse(name) == Some(algorithm));
    let curve = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let modulus = Base64UrlUnpadded::decode_vec(text(key, "n")?).ok()?;
            modulus.iter().skip_while(|byte| **byte == 0).count() >= RSA_BYTES
        }
        Algorithm::Es256 => text(key, "crv") == Some("P-256"),
        Algorithm::EdDsa => text(key, "crv") == Some("Ed25519"),
    };
    let fits = text(key, "kty") == Some(algorithm.kty()) && says("use", &["sig"]) && named && curve;
    fits.then(|| {
        let member = |name: &&str| Some(((*name).to_owned(), key.get(*name)?.clone()));
        algorithm.members().iter().filter_map(member).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(keys: &Value) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn rsa(kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "use": "sig", "n": Base64UrlUnpadded::encode_string(&[200; 256]), "e": "AQAB"})
    }

    #[test]
    fn a_key_is_found_by_its_name_and_its_kind() {
        let keys =
            set(&json!([rsa("a"), rsa("b"), {"kty": "EC", "crv": "P-256", "kid": "c", "x": "x", "y": "y", "d": "d"}]));
        assert!(keys.find(Some("a"), Algorithm::Rs256).is_ok());
        assert_eq!(keys.find(Some("z"), Algorithm::Rs256), Err(RefusedKey::Unknown));
        assert_eq!(keys.find(Some("a"), Algorithm::Es256), Err(RefusedKey::Unknown));
        assert_eq!(keys.find(None, Algorithm::Rs256), Err(RefusedKey::Ambiguous));
        let key = keys.find(None, Algorithm::Es256).unwrap();
        assert_eq!(key.keys().collect::<Vec<_>>(), ["crv", "kty", "x", "y"], "no private part");
    }

    #[test]
    fn keys_for_other_uses_and_short_ones_verify_nothing() {
        let mut encrypting = rsa("a");
        encrypting["use"] = json!("enc");
        let mut short = rsa("b");
        short["n"] = json!(Base64UrlUnpadded::encode_string(&[200; 128]));
        let mut other = rsa("c");
        other["alg"] = json!("PS256");
        let keys = set(&json!([encrypting, short, other, {"kty": "oct", "k": "AAAA", "kid": "d"}]));
        for kid in ["a", "b", "c", "d"] {
            assert_eq!(keys.find(Some(kid), Algorithm::Rs256), Err(RefusedKey::Unknown), "{kid}");
        }
        assert!(keys.find(Some("c"), Algorithm::Ps256).is_ok());
    }

    #[test]
    fn what_is_not_signed_with_a_public_key_has_no_algorithm() {
        for name in ["none", "None", "HS256", "HS512", "RS1", "", "rs256"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
