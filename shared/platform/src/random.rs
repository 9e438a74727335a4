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
