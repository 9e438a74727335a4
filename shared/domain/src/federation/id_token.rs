//! ID tokens: read, and believed only when everything fits (`OpenID` Connect Core 1.0, section 3.1.3.7).

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::Value;

use super::jwk::Algorithm;
use crate::{account::Email, time::Timestamp};

/// How far two clocks may differ: a minute.
const SKEW_SECONDS: i64 = 60;

/// The longest token that is read.
const MAX_BYTES: usize = 16 * 1024;

/// A token whose signature was not looked at yet.
#[derive(Debug, Clone)]
pub struct IdToken<'a> {
    /// How it says it is signed: one of those that are taken.
    pub algorithm: Algorithm,
    /// Which key it says.
    pub kid: Option<String>,
    /// What is signed.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    payload: Vec<u8>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedToken {
    /// It is no signed token.
    #[error("the ID token cannot be read")]
    Malformed,
    /// It is not signed, or with a shared secret.
    #[error("the ID token is not signed in a way that is taken")]
    Algorithm,
    /// Another issuer made it.
    #[error("the ID token is another issuer's")]
    Issuer,
    /// It is for another client.
    #[error("the ID token is for another client")]
    Audience,
    /// Its time is over, has not come, or is not said.
    #[error("the ID token has expired or is not good yet")]
    Time,
    /// It belongs to another sign-in.
    #[error("the ID token belongs to another sign-in")]
    Nonce,
    /// It does not say whom it is about.
    #[error("the ID token names nobody")]
    Subject,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// What a sound token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer that was asked.
    pub issuer: &'a str,
    /// Who we are there.
    pub client_id: &'a str,
    /// What was sent along.
    pub nonce: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// What is believed of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who, at this issuer, for good.
    pub subject: String,
    /// The address, where the token has one that is one.
    pub email: Option<Email>,
    /// Whether the issuer says that the address is theirs; `None` where it says nothing of it.
    pub email_verified: Option<bool>,
    /// How to address the person.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    iss: Option<String>,
    aud: Option<Value>,
    azp: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    nonce: Option<String>,
    #[serde(flatten)]
    person: Person,
}

/// The members about the person; `userinfo` answers the same.
#[derive(Deserialize)]
struct Person {
    sub: Option<String>,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
}

impl<'a> IdToken<'a> {
    /// Reads the compact form (RFC 7515, section 3.1).
    ///
    /// # Errors
    /// `Malformed`, or `Algorithm` for one that no public key signed.
    pub fn parse(text: &'a str) -> Result<Self, RefusedToken> {
        if text.len() > MAX_BYTES {
            return Err(RefusedToken::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(RefusedToken::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(RefusedToken::Malformed)?;
        let decode = |part| Base64UrlUnpadded::decode_vec(part).map_err(|_| RefusedToken::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| RefusedToken::Malformed)?;
        let algorithm = Algorithm::parse(&header.alg).ok_or(RefusedToken::Algorithm)?;
        // What is critical and not understood makes a token unreadable (RFC 7515, section 4.1.11): nothing of it is.
        if header.crit.is_some() {
            return Err(RefusedToken::Malformed);
        }
        Ok(Self { algorithm, kid: header.kid, signed, signature: decode(signature)?, payload: decode(payload)? })
    }

    /// What it says, once its signature was found good.
    ///
    /// # Errors
    /// What does not fit.
    pub fn claims(&self, expected: &Expected<'_>) -> Result<Claims, RefusedToken> {
        let payload: Payload = serde_json::from_slice(&self.payload).map_err(|_| RefusedToken::Malformed)?;
        if payload.iss.as_deref() != Some(expected.issuer) {
            return Err(RefusedToken::Issuer);
        }
        if !is_for(&payload, expected.client_id) {
            return Err(RefusedToken::Audience);
        }
        if !is_timely(&payload, expected.now) {
            return Err(RefusedToken::Time);
        }
        if payload.nonce.as_deref() != Some(expected.nonce) {
            return Err(RefusedToken::Nonce);
        }
        payload.person.believed().ok_or(RefusedToken::Subject)
    }
}

fn is_for(payload: &Payload, client_id: &str) -> bool {
    let (named, alone) = match &payload.aud {
        Some(Value::String(one)) => (one == client_id, true),
        Some(Value::Array(many)) => (many.iter().any(|one| one.as_str() == Some(client_id)), many.len() == 1),
        _ => (false, false),
    };
    named && payload.azp.as_deref().map_or(alone, |party| party == client_id)
}

fn is_timely(payload: &Payload, now: Timestamp) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "seconds are below 2^53")]
    let (now, skew) = ((now.as_millis() / 1000) as f64, SKEW_SECONDS as f64);
    let (Some(exp), Some(iat)) = (payload.exp, payload.iat) else { return false };
    now < exp + skew && iat <= now + skew && payload.nbf.is_none_or(|nbf| nbf <= now + skew)
}

impl Person {
    fn believed(self) -> Option<Claims> {
        let subject = self.sub.filter(|sub| !sub.is_empty() && sub.len() <= 255)?;
        let email_verified = match &self.email_verified {
            None | Some(Value::Null) => None,
            // Some providers write it as a text.
            Some(value) => Some(*value == Value::Bool(true) || *value == Value::String("true".to_owned())),
        };
        let name = self.name.map(|name| name.trim().chars().filter(|c| !c.is_control()).take(200).collect::<String>());
        Some(Claims {
            subject,
            email: self.email.and_then(|email| Email::parse(&email).ok()),
            email_verified,
            name: name.filter(|name| !name.is_empty()),
        })
    }
}

