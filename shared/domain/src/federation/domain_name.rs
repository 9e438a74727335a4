//! Domains of a team: what proves one, and which nobody can have for themselves.

use core::fmt;

use serde::Deserialize;

use crate::account::Email;

/// A domain whose addresses a team vouches for: in lower case, exactly this one and none below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamDomain(String);

/// Why a text is no such domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDomain {
    /// It has another shape.
    #[error("must be a domain, as it stands behind the @ of its addresses")]
    Shape,
    /// Anybody gets an address there.
    #[error("is a domain where anybody gets an address")]
    Public,
}

/// Where anybody gets an address: the large ones. That somebody proves one of them is unlikely; that they try is not.
const PUBLIC: &[&str] = &[
    "163.com",
    "126.com",
    "aol.com",
    "duck.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "tuta.com",
    "tutanota.com",
    "web.de",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

impl TeamDomain {
    /// Reads a domain; names with other letters are written in ASCII (`xn--…`).
    ///
    /// # Errors
    /// [`InvalidDomain`].
    pub fn parse(text: &str) -> Result<Self, InvalidDomain> {
        let domain = text.trim().to_ascii_lowercase();
        // What is an address with something before it is a domain: the rules are the same.
        let is_sound = domain.len() <= 200 && domain.is_ascii() && Email::parse(&format!("x@{domain}")).is_ok();
        let is_name = domain.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
        if !is_sound || !is_name || domain.contains('@') {
            return Err(InvalidDomain::Shape);
        }
        if PUBLIC.contains(&domain.as_str()) { Err(InvalidDomain::Public) } else { Ok(Self(domain)) }
    }

    /// The domain of an address, if it can be a team's.
    pub fn of(email: &Email) -> Option<Self> {
        Self::parse(email.as_str().rsplit_once('@')?.1).ok()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the TXT record that proves it.
    pub fn record_name(&self) -> String {
        format!("_tollgate-challenge.{}", self.0)
    }
}

impl fmt::Display for TeamDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands in the TXT record.
pub fn record_value(token: &str) -> String {
    format!("tollgate-domain-verification={token}")
}

/// The type of TXT records (RFC 1035, section 3.2.2).
const TXT: u16 = 16;

#[derive(Deserialize)]
struct Answers {
    #[serde(rename = "Status")]
    status: u16,
    #[serde(rename = "Answer", default)]
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: u16,
    data: String,
}

/// Whether an answer of DNS over HTTPS in JSON holds the record. `None` when it is no such answer, or the name servers did not
/// give one; that there is no such name is one.
/// <https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/>
pub fn proves(json: &[u8], token: &str) -> Option<bool> {
    const NOERROR: u16 = 0;
    const NXDOMAIN: u16 = 3;
    let answers: Answers = serde_json::from_slice(json).ok()?;
    let wanted = record_value(token);
    match answers.status {
        NXDOMAIN => Some(false),
        NOERROR => Some(answers.answers.iter().any(|answer| answer.kind == TXT && text_of(&answer.data) == wanted)),
        _ => None,
    }
}

/// The text of a record: in quotes, in several pieces where it is long.
fn text_of(data: &str) -> String {
    if !data.contains('"') {
        return data.to_owned();
    }
    data.split('"').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_domain_is_one_that_a_team_can_have() {
        assert_eq!(TeamDomain::parse(" Example.COM ").unwrap().as_str(), "example.com");
        assert!(TeamDomain::parse("xn--bcher-kva.example").is_ok());
        for other in
            ["", "example", "a@b.example", "bücher.example", "-a.example", "a..b", "127.0.0.1", "a.example.", "a b.c"]
        {
            assert_eq!(TeamDomain::parse(other), Err(InvalidDomain::Shape), "{other}");
        }
        for public in ["gmail.com", "GMail.com", "outlook.com", "web.de"] {
            assert_eq!(TeamDomain::parse(public), Err(InvalidDomain::Public), "{public}");
        }
    }

    #[test]
    fn an_address_is_of_its_domain_and_not_of_one_above() {
        let of = |email: &str| TeamDomain::of(&Email::parse(email).unwrap()).map(|domain| domain.to_string());
        assert_eq!(of("Ada@Sub.Example.com").as_deref(), Some("sub.example.com"));
        assert_eq!(of("ada@gmail.com"), None);
    }

    #[test]
    fn the_record_proves_and_nothing_else() {
        let answer = |status: u16, kind: u16, data: &str| {
            serde_json::json!({"Status": status, "Answer": [{"name": "x", "type": kind, "TTL": 1, "data": data}]})
                .to_string()
        };
        let proven = |json: String| proves(json.as_bytes(), "abc");
        assert_eq!(proven(answer(0, 16, "\"tollgate-domain-verification=abc\"")), Some(true));
        assert_eq!(proven(answer(0, 16, "\"tollgate-domain-\" \"verification=abc\"")), Some(true));
        assert_eq!(proven(answer(0, 16, "tollgate-domain-verification=abc")), Some(true));
        assert_eq!(proven(answer(0, 16, "\"tollgate-domain-verification=abcd\"")), Some(false));
        assert_eq!(proven(answer(0, 5, "\"tollgate-domain-verification=abc\"")), Some(false));
        assert_eq!(proven(answer(3, 16, "\"tollgate-domain-verification=abc\"")), Some(false));
        assert_eq!(proven("{\"Status\":0}".into()), Some(false));
        assert_eq!(proven(answer(2, 16, "\"tollgate-domain-verification=abc\"")), None);
        assert_eq!(proven("no JSON".into()), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = TeamDomain::parse(&text);
            let _ = text_of(&text);
        }
    }
}
