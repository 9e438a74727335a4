//! Addresses of providers: which are fetched from.
//!
//! An issuer that a tenant names is an address that the platform then calls. It is https, names a host of the internet and
//! has no credentials in it; so are the endpoints that its discovery document names. Redirects are followed nowhere.

use core::{fmt, net::IpAddr};

/// How far an address may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Hosts of the internet, over https.
    Internet,
    /// Also this machine and plain http: in the local environment.
    Anywhere,
}

/// An issuer identifier (`OpenID` Connect Discovery 1.0, section 2): compared character by character, never normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

/// Why a text is no issuer that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an https address of a host on the internet, without a query, a fragment or credentials")]
pub struct InvalidIssuer;

impl Issuer {
    /// Reads an issuer.
    ///
    /// # Errors
    /// [`InvalidIssuer`].
    pub fn parse(text: &str, reach: Reach) -> Result<Self, InvalidIssuer> {
        if is_sound_endpoint(text, reach) && !text.contains(['?', '#']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIssuer)
        }
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its discovery document is (section 4.1: a slash at its end goes first).
    pub fn discovery_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.0.trim_end_matches('/'))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an address is one that the platform calls.
pub fn is_sound_endpoint(url: &str, reach: Reach) -> bool {
    let printable = url.len() <= 1000 && url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'@'));
    let rest = match reach {
        Reach::Internet => url.strip_prefix("https://"),
        Reach::Anywhere => url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")),
    };
    let (Some(rest), true) = (rest, printable) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if reach == Reach::Anywhere {
        return !authority.is_empty();
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let labels_are_sound = host.split('.').count() >= 2
        && host.split('.').all(|label| {
            !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
    // `10.0.0.1`, but also `0x7f.1`: what ends in a number is an address to a browser (WHATWG URL, section 3.5).
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_name = last.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') && host.parse::<IpAddr>().is_err();
    let is_inside = ["localhost", "local", "internal", "home.arpa", "lan", "test", "invalid"]
        .iter()
        .any(|zone| host.eq_ignore_ascii_case(zone) || ends_with_zone(host, zone));
    labels_are_sound && is_name && !is_inside && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn ends_with_zone(host: &str, zone: &str) -> bool {
    let Some(at) = host.len().checked_sub(zone.len() + 1) else { return false };
    host.as_bytes().get(at) == Some(&b'.') && host.get(at + 1..).is_some_and(|end| end.eq_ignore_ascii_case(zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_issuer_is_a_host_of_the_internet_over_https() {
        for sound in ["https://accounts.google.com", "https://login.example.com/tenant/v2.0", "https://a.example:8443"]
        {
            assert!(Issuer::parse(sound, Reach::Internet).is_ok(), "{sound}");
        }
        for other in [
            "http://accounts.google.com",
            "https://localhost",
            "https://x.localhost/",
            "https://metadata.google.internal",
            "https://127.0.0.1",
            "https://169.254.169.254/latest",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://user@a.example",
            "https://a.example?x",
            "https://a.example#x",
            "https://a.example\\@b",
            "https://a.example:0",
            "https://a.example:http",
            "https://intranet",
            "https://",
            "https://a..b",
            "ftp://a.example",
            "",
        ] {
            assert_eq!(Issuer::parse(other, Reach::Internet), Err(InvalidIssuer), "{other}");
        }
    }

    #[test]
    fn on_a_developer_s_machine_it_may_be_this_machine() {
        assert!(Issuer::parse("http://127.0.0.1:9100", Reach::Anywhere).is_ok());
        assert!(Issuer::parse("file:///etc/passwd", Reach::Anywhere).is_err());
        assert!(Issuer::parse("http://a@127.0.0.1", Reach::Anywhere).is_err());
    }

    #[test]
    fn discovery_is_below_the_issuer() {
        for (issuer, url) in [
            ("https://a.example", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/t/", "https://a.example/t/.well-known/openid-configuration"),
        ] {
            assert_eq!(Issuer::parse(issuer, Reach::Internet).unwrap().discovery_url(), url);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(https?://)?\\PC{0,80}") {
            let _ = is_sound_endpoint(&text, Reach::Internet);
            let _ = is_sound_endpoint(&text, Reach::Anywhere);
        }
    }
}
