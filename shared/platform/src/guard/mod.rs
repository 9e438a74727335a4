//! Guessing, made slow. The rules are in `shared/domain/src/sign_in_guard`; `SignInGuard`, a Durable Object in `auth`, keeps
//! their counters.
//!
//! An account's object is named by the hash of its address, whether there is such an account or not: both take the same calls.
//! An address's object is named by the address itself.

mod network;
mod outgoing;
mod wire;

use base64ct::{Base64UrlUnpadded, Encoding};
use tollgate_domain::{secret_hash::SecretHash, sign_in_guard::Device};

pub use outgoing::{Asking, admit};
pub use wire::{GuardReply, GuardRequest};

use network::network;

use crate::{
    Code, Problem, Scope,
    http::{Reply, cookie},
    log, mailbox,
    meter::call_for,
    random,
};

/// The cookie that tells a device from a stranger's. It opens nothing: it says whose counter an attempt counts on.
const COOKIE: &str = "tollgate_device";

/// 400 days, the longest that browsers keep one.
const COOKIE_SECONDS: u32 = 400 * 86_400;

/// One account and one address that tries.
#[derive(Debug)]
pub struct Guard {
    account: String,
    address: Option<String>,
    /// What the request brought.
    brought: Option<[u8; 16]>,
    /// Whether an attempt was counted on the address.
    on_address: bool,
}

impl Guard {
    /// For a sign-in name as it was sent.
    pub fn of(scope: &Scope, name: &str) -> Self {
        let folded =
            mailbox::canonical(name).map_or_else(|_| name.trim().to_lowercase(), |email| email.as_str().to_owned());
        Self {
            account: SecretHash::of("sign_in_guard", folded.as_bytes()).to_string(),
            address: network(scope),
            brought: brought(scope),
            on_address: false,
        }
    }

    /// Whether a secret is to be looked at; it counts as a failure until [`Guard::succeeded`] says otherwise.
    ///
    /// # Errors
    /// 429 with the time to wait; 503 when a counter cannot be reached.
    pub async fn admit(&mut self, scope: &Scope) -> Result<(), Problem> {
        let account = format!("account/{}", self.account);
        if let Some(device) = self.brought.map(device_of) {
            match call(scope, &account, GuardRequest::Known(device)).await? {
                GuardReply::NotKnown => {}
                reply => return admitted(reply),
            }
        }
        self.admit_address(scope).await?;
        let reply = call(scope, &account, GuardRequest::Stranger).await?;
        if reply != GuardReply::Allow {
            self.give_back(scope);
        }
        admitted(reply)
    }

    /// The same where no account is known yet: counted on the address alone.
    ///
    /// # Errors
    /// As [`Guard::admit`].
    pub async fn admit_address(&mut self, scope: &Scope) -> Result<(), Problem> {
        if let Some(address) = &self.address {
            admitted(call(scope, &format!("address/{address}"), GuardRequest::Address).await?)?;
            self.on_address = true;
        }
        Ok(())
    }

    /// The attempt was no failure of the address.
    pub fn give_back(&mut self, scope: &Scope) {
        let Some(address) = self.address.as_ref().filter(|_| self.on_address) else { return };
        let (name, caller) = (format!("address/{address}"), scope.clone());
        self.on_address = false;
        scope.wait_until(async move {
            // What is lost is forgotten later.
            let _ = call(&caller, &name, GuardRequest::AddressGivenBack).await;
        });
    }

    /// The attempt was a success: the device is known from now on. Answers the cookie that tells it, where it is new.
    ///
    /// # Errors
    /// `internal` when there is no randomness.
    pub async fn succeeded(&mut self, scope: &Scope, reply: Reply) -> Result<Reply, Problem> {
        self.give_back(scope);
        let secret = match self.brought {
            Some(secret) => secret,
            None => random::bytes()?,
        };
        let request = GuardRequest::Succeeded { brought: self.brought.map(device_of), device: device_of(secret) };
        // Whoever signed in is signed in: a device that is not remembered is a stranger the next time.
        if call(scope, &format!("account/{}", self.account), request).await.is_err() {
            return Ok(reply);
        }
        if self.brought.is_some() {
            return Ok(reply);
        }
        let secure = if scope.settings().public_url.starts_with("http://") { "" } else { "; Secure" };
        let value = Base64UrlUnpadded::encode_string(&secret);
        let attributes = format!("Path=/auth; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict{secure}");
        Ok(reply.with("set-cookie", &format!("{COOKIE}={value}; {attributes}")))
    }
}

fn device_of(secret: [u8; 16]) -> Device {
    let hash = SecretHash::of("device", &secret).to_string();
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(hash.as_bytes().chunks_exact(2)) {
        *byte = core::str::from_utf8(digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok()).unwrap_or(0);
    }
    Device::new(bytes)
}

fn brought(scope: &Scope) -> Option<[u8; 16]> {
    parse_cookie(&scope.header("cookie")?)
}

fn parse_cookie(header: &str) -> Option<[u8; 16]> {
    let value = cookie(header, COOKIE)?;
    let mut secret = [0; 16];
    let length = Base64UrlUnpadded::decode(value, &mut secret).ok()?.len();
    (length == 16).then_some(secret)
}

async fn call(scope: &Scope, name: &str, request: GuardRequest) -> Result<GuardReply, Problem> {
    let unavailable = || Problem::dependency("sign-in guard");
    match call_for(scope, "SIGN_IN_GUARD", name, &request).await {
        Ok(GuardReply::Failed) => Err(unavailable()),
        Ok(reply) => Ok(reply),
        Err(error) => {
            log::error("guard", &format!("{error:?}"), Some(scope));
            Err(unavailable())
        }
    }
}

fn admitted(reply: GuardReply) -> Result<(), Problem> {
    let GuardReply::Wait(wait_ms) = reply else { return Ok(()) };
    let seconds = wait_ms.max(1).unsigned_abs().div_ceil(1000);
    Err(Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(
            Code::RateLimited,
            format!("There were too many attempts. Try again in {seconds} s; a password can be set anew by mail."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_in_one_spelling() {
        let value = Base64UrlUnpadded::encode_string(&[7; 16]);
        assert_eq!(parse_cookie(&format!("a=b; {COOKIE}={value}; c=d")), Some([7; 16]));
        for other in ["", "tollgate_device", "tollgate_device=", "tollgate_device=AAAA", &format!("x{COOKIE}={value}")]
        {
            assert_eq!(parse_cookie(other), None, "{other}");
        }
        assert_eq!(parse_cookie(&format!("{COOKIE}={value}A")), None);
    }
}
