//! Who had a trial: digests of persons, cards and companies, on the first shard; each statement with its reason.

use serde::Deserialize;
use tollgate_domain::{id::Shard, time::Timestamp};

use super::database::{Database, Param, Statement, StoreError, bound};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[CLAIM, CLAIM_ALL, NOTE, CLAIMED, SINCE, HOLDER, CONFIRM, RELEASE];

// Who had a trial is known by a digest and by no tenant: claims are on the first shard, whatever shard the account is on. One
// made with an address that nobody confirmed (provisional) gives way to one whose address is.
const CLAIM: Statement = Statement {
    name: "directory_trials.claim",
    sql: "INSERT INTO trial_claims (digest, claim, claimed_at, provisional) SELECT ?1, ?2, ?3, ?5 \
          WHERE NOT EXISTS (SELECT 1 FROM trial_claims c WHERE c.digest = ?4) \
          ON CONFLICT (digest) DO UPDATE SET claim = excluded.claim, provisional = excluded.provisional, \
            claimed_at = iif(excluded.provisional = 0, excluded.claimed_at, trial_claims.claimed_at) \
          WHERE trial_claims.provisional = 2 OR (trial_claims.provisional = 1 AND excluded.provisional = 0)",
};

// The same for a card and a person together, all or none: whoever is refused has used nothing up. A digest names no tenant. A
// provisional claim counts against who has not confirmed the address either, and against nobody else.
const CLAIM_ALL: Statement = Statement {
    name: "directory_trials.claim_all",
    sql: "INSERT INTO trial_claims (digest, claim, claimed_at, provisional) \
          SELECT d.value ->> 0, ?2, ?3, d.value ->> 1 FROM json_each(?1) d \
          WHERE NOT EXISTS (SELECT 1 FROM trial_claims c JOIN json_each(?1) o ON c.digest = o.value ->> 0 \
            WHERE c.claim <> ?2 AND c.provisional <= o.value ->> 1) \
          ON CONFLICT (digest) DO UPDATE SET claim = excluded.claim, provisional = excluded.provisional, \
            claimed_at = iif(excluded.provisional = 0, excluded.claimed_at, trial_claims.claimed_at) \
          WHERE trial_claims.provisional = 2 OR (trial_claims.provisional = 1 AND excluded.provisional = 0)",
};

// What was paid for is remembered beside the claims of others. A digest names no tenant.
const NOTE: Statement = Statement {
    name: "directory_trials.note",
    sql: "INSERT INTO trial_claims (digest, claim, claimed_at, provisional) \
          SELECT d.value ->> 0, ?2, ?3, d.value ->> 1 FROM json_each(?1) d WHERE true \
          ON CONFLICT (digest) DO UPDATE SET claim = excluded.claim, provisional = excluded.provisional, \
            claimed_at = iif(excluded.provisional = 0, excluded.claimed_at, trial_claims.claimed_at) \
          WHERE trial_claims.provisional = 2 OR (trial_claims.provisional = 1 AND excluded.provisional = 0)",
};

// Whether somebody else had a trial is asked by digests, which name no tenant.
const CLAIMED: Statement = Statement {
    name: "directory_trials.claimed",
    sql: "SELECT count(*) AS count FROM trial_claims c JOIN json_each(?1) o ON c.digest = o.value ->> 0 \
          WHERE c.claim <> ?2 AND c.provisional <= o.value ->> 1",
};

// Since when the trial runs whose claim this is: an account that is gone may have begun it. A digest names no tenant.
const SINCE: Statement = Statement {
    name: "directory_trials.since",
    sql: "SELECT c.claimed_at FROM trial_claims c WHERE c.digest = ?1 AND c.claim = ?2",
};

// The address was confirmed: the claim counts for good, and is of whoever confirmed it. Of two at once one changes it.
const CONFIRM: Statement = Statement {
    name: "directory_trials.confirm",
    sql: "UPDATE trial_claims SET provisional = 0, claim = ?2 WHERE digest = ?1 AND provisional > 0",
};

// Whose claim it is now. A digest names no tenant.
const HOLDER: Statement = Statement {
    name: "directory_trials.holder",
    sql: "SELECT c.claim FROM trial_claims c WHERE c.digest = ?1 AND c.provisional = 0",
};

// The account is gone that had claimed it without having confirmed the address: whoever registers next takes it over. It is
// found by a digest, which names no tenant.
const RELEASE: Statement = Statement {
    name: "directory_trials.release",
    sql: "UPDATE trial_claims SET provisional = 2 WHERE digest = ?1 AND claim = ?2 AND provisional = 1",
};

#[derive(Deserialize)]
struct Count {
    count: u32,
}

