//! `GET /audit/verify`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::audit::AuditVerifiedOut;
use tollgate_domain::{
    audit::{Head, Stored, Verdict, Walk},
    ledger::Hash,
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
    identity::AdminOf,
    store::{self, AuditRow},
};

/// Rows read at a time: what the walk holds in memory.
const ROWS_AT_ONCE: u32 = 1_000;

/// A head that was kept.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    known_rows: Option<u64>,
    #[serde(default)]
    known_hash: Option<String>,
}

/// Walks the tenant's log from its first entry to its last: does every entry follow from the one before it, and is a head
/// that was kept from an earlier answer still among them?
#[utoipa::path(get, path = "/audit/verify", operation_id = "verify_audit", tag = "audit", security(("bearer" = [])),
    params(
        ("known_rows" = Option<u64>, Query, description = "`rows` of an earlier answer"),
        ("known_hash" = Option<String>, Query, description = "`head_hash` of the same answer"),
    ),
    responses((status = 200, body = AuditVerifiedOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn verify(scope: Scope, admin: AdminOf, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let known = match (asked.known_rows, asked.known_hash.as_deref()) {
        (None, None) => Head::empty(admin.tenant),
        (Some(rows), Some(hash)) => Head {
            rows,
            hash: Hash::parse(hash)
                .ok_or_else(|| Problem::new(Code::BadRequest, "known_hash must have 64 hexadecimal digits."))?,
            at: Timestamp::default(),
        },
        _ => return Err(Problem::new(Code::BadRequest, "known_rows and known_hash are given together.")),
    };
    let mut walk = Walk::new(admin.tenant, known);
    let mut after = 0;
    loop {
        let page = store::audit_after(&scope, admin.tenant, after, ROWS_AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        let full = page.len() == ROWS_AT_ONCE as usize;
        for row in page {
            walk.push(&stored(row));
        }
        if !full {
            break;
        }
    }
    let head = walk.last();
    let broken_at = match walk.finish() {
        Verdict::Sound(_) => None,
        Verdict::Broken { at_row } => Some(at_row),
        Verdict::Forked => Some(known.rows),
    };
    Ok(Reply::json(
        StatusCode::OK,
        &AuditVerifiedOut { rows: head.rows, head_hash: head.hash.to_string(), ok: broken_at.is_none(), broken_at },
    ))
}

/// A row whose hash is none follows from nothing.
fn stored(row: AuditRow) -> Stored {
    let hash = Hash::parse(&row.hash).unwrap_or(Hash::GENESIS);
    Stored { seq: row.seq, at: Timestamp::from_millis(row.at), body: row.body, hash }
}