/// What a userinfo answer says about the subject of a token (section 5.3.2: about anybody else it says nothing).
pub fn from_userinfo(json: &[u8], subject: &str) -> Option<Claims> {
    let person: Person = serde_json::from_slice(json).ok()?;
    person.believed().filter(|claims| claims.subject == subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const EXPECTED: Expected<'_> = Expected { issuer: "https://a.example", client_id: "us", nonce: "n", now: NOW };

    fn token(header: &Value, payload: &Value) -> String {
        let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        format!("{}.{}.{}", part(header), part(payload), Base64UrlUnpadded::encode_string(b"signature"))
    }

    fn sound() -> Value {
        json!({"iss": "https://a.example", "aud": "us", "sub": "1", "nonce": "n", "iat": 1_700_000_000, "exp": 1_700_000_300,
            "email": "Ada@Example.com", "email_verified": true, "name": "Ada"})
    }

    fn claims(payload: &Value) -> Result<Claims, RefusedToken> {
        IdToken::parse(&token(&json!({"alg": "RS256", "kid": "k"}), payload)).unwrap().claims(&EXPECTED)
    }

    fn with(member: &str, value: Value) -> Result<Claims, RefusedToken> {
        let mut payload = sound();
        payload[member] = value;
        claims(&payload)
    }

    #[test]
    fn a_sound_token_is_believed() {
        let claims = claims(&sound()).unwrap();
        assert_eq!(claims.subject, "1");
        assert_eq!(claims.email.unwrap().as_str(), "ada@example.com");
        assert_eq!(claims.email_verified, Some(true));
        assert_eq!(claims.name.as_deref(), Some("Ada"));
        assert!(with("aud", json!(["us"])).is_ok());
    }

    #[test]
    fn every_claim_that_does_not_fit_is_refused() {
        for (member, value, why) in [
            ("iss", json!("https://a.example/"), RefusedToken::Issuer),
            ("iss", json!(null), RefusedToken::Issuer),
            ("aud", json!("them"), RefusedToken::Audience),
            ("aud", json!(["them"]), RefusedToken::Audience),
            ("aud", json!(["us", "them"]), RefusedToken::Audience),
            ("aud", json!(null), RefusedToken::Audience),
            ("azp", json!("them"), RefusedToken::Audience),
            ("exp", json!(1_699_999_940), RefusedToken::Time),
            ("exp", json!(null), RefusedToken::Time),
            ("iat", json!(1_700_000_061), RefusedToken::Time),
            ("iat", json!(null), RefusedToken::Time),
            ("nbf", json!(1_700_000_061), RefusedToken::Time),
            ("nonce", json!("m"), RefusedToken::Nonce),
            ("nonce", json!(null), RefusedToken::Nonce),
            ("sub", json!(""), RefusedToken::Subject),
            ("sub", json!(null), RefusedToken::Subject),
            ("sub", json!("x".repeat(256)), RefusedToken::Subject),
            ("sub", json!(7), RefusedToken::Malformed),
        ] {
            assert_eq!(with(member, value.clone()), Err(why), "{member} {value}");
        }
    }

    #[test]
    fn several_audiences_need_a_party_and_clocks_may_differ_a_little() {
        let mut payload = sound();
        payload["aud"] = json!(["us", "them"]);
        payload["azp"] = json!("us");
        assert!(claims(&payload).is_ok());
        assert!(with("exp", json!(1_699_999_941)).is_ok());
        assert!(with("iat", json!(1_700_000_060)).is_ok());
    }

    #[test]
    fn an_address_is_verified_when_it_is_said_to_be() {
        for (value, verified) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(false), Some(false)),
            (json!("1"), Some(false)),
            (json!(1), Some(false)),
            (json!(null), None),
        ] {
            assert_eq!(with("email_verified", value.clone()).unwrap().email_verified, verified, "{value}");
        }
        assert_eq!(with("email", json!("no address")).unwrap().email, None);
    }

    #[test]
    fn what_no_public_key_signed_is_not_even_read() {
        for alg in ["none", "NONE", "HS256", "HS384", "RS384"] {
            let text = token(&json!({ "alg": alg }), &sound());
            assert_eq!(IdToken::parse(&text).unwrap_err(), RefusedToken::Algorithm, "{alg}");
        }
        let critical = token(&json!({"alg": "RS256", "crit": ["exp"]}), &sound());
        assert_eq!(IdToken::parse(&critical).unwrap_err(), RefusedToken::Malformed);
    }

    #[test]
    fn userinfo_speaks_of_the_same_person_or_of_nobody() {
        let answer = json!({"sub": "1", "email": "a@example.com", "email_verified": true}).to_string();
        assert!(from_userinfo(answer.as_bytes(), "1").is_some());
        assert_eq!(from_userinfo(answer.as_bytes(), "2"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,40}", 3)) {
            let _ = IdToken::parse(&text);
            let _ = IdToken::parse(&parts.join("."));
        }
    }
}
