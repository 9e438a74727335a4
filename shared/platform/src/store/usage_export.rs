//! Writing the analytics copy: a batch of a ledger's rows, as one transaction.

use serde::Serialize;
use tollgate_domain::{
    deletion,
    meter::{Amounts, Settle, UsageDetail},
};

use super::{
    api_keys::TOUCH_EXPORTED,
    database::{Param, Statement, StoreError, TenantDb},
};
use crate::{
    Scope,
    meter::{ExportBatch, MarkRow, UsageRow},
};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ADD_EVENTS, SUPERSEDE, MARK_HOURS, MARK_SUPERSEDED_HOURS, ADD_MARKS];

// One statement for all rows of a batch: they come as one JSON array. What comes late of a user who is deleted is dropped.
const ADD_EVENTS: Statement = Statement {
    name: "usage_export.add_events",
    sql: "INSERT OR IGNORE INTO usage_events (tenant_id, user_id, product, seq, at, reservation_id, requests, tokens, emails, \
            function, provider, model, prompt_tokens, completion_tokens, estimated, cost_microusd, request_id, outcome, api_key_id) \
          SELECT ?1, ?2, ?3, e.value ->> 'seq', e.value ->> 'at', e.value ->> 'id', \
            e.value ->> 'requests', e.value ->> 'tokens', e.value ->> 'emails', \
            e.value ->> 'function', e.value ->> 'provider', e.value ->> 'model', \
            e.value ->> 'prompt_tokens', e.value ->> 'completion_tokens', e.value ->> 'estimated', \
            e.value ->> 'cost_microusd', e.value ->> 'request_id', e.value ->> 'outcome', e.value ->> 'api_key_id' \
          FROM json_each(?4) e \
          WHERE NOT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = ?1 AND d.subject = ?5 AND d.state IN ('erased', 'proven'))",
};
const SUPERSEDE: Statement = Statement {
    name: "usage_export.supersede",
    sql: "UPDATE usage_events SET superseded = 1 \
          WHERE tenant_id = ?1 AND outcome = 'expired' AND superseded = 0 \
            AND reservation_id IN (SELECT e.value ->> 'id' FROM json_each(?2) e WHERE e.value ->> 'late')",
};
const MARK_HOURS: Statement = Statement {
    name: "usage_export.mark_hours",
    sql: "INSERT OR IGNORE INTO usage_dirty_hours (tenant_id, hour) \
          SELECT DISTINCT ?1, (e.value ->> 'at') / 3600000 * 3600000 FROM json_each(?2) e",
};
const MARK_SUPERSEDED_HOURS: Statement = Statement {
    name: "usage_export.mark_superseded_hours",
    sql: "INSERT OR IGNORE INTO usage_dirty_hours (tenant_id, hour) \
          SELECT DISTINCT ?1, u.at / 3600000 * 3600000 FROM usage_events u \
          WHERE u.tenant_id = ?1 AND u.superseded = 1 \
            AND u.reservation_id IN (SELECT e.value ->> 'id' FROM json_each(?2) e WHERE e.value ->> 'late')",
};
const ADD_MARKS: Statement = Statement {
    name: "usage_export.add_marks",
    sql: "INSERT OR IGNORE INTO quota_marks (tenant_id, owner, seq, at, user_id, product, meter, percent, used, quota) \
          SELECT ?1, ?2, e.value ->> 'seq', e.value ->> 'at', ?3, ?4, e.value ->> 'meter', e.value ->> 'percent', \
            e.value ->> 'used', e.value ->> 'limit' FROM json_each(?5) e \
          WHERE NOT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = ?1 AND d.subject = ?6 AND d.state IN ('erased', 'proven'))",
};

/// A row as the statements read it.
#[derive(Serialize)]
struct EventRow<'a> {
    seq: u64,
    at: i64,
    id: String,
    late: bool,
    requests: u64,
    tokens: u64,
    emails: u64,
    function: &'a str,
    provider: &'a str,
    model: &'a str,
    prompt_tokens: u64,
    completion_tokens: u64,
    estimated: u8,
    cost_microusd: Option<u64>,
    request_id: &'a str,
    outcome: &'a str,
    api_key_id: Option<String>,
}

