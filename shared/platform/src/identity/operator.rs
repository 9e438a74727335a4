//! Who runs this installation: the extractor for what no tenant may see.

use axum::extract::FromRequestParts;
use http::request::Parts;
use sha2::{Digest, Sha256};
use tollgate_api::{Code, Problem};

use crate::{Scope, settings};

/// The shortest token that counts: a short one can be guessed, and counts as none.
const MIN_CHARS: usize = 24;

/// Whoever sent `Authorization: Bearer <OPERATOR_TOKEN>`. Where the setting is missing, or shorter than 24 characters, there
/// is nothing here: 404.
#[derive(Debug, Clone, Copy)]
pub struct Operator(());

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let scope = parts.extensions.get::<Scope>().ok_or_else(Problem::internal)?;
        let wanted = settings::text(scope.env(), "OPERATOR_TOKEN").filter(|token| token.len() >= MIN_CHARS);
        let wanted = wanted.ok_or_else(|| Problem::not_found("address"))?;
        let header = scope.header("authorization").unwrap_or_default();
        let sent = header.strip_prefix("Bearer ").unwrap_or_default();
        if is_same(sent, &wanted) {
            return Ok(Self(()));
        }
        Err(Problem::new(Code::Unauthorized, "This is for the operator of the installation, with its OPERATOR_TOKEN."))
    }
}

/// Whether two texts are the same, in a time that says nothing of where they differ: their digests are compared, whole.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter().zip(b.iter()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_token_itself_will_do() {
        let token = "op_0123456789abcdef01234567";
        assert!(is_same(token, token));
        for other in ["", "op_0123456789abcdef0123456", "op_0123456789abcdef012345678", "OP_0123456789abcdef01234567"] {
            assert!(!is_same(other, token), "{other}");
        }
    }
}
