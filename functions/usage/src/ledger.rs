//! `GET /usage/ledger/verify`

use http::StatusCode;
use tollgate_api::usage::LedgerOut;
use tollgate_platform::{
    Problem, Scope,
    http::Reply,
    identity::{Allowed, needs::UsageRead},
    meter::MeterClient,
};

/// Walks the caller's ledger from its first row to its last: does every row fit the one before it, and do they add up to
/// what the meter decides with?
#[utoipa::path(get, path = "/usage/ledger/verify", tag = "usage", security(("bearer" = [])),
    responses((status = 200, body = LedgerOut), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn verify(scope: Scope, caller: Allowed<UsageRead>) -> Result<Reply, Problem> {
    let verified = MeterClient::of(&*caller).verify(&scope, caller.session).await?;
    Ok(Reply::json(
        StatusCode::OK,
        &LedgerOut {
            rows: verified.rows,
            head_hash: verified.head.to_string(),
            ok: verified.broken_at.is_none() && verified.adds_up,
            broken_at: verified.broken_at,
        },
    ))
}
