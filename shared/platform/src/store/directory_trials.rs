//! Who had a trial: digests of persons, cards and companies, on the first shard; each statement with its reason.

use serde::Deserialize;
use tollgate_domain::{id::Shard, time::Timestamp};

use super::database::{Database, Param, Statement, StoreError, bound};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[CLAIM, CLAIM_ALL, NOTE, CLAIMED];

// Who had a trial is known by a digest and by no tenant: claims are on the first shard, whatever shard the account is on.
const CLAIM: Statement = Statement {
    name: "directory_trials.claim",
    sql: "INSERT OR IGNORE INTO trial_claims (digest, claim, claimed_at) SELECT ?1, ?2, ?3 \
          WHERE NOT EXISTS (SELECT 1 FROM trial_claims c WHERE c.digest = ?4)",
};

// The same for a card and a person together, all or none: whoever is refused has used nothing up. A digest names no tenant.
const CLAIM_ALL: Statement = Statement {
    name: "directory_trials.claim_all",
    sql: "INSERT OR IGNORE INTO trial_claims (digest, claim, claimed_at) SELECT d.value, ?2, ?3 FROM json_each(?1) d \
          WHERE NOT EXISTS (SELECT 1 FROM trial_claims c WHERE c.digest IN (SELECT o.value FROM json_each(?1) o) \
            AND c.claim <> ?2)",
};

// What was paid for is remembered beside the claims of others. A digest names no tenant.
const NOTE: Statement = Statement {
    name: "directory_trials.note",
    sql: "INSERT OR IGNORE INTO trial_claims (digest, claim, claimed_at) SELECT d.value, ?2, ?3 FROM json_each(?1) d",
};

// Whether somebody else had a trial is asked by digests, which name no tenant.
const CLAIMED: Statement = Statement {
    name: "directory_trials.claimed",
    sql: "SELECT count(*) AS count FROM trial_claims c WHERE c.digest IN (SELECT d.value FROM json_each(?1) d) \
          AND c.claim <> ?2",
};

#[derive(Deserialize)]
struct Count {
    count: u32,
}

fn list(digests: &[String]) -> String {
    serde_json::Value::from(digests).to_string()
}

fn claims(scope: &Scope) -> Result<Database<'_>, StoreError> {
    Database::of(scope, Shard::FIRST)
}

/// Claims a trial for a registration; `false` when the person had one before, or the domain of the address is a company's.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim(
    scope: &Scope,
    digest: &str,
    of_domain: &str,
    claim: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = bound(&[Param::Text(digest), Param::Text(claim), Param::Int(now.as_millis()), Param::Text(of_domain)]);
    Ok(claims(scope)?.batch(&[(CLAIM, params)]).await? == [1])
}

/// Claims a trial for all of them, or for none where one of them is another claim's; the same claim may be made again.
/// Answers whether it stands.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim_all(scope: &Scope, digests: &[String], claim: &str, now: Timestamp) -> Result<bool, StoreError> {
    let (db, digests) = (claims(scope)?, list(digests));
    let (digests, claim) = (Param::Text(&digests), Param::Text(claim));
    db.batch(&[(CLAIM_ALL, bound(&[digests, claim, Param::Int(now.as_millis())]))]).await?;
    let others: Vec<Count> = db.all(CLAIMED, &bound(&[digests, claim])).await?;
    Ok(others.iter().all(|others| others.count == 0))
}

/// Notes for each of them that there was a trial; the claims of others stay.
///
/// # Errors
/// When the database cannot be written.
pub async fn note(scope: &Scope, digests: &[String], claim: &str, now: Timestamp) -> Result<(), StoreError> {
    let params = bound(&[Param::Text(&list(digests)), Param::Text(claim), Param::Int(now.as_millis())]);
    claims(scope)?.batch(&[(NOTE, params)]).await.map(drop)
}

/// Whether there was a trial for one of them.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_claimed(scope: &Scope, digests: &[String]) -> Result<bool, StoreError> {
    let params = bound(&[Param::Text(&list(digests)), Param::Text("")]);
    let found: Vec<Count> = claims(scope)?.all(CLAIMED, &params).await?;
    Ok(found.iter().any(|found| found.count > 0))
}
