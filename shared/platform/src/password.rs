//! Passwords: argon2id, of the text in NFC: a letter may be typed in one part or in two, on one keyboard and another (NIST SP
//! 800-63B, section 3.1.1.2).

use crate::{Problem, log, mailbox, random};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};

/// 19 MiB, two passes, one lane: OWASP's recommendation for argon2id, about 45 ms here.
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

fn argon2id() -> Result<Argon2<'static>, Problem> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| {
        log::error("password", &error.to_string(), None);
        Problem::internal()
    })?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A PHC string for a new password.
///
/// # Errors
/// `internal` when there is no randomness.
pub fn hash(password: &str) -> Result<String, Problem> {
    let salt = SaltString::encode_b64(&random::bytes::<16>()?).map_err(|_| Problem::internal())?;
    let hashed = argon2id()?.hash_password(normalized(password).as_bytes(), &salt).map_err(|error| {
        log::error("password", &error.to_string(), None);
        Problem::internal()
    })?;
    Ok(hashed.to_string())
}

/// A password as it is hashed, counted and compared.
pub fn normalized(password: &str) -> String {
    mailbox::composed(password)
}

/// Whether a password is the one that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// It is not.
    No,
    /// It is.
    Yes,
    /// It is, as it was typed: it was stored before passwords were normalised, and is to be stored anew.
    AsTyped,
}

/// Whether the password is the one behind the PHC string, whatever parameters that has.
///
/// # Errors
/// `internal` when what is stored is no PHC string.
pub fn verify(password: &str, stored: &str) -> Result<bool, Problem> {
    Ok(look_at(password, stored)? != Verified::No)
}

/// The same, with how it is stored. A password that is its own normal form costs one hash, others two when they are wrong.
///
/// # Errors
/// `internal` when what is stored is no PHC string.
pub fn look_at(password: &str, stored: &str) -> Result<Verified, Problem> {
    let normal = normalized(password);
    if fits(&normal, stored)? {
        return Ok(Verified::Yes);
    }
    Ok(if normal != password && fits(password, stored)? { Verified::AsTyped } else { Verified::No })
}

fn fits(password: &str, stored: &str) -> Result<bool, Problem> {
    let Ok(stored) = PasswordHash::new(stored) else {
        log::error("password", "a stored hash is no PHC string", None);
        return Err(Problem::internal());
    };
    Ok(argon2id()?.verify_password(password.as_bytes(), &stored).is_ok())
}

/// Whether a PHC string is weaker than a new one would be: another algorithm, another version, less memory or fewer passes.
pub fn is_outdated(stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    let Ok(params) = Params::try_from(&stored) else { return true };
    stored.algorithm != Algorithm::Argon2id.ident()
        || stored.version != Some(Version::V0x13.into())
        || params.m_cost() < MEMORY_KIB
        || params.t_cost() < PASSES
        || stored.hash.is_none_or(|hash| hash.len() < Params::DEFAULT_OUTPUT_LEN)
}

/// Takes as long as [`verify`], for an account that is not there: the time of an answer must not tell.
///
/// # Errors
/// None that depends on the password.
pub fn verify_nobody(password: &str) -> Result<(), Problem> {
    verify(password, NOBODY).map(drop)
}

/// A hash with our parameters of a password that nobody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$\
     mB3kPzQ0h0WQ3pQyXz0o6m0m3uTj3q0yJv2nQvV9h3M";

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_with(password: &str, salt: &[u8]) -> String {
        let salt = SaltString::encode_b64(salt).unwrap();
        argon2id().unwrap().hash_password(password.as_bytes(), &salt).unwrap().to_string()
    }

    #[test]
    fn a_password_is_verified_against_its_own_hash_only() {
        let stored = hash_with("a long and private sentence", b"0123456789abcdef");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify("a long and private sentence", &stored), Ok(true));
        assert_eq!(verify("a long and private sentencf", &stored), Ok(false));
        assert_ne!(stored, hash_with("a long and private sentence", b"fedcba9876543210"));
    }

    #[test]
    fn an_older_hash_is_verified_with_its_own_parameters_and_is_outdated() {
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let hashed = |algorithm, version, memory, passes| {
            let params = Params::new(memory, passes, 1, None).unwrap();
            Argon2::new(algorithm, version, params).hash_password(b"a password", &salt).unwrap().to_string()
        };
        let (id, now) = (Algorithm::Argon2id, Version::V0x13);
        for (stored, outdated) in [
            (hashed(id, now, MEMORY_KIB, PASSES), false),
            (hashed(id, now, MEMORY_KIB * 2, PASSES), false),
            (hashed(id, now, 4_096, PASSES), true),
            (hashed(id, now, MEMORY_KIB, 1), true),
            (hashed(Algorithm::Argon2i, now, MEMORY_KIB, PASSES), true),
            (hashed(id, Version::V0x10, MEMORY_KIB, PASSES), true),
        ] {
            assert_eq!(verify("a password", &stored), Ok(true), "{stored}");
            assert_eq!(verify("another", &stored), Ok(false), "{stored}");
            assert_eq!(is_outdated(&stored), outdated, "{stored}");
        }
        assert!(!is_outdated("!"), "no password at all is none to make anew");
    }

    #[test]
    fn nobody_s_hash_is_as_dear_as_anybody_s() {
        assert_eq!(verify_nobody("anything"), Ok(()));
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash_with("x", b"0123456789abcdef");
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!((nobody.algorithm, nobody.params), (somebody.algorithm, somebody.params));
    }
}
