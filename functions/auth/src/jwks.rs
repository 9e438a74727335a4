//! `GET /auth/.well-known/jwks.json`

use http::StatusCode;
use tollgate_platform::{Problem, Scope, http::Reply, settings};

/// The public keys of access tokens, by `kid` (RFC 7517); two while one rolls.
#[utoipa::path(get, path = "/auth/.well-known/jwks.json", tag = "accounts", responses((status = 200, body = serde_json::Value, content_type = "application/jwk-set+json")))]
#[worker::send]
pub async fn jwks(scope: Scope) -> Result<Reply, Problem> {
    let keys = settings::text(scope.env(), "JWKS").ok_or_else(Problem::internal)?;
    Ok(Reply::bytes(StatusCode::OK, "application/jwk-set+json", keys).with("cache-control", "public, max-age=300"))
}
