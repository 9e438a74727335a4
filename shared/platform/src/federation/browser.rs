//! The cookie that ties a sign-in to the browser that began it: somebody else's callback address, opened in a victim's
//! browser, signs nobody in (login CSRF, RFC 9700, section 4.7).
//!
//! It is 256 random bits that open nothing. `Lax`, because the provider sends the browser back with a top-level GET from its
//! own site. Over https its name begins with `__Host-`: no other host of the domain can set it.

use base64ct::{Base64UrlUnpadded, Encoding};
use tollgate_api::Problem;
use tollgate_domain::{federation::FLOW_MS, secret_hash::SecretHash};

use crate::{
    Scope,
    http::{Reply, cookie},
    random,
};

const NAME: &str = "tollgate_flow";

/// A browser, as its cookie tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Browser([u8; 32]);

impl Browser {
    /// The browser that asks, if it began a sign-in before.
    pub fn of(scope: &Scope) -> Option<Self> {
        parse(&scope.header("cookie")?, &name(scope)).map(Self)
    }

    /// The same, or a new one.
    ///
    /// # Errors
    /// `internal` without randomness.
    pub fn of_or_new(scope: &Scope) -> Result<Self, Problem> {
        match Self::of(scope) {
            Some(browser) => Ok(browser),
            None => Ok(Self(random::bytes()?)),
        }
    }

    /// What is stored.
    pub fn hash(&self) -> String {
        SecretHash::of("sign_in_browser", &self.0).to_string()
    }

    /// Puts the cookie on an answer, for as long as a sign-in may take.
    pub fn remember(&self, scope: &Scope, reply: Reply) -> Reply {
        let secure = if is_secure(scope) { "; Secure" } else { "" };
        let (name, value) = (name(scope), Base64UrlUnpadded::encode_string(&self.0));
        let attributes = format!("Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", FLOW_MS / 1000);
        reply.with("set-cookie", &format!("{name}={value}; {attributes}"))
    }
}

impl core::fmt::Debug for Browser {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

fn is_secure(scope: &Scope) -> bool {
    !scope.settings().public_url.starts_with("http://")
}

fn name(scope: &Scope) -> String {
    format!("{}{NAME}", if is_secure(scope) { "__Host-" } else { "" })
}

fn parse(header: &str, name: &str) -> Option<[u8; 32]> {
    let value = cookie(header, name)?;
    let mut secret = [0; 32];
    let length = Base64UrlUnpadded::decode(value, &mut secret).ok()?.len();
    (length == 32).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_in_one_spelling() {
        let value = Base64UrlUnpadded::encode_string(&[7; 32]);
        assert_eq!(parse(&format!("a=b; {NAME}={value}"), NAME), Some([7; 32]));
        assert_eq!(parse(&format!("{NAME}={value}"), "__Host-tollgate_flow"), None);
        for other in ["", NAME, "tollgate_flow=AAAA", &format!("x{NAME}={value}"), &format!("{NAME}={value}A")] {
            assert_eq!(parse(other, NAME), None, "{other}");
        }
    }
}
