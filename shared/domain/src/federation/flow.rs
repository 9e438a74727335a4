//! A sign-in on its way: what is remembered between the start and the callback, and when the callback is refused.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// How long a sign-in may take at the provider: ten minutes.
pub const FLOW_MS: i64 = 10 * 60 * 1000;

/// How long the code is good that is handed to a page: a minute.
pub const SIGN_IN_CODE_MS: i64 = 60 * 1000;

/// What a callback is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow<'a> {
    /// The issuer that the browser was sent to.
    pub issuer: &'a str,
    /// Whether that issuer says that it names itself in every answer (RFC 9207, section 2.3).
    pub names_itself: bool,
}

/// What the provider's answer brought in its query, beside the state that led to the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Callback<'a> {
    /// The authorization code.
    pub code: Option<&'a str>,
    /// Who answers (RFC 9207).
    pub iss: Option<&'a str>,
    /// Why there is no code.
    pub error: Option<&'a str>,
}

/// Why a callback leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedCallback {
    /// Another issuer answers than was asked, or one that should name itself does not: a mix-up.
    #[error("another provider answered than the one that was asked")]
    OtherIssuer,
    /// The provider said no.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// Neither a code nor an error.
    #[error("the provider sent no code")]
    NoCode,
}

impl Flow<'_> {
    /// The authorization code, if the answer is from whom it should be from.
    ///
    /// # Errors
    /// The refusal. The issuer is looked at first: nothing of an answer from elsewhere counts, not even its error.
    pub fn check<'c>(&self, callback: &Callback<'c>) -> Result<&'c str, RefusedCallback> {
        match callback.iss {
            Some(iss) if iss != self.issuer => return Err(RefusedCallback::OtherIssuer),
            None if self.names_itself => return Err(RefusedCallback::OtherIssuer),
            _ => {}
        }
        if let Some(error) = callback.error {
            return Err(RefusedCallback::Refused(plain(error)));
        }
        callback.code.filter(|code| !code.is_empty() && code.len() <= 4096).ok_or(RefusedCallback::NoCode)
    }
}

/// An error code of RFC 6749, section 4.1.2.1; anything else is somebody's text and is not repeated.
fn plain(error: &str) -> String {
    let sound = !error.is_empty() && error.len() <= 60 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if sound { error.to_owned() } else { "an error without a name".to_owned() }
}

/// The PKCE challenge of a verifier, method S256 (RFC 7636, section 4.2).
pub fn challenge(verifier: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()))
}

/// Where a browser may be sent after a sign-in: an address of the platform's own origin, or, where `local` says so, of this
/// machine. Answers it when it is sound.
///
/// Compared is the text before the path: what a browser would take for another host (`//`, `\`, `@`) never begins like the
/// origin does.
pub fn return_to<'a>(wanted: &'a str, public_url: &str, local: bool) -> Option<&'a str> {
    let printable = wanted.len() <= 2000 && wanted.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if !printable {
        return None;
    }
    let (origin, rest) = split(wanted)?;
    let own = split(public_url).is_some_and(|(own, _)| own == origin);
    let machine = local && {
        let host = origin.strip_prefix("http://").unwrap_or_default();
        let (name, port) = host.split_once(':').unwrap_or((host, "80"));
        matches!(name, "localhost" | "127.0.0.1") && port.parse::<u16>().is_ok()
    };
    // The code is appended to it: a fragment would swallow it.
    ((own || machine) && !rest.contains('#')).then_some(wanted)
}

/// Scheme and authority, and the rest.
fn split(url: &str) -> Option<(&str, &str)> {
    let after = url.find("://")? + 3;
    let end = url.get(after..)?.find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    (end > after).then(|| url.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FLOW: Flow<'_> = Flow { issuer: "https://a.example", names_itself: false };
    const STRICT: Flow<'_> = Flow { names_itself: true, ..FLOW };

    #[test]
    fn a_code_is_taken_from_the_issuer_that_was_asked() {
        let plain = Callback { code: Some("c"), ..Callback::default() };
        let named = Callback { iss: Some("https://a.example"), ..plain };
        assert_eq!(FLOW.check(&plain), Ok("c"));
        assert_eq!(FLOW.check(&named), Ok("c"));
        assert_eq!(STRICT.check(&named), Ok("c"));
    }

    #[test]
    fn a_mix_up_is_refused_before_anything_else_is_believed() {
        let plain = Callback { code: Some("c"), ..Callback::default() };
        assert_eq!(STRICT.check(&plain), Err(RefusedCallback::OtherIssuer));
        for iss in ["https://b.example", "https://a.example/", "HTTPS://a.example", ""] {
            for error in [None, Some("access_denied")] {
                let mixed = Callback { iss: Some(iss), error, ..plain };
                assert_eq!(FLOW.check(&mixed), Err(RefusedCallback::OtherIssuer), "{iss}");
            }
        }
    }

    #[test]
    fn an_error_is_named_and_no_text_of_others_is_repeated() {
        let error = |error| FLOW.check(&Callback { code: Some("c"), error: Some(error), iss: None });
        assert_eq!(error("access_denied"), Err(RefusedCallback::Refused("access_denied".into())));
        for foreign in ["<script>", "Call 0800", "", &"a".repeat(100)] {
            assert_eq!(error(foreign), Err(RefusedCallback::Refused("an error without a name".into())));
        }
        assert_eq!(FLOW.check(&Callback::default()), Err(RefusedCallback::NoCode));
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_browser_is_sent_home_and_nowhere_else() {
        let to = |wanted, local| return_to(wanted, "https://api.example.com", local).is_some();
        for own in ["https://api.example.com", "https://api.example.com/", "https://api.example.com/a?b=c"] {
            assert!(to(own, false), "{own}");
        }
        for other in [
            "https://api.example.com.evil.example/",
            "https://api.example.com@evil.example/",
            "https://api.example.com:444/",
            "http://api.example.com/",
            "https://api.example.com\\@evil.example/",
            "https:\\\\evil.example",
            "//evil.example",
            "/relative",
            "javascript:alert(1)",
            "https://api.example.com/#x",
            "https://api.example.com/ x",
            "http://localhost:3000/",
            "",
        ] {
            assert!(!to(other, false), "{other}");
        }
        assert!(to("http://localhost:3000/in", true) && to("http://127.0.0.1/in", true));
        for other in ["http://localhost.evil.example/", "http://localhost:1@evil.example/", "http://127.0.0.1.evil/"] {
            assert!(!to(other, true), "{other}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_home_is_ever_answered(text in "\\PC{0,60}", local: bool) {
            if let Some(sent) = return_to(&text, "https://api.example.com", local) {
                let home = sent == "https://api.example.com" || sent.starts_with("https://api.example.com/")
                    || sent.starts_with("https://api.example.com?");
                prop_assert!(home || local);
            }
        }
    }
}
