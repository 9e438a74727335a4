//! Randomness, from the runtime's cryptographic source.

use tollgate_api::Problem;
use tollgate_domain::id::Entropy;

/// That many random bytes.
///
/// # Errors
/// `internal` when the runtime has none; never a weaker source.
pub fn bytes<const N: usize>() -> Result<[u8; N], Problem> {
    let mut buffer = [0; N];
    getrandom::fill(&mut buffer).map_err(|error| {
        crate::log::error("random", &format!("no randomness: {error}"), None);
        Problem::internal()
    })?;
    Ok(buffer)
}

/// Random bytes for a new identifier.
pub fn entropy() -> Result<Entropy, Problem> {
    bytes()
}

/// A name that nobody else has: 128 random bits in hexadecimal digits, after a prefix.
///
/// # Errors
/// When the runtime gives no random bytes.
pub fn name(prefix: &str) -> Result<String, Problem> {
    Ok(format!("{prefix}-{:032x}", u128::from_be_bytes(bytes()?)))
}