impl<'a> From<&'a UsageRow> for EventRow<'a> {
    fn from(row: &'a UsageRow) -> Self {
        let UsageDetail { function, model, request_id, outcome, .. } = &row.detail;
        // A ledger of an earlier release may hold a provider's 2^64 - 1. D1 refuses what is no 64-bit integer, with it all rows of the
        // batch, and a sum of such rows would overflow: the copy has the bound, the ledger keeps what was written.
        let bounded = |amount: u64| amount.min(Amounts::MOST_AT_ONCE);
        Self {
            seq: row.seq,
            at: row.at.as_millis(),
            id: row.id.to_string(),
            late: row.late,
            requests: bounded(row.amounts.requests),
            tokens: bounded(row.amounts.tokens),
            emails: bounded(row.amounts.emails),
            function,
            provider: model.split_once('/').map_or("", |(provider, _)| provider),
            model,
            prompt_tokens: bounded(row.detail.prompt_tokens),
            completion_tokens: bounded(row.detail.completion_tokens),
            estimated: u8::from(row.detail.estimated),
            cost_microusd: row.detail.cost_microusd.filter(|cost| *cost <= Settle::MOST_COST),
            request_id,
            outcome,
            api_key_id: row.detail.api_key.map(|key| key.to_string()),
        }
    }
}

/// A mark whose figures the database can hold.
fn bounded_mark(mark: &MarkRow) -> MarkRow {
    let bounded = |total: u64| total.min(Amounts::MOST_IN_A_PERIOD);
    MarkRow { used: bounded(mark.used), limit: bounded(mark.limit), ..mark.clone() }
}

/// Writes a batch; writing it again changes nothing.
///
/// # Errors
/// When the database does not take it: then none of it is written.
pub async fn write_export(scope: &Scope, batch: &ExportBatch) -> Result<(), StoreError> {
    let db = TenantDb::of(scope, batch.owner.tenant)?;
    let json = |rows: Result<String, serde_json::Error>| rows.map_err(|_| StoreError::Failed);
    let events = json(serde_json::to_string(&batch.usage.iter().map(EventRow::from).collect::<Vec<_>>()))?;
    let marks = json(serde_json::to_string(&batch.marks.iter().map(bounded_mark).collect::<Vec<_>>()))?;
    let user = batch.owner.user.map(|user| user.to_string());
    let owner = batch.owner.object_name();
    let subject = batch.owner.user.map(|user| deletion::subject(user).to_string()).unwrap_or_default();
    let product = Param::Text(batch.owner.product.as_str());
    let mut statements = Vec::new();
    if let (Some(user), false) = (&user, batch.usage.is_empty()) {
        statements.push((ADD_EVENTS, vec![Param::Text(user), product, Param::Text(&events), Param::Text(&subject)]));
        statements.push((MARK_HOURS, vec![Param::Text(&events)]));
        let with_key = batch.usage.iter().filter(|row| row.detail.api_key.is_some());
        if let Some(last) = with_key.map(|row| row.at.as_millis()).max() {
            statements.push((TOUCH_EXPORTED, vec![Param::Text(&events), Param::Int(last)]));
        }
        if batch.usage.iter().any(|row| row.late) {
            statements.push((SUPERSEDE, vec![Param::Text(&events)]));
            statements.push((MARK_SUPERSEDED_HOURS, vec![Param::Text(&events)]));
        }
    }
    if !batch.marks.is_empty() {
        let user = user.as_deref().map_or(Param::Null, Param::Text);
        statements
            .push((ADD_MARKS, vec![Param::Text(&owner), user, product, Param::Text(&marks), Param::Text(&subject)]));
    }
    db.batch(&statements).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row as a ledger of an earlier release may hold it.
    const POISONED: &str = r#"{"seq":7,"at":1700000000000,"id":"res_00000000-0000-7000-8000-000000000000",
        "amounts":{"requests":1,"tokens":18446744073709551615},
        "detail":{"fn":"chat","model":"openai/m","in":18446744073709551615,"out":9007199254740993,"cost":18446744073709551615,
            "req":"r","end":"completed"}}"#;

    #[test]
    fn a_row_of_an_earlier_release_with_an_impossible_count_fits_the_copy() {
        let row: UsageRow = serde_json::from_str(POISONED).unwrap();
        let copied = serde_json::to_value(EventRow::from(&row)).unwrap();
        for name in ["requests", "tokens", "emails", "prompt_tokens", "completion_tokens"] {
            assert!(copied[name].as_u64().unwrap() <= Amounts::MOST_AT_ONCE, "{name}: {}", copied[name]);
        }
        assert!(copied["cost_microusd"].is_null());
        let mark: MarkRow = serde_json::from_str(
            r#"{"seq":8,"at":1700000000000,"meter":"tokens","percent":100,"used":18446744073709551615,"limit":1000000}"#,
        )
        .unwrap();
        assert_eq!((bounded_mark(&mark).used, bounded_mark(&mark).limit), (Amounts::MOST_IN_A_PERIOD, 1_000_000));
    }
}