/// A digest, and whether it is claimed provisionally: by who has not confirmed the address.
pub type Digest = (String, bool);

/// `[[digest, 0 or 1], ...]`.
fn list(digests: &[Digest]) -> String {
    let pairs = digests.iter().map(|(digest, provisional)| serde_json::json!([digest, u8::from(*provisional)]));
    pairs.collect::<serde_json::Value>().to_string()
}

/// A claim that is made.
#[derive(Debug, Clone, Copy)]
pub struct NewClaim<'a> {
    /// What stands in it.
    pub claim: &'a str,
    /// Whether nobody has confirmed the address.
    pub provisional: bool,
    /// Now.
    pub now: Timestamp,
}

fn claims(scope: &Scope) -> Result<Database<'_>, StoreError> {
    Database::of(scope, Shard::FIRST)
}

/// Claims a trial for a registration; `false` when the person had one before, or the domain of the address is a company's.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim(scope: &Scope, digest: &str, of_domain: &str, claim: &NewClaim<'_>) -> Result<bool, StoreError> {
    let params = bound(&[
        Param::Text(digest),
        Param::Text(claim.claim),
        Param::Int(claim.now.as_millis()),
        Param::Text(of_domain),
        Param::Int(i64::from(claim.provisional)),
    ]);
    Ok(claims(scope)?.batch(&[(CLAIM, params)]).await? == [1])
}

/// Claims a trial for all of them, or for none where one of them is another claim's; the same claim may be made again.
/// Answers whether it stands.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim_all(scope: &Scope, digests: &[Digest], claim: &str, now: Timestamp) -> Result<bool, StoreError> {
    let (db, digests) = (claims(scope)?, list(digests));
    let (digests, claim) = (Param::Text(&digests), Param::Text(claim));
    db.batch(&[(CLAIM_ALL, bound(&[digests, claim, Param::Int(now.as_millis())]))]).await?;
    let others: Vec<Count> = db.all(CLAIMED, &bound(&[digests, claim])).await?;
    Ok(others.iter().all(|others| others.count == 0))
}

/// Notes for each of them that there was a trial; the claims of others stay, but for provisional ones.
///
/// # Errors
/// When the database cannot be written.
pub async fn note(scope: &Scope, digests: &[Digest], claim: &str, now: Timestamp) -> Result<(), StoreError> {
    let params = bound(&[Param::Text(&list(digests)), Param::Text(claim), Param::Int(now.as_millis())]);
    claims(scope)?.batch(&[(NOTE, params)]).await.map(drop)
}

/// Whether there was a trial for one of them.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_claimed(scope: &Scope, digests: &[Digest]) -> Result<bool, StoreError> {
    let params = bound(&[Param::Text(&list(digests)), Param::Text("")]);
    let found: Vec<Count> = claims(scope)?.all(CLAIMED, &params).await?;
    Ok(found.iter().any(|found| found.count > 0))
}

#[derive(Deserialize)]
struct Since {
    claimed_at: i64,
}

/// When the trial began whose claim this is; `None` when the claim is somebody else's.
///
/// # Errors
/// When the database cannot be read.
pub async fn claimed_since(scope: &Scope, digest: &str, claim: &str) -> Result<Option<Timestamp>, StoreError> {
    let rows: Vec<Since> = claims(scope)?.all(SINCE, &bound(&[Param::Text(digest), Param::Text(claim)])).await?;
    Ok(rows.first().map(|row| Timestamp::from_millis(row.claimed_at)))
}

/// Makes a provisional claim one for good; `false` when there is none.
///
/// # Errors
/// When the database cannot be written.
pub async fn confirm(scope: &Scope, digest: &str, claim: &str) -> Result<bool, StoreError> {
    let params = bound(&[Param::Text(digest), Param::Text(claim)]);
    Ok(claims(scope)?.batch(&[(CONFIRM, params)]).await? == [1])
}

#[derive(Deserialize)]
struct Holder {
    claim: String,
}

/// The claim that counts for good; `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn holder(scope: &Scope, digest: &str) -> Result<Option<String>, StoreError> {
    let rows: Vec<Holder> = claims(scope)?.all(HOLDER, &bound(&[Param::Text(digest)])).await?;
    Ok(rows.into_iter().next().map(|row| row.claim))
}

/// Lets go of a provisional claim, if it is this one.
///
/// # Errors
/// When the database cannot be written.
pub async fn release(scope: &Scope, digest: &str, claim: &str) -> Result<(), StoreError> {
    claims(scope)?.batch(&[(RELEASE, bound(&[Param::Text(digest), Param::Text(claim)]))]).await.map(drop)
}
