//! Statements of what runs by the clock, for all tenants of a shard at once; each with its reason.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    id::{RunId, Shard, TenantId, UserId},
    time::{Period, Timestamp},
};
use wasm_bindgen::JsValue;

use super::database::{Database, Statement, StoreError};
use crate::Scope;

/// Statements of this repository.
#[rustfmt::skip] // one line a statement: whoever adds one changes no other line
pub const STATEMENTS: &[Statement] = &[
    TAKE,
    LOST,
    BEGUN,
    CURSOR,
    KEEP,
    LET_GO,
    ENDED,
    DROP_IDLE,
    RUNS,
    TRIALS_ENDING,
    TENANTS_WITH_USAGE,
    WITH_OVERAGE,
    USERS_AFTER,
    DROP_SESSIONS,
    DROP_MAIL_TOKENS,
    DROP_MAILS,
    STRIP_MAILS,
    DROP_STRIPE_EVENTS,
    DROP_ANSWERS,
    DROP_RUNS,
];

// A job is the platform's and no tenant's. Of two who want it at once one writes its run; one that is silent has lost it, and so
// has one that holds it for longer than anybody may: its clock was ahead.
const TAKE: Statement = Statement {
    name: "directory_jobs.take",
    sql: "INSERT INTO job_states (name, run_id, until_at) VALUES (?1, ?2, ?3) \
          ON CONFLICT (name) DO UPDATE SET run_id = excluded.run_id, until_at = excluded.until_at \
          WHERE job_states.run_id IS NULL OR job_states.until_at <= ?4 OR job_states.until_at > ?3",
};

// The history of the platform's own runs: one that never ended was killed, and the one that takes over says so.
const LOST: Statement = Statement {
    name: "directory_jobs.lost",
    sql: "UPDATE job_runs SET outcome = 'lost', finished_at = ?3 WHERE name = ?1 AND run_id <> ?2 AND outcome = 'running' \
            AND EXISTS (SELECT 1 FROM job_states s WHERE s.name = ?1 AND s.run_id = ?2)",
};

// The history of the platform's own runs: only who has the job begins one.
const BEGUN: Statement = Statement {
    name: "directory_jobs.begun",
    sql: "INSERT INTO job_runs (run_id, name, started_by, started_at, outcome, done) \
          SELECT ?2, ?1, ?3, ?4, 'running', 0 FROM job_states s WHERE s.name = ?1 AND s.run_id = ?2",
};

// Where the platform's own job goes on: it works for every tenant.
const CURSOR: Statement =
    Statement { name: "directory_jobs.cursor", sql: "SELECT cursor FROM job_states WHERE name = ?1 AND run_id = ?2" };

// Where the platform's own job stands, written by whoever still has it.
const KEEP: Statement = Statement {
    name: "directory_jobs.keep",
    sql: "UPDATE job_states SET until_at = ?3, cursor = ?4 WHERE name = ?1 AND run_id = ?2",
};

// The platform's own job is free for the next run.
const LET_GO: Statement = Statement {
    name: "directory_jobs.let_go",
    sql: "UPDATE job_states SET run_id = NULL, until_at = 0, cursor = ?3 WHERE name = ?1 AND run_id = ?2",
};

// What the platform's own run did; one that was taken for lost in the meantime has ended after all.
const ENDED: Statement = Statement {
    name: "directory_jobs.ended",
    sql: "UPDATE job_runs SET finished_at = ?2, outcome = ?3, done = ?4, error = ?5, cursor = ?6 WHERE run_id = ?1",
};

// Of the platform's own runs that found nothing to do the latest is enough: some jobs run every minute.
const DROP_IDLE: Statement = Statement {
    name: "directory_jobs.drop_idle",
    sql: "DELETE FROM job_runs WHERE name = ?1 AND run_id < ?2 AND outcome = 'done' AND done = 0 AND started_by = 'clock'",
};

// The operator's view of what the platform itself did.
const RUNS: Statement = Statement {
    name: "directory_jobs.runs",
    sql: "SELECT run_id, name, started_by, started_at, finished_at, outcome, done, error, cursor FROM job_runs \
          WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR run_id < ?2) ORDER BY run_id DESC LIMIT ?3",
};

// Whose trials end in a span is asked for all tenants of a shard: a job reminds them, page by page.
const TRIALS_ENDING: Statement = Statement {
    name: "directory_jobs.trials_ending",
    sql: "SELECT b.tenant_id, b.user_id, b.product, b.trial_started_at, b.trial_ends_at, u.email, \
            coalesce(p.reminders, 1) AS reminders, p.unsubscribe_key \
          FROM subscriptions b \
          JOIN users u ON u.tenant_id = b.tenant_id AND u.user_id = b.user_id \
          LEFT JOIN notification_preferences p ON p.tenant_id = b.tenant_id AND p.user_id = b.user_id \
          WHERE b.plan = 'trial' AND b.trial_ends_at > ?1 AND b.trial_ends_at <= ?2 \
            AND (b.trial_ends_at, b.tenant_id, b.user_id, b.product) > (?3, ?4, ?5, ?6) \
          ORDER BY b.trial_ends_at, b.tenant_id, b.user_id, b.product LIMIT ?7",
};

// Who used something in a month is asked for all tenants of a shard: a job makes their statements, page by page.
const TENANTS_WITH_USAGE: Statement = Statement {
    name: "directory_jobs.tenants_with_usage",
    sql: "SELECT t.tenant_id FROM tenants t WHERE t.tenant_id > ?1 \
            AND (EXISTS (SELECT 1 FROM usage_hourly h WHERE h.tenant_id = t.tenant_id AND h.hour >= ?2 AND h.hour < ?3) \
              OR EXISTS (SELECT 1 FROM usage_dirty_hours d WHERE d.tenant_id = t.tenant_id AND d.hour >= ?2 AND d.hour < ?3)) \
          ORDER BY t.tenant_id LIMIT ?4",
};

// Whose overage is to be looked at is asked for all tenants of a shard, page by page: who pays for a plan with a soft limit or has
// a contract, and whose last months are not over for good.
const WITH_OVERAGE: Statement = Statement {
    name: "directory_jobs.with_overage",
    sql: "SELECT tenant_id, product FROM ( \
            SELECT b.tenant_id, b.product FROM billing_states s \
            JOIN subscriptions b ON b.tenant_id = s.tenant_id AND b.user_id = s.user_id AND b.product = s.product \
            WHERE (s.tenant_id, s.product) > (?1, ?2) AND b.billing_status IN ('active', 'past_due', 'cancelling') \
              AND (b.limits IS NOT NULL OR EXISTS ( \
                SELECT 1 FROM json_each(?3) e WHERE e.value = b.product || ' ' || b.plan || ' ' || b.plan_version)) \
            UNION \
            SELECT o.tenant_id, o.product FROM overage_periods o \
            WHERE o.closed = 0 AND (o.tenant_id, o.product) > (?1, ?2)) \
          ORDER BY tenant_id, product LIMIT ?4",
};

// Everybody's meters are brought back to the clock: all users of a shard are gone through, page by page.
const USERS_AFTER: Statement = Statement {
    name: "directory_jobs.users_after",
    sql: "SELECT tenant_id, user_id FROM users WHERE (tenant_id, user_id) > (?1, ?2) ORDER BY tenant_id, user_id LIMIT ?3",
};

// Sessions that ended long ago are cleared for all tenants of a shard.
const DROP_SESSIONS: Statement = Statement {
    name: "directory_jobs.drop_sessions",
    sql: "DELETE FROM sessions WHERE (tenant_id, session_id) IN \
            (SELECT tenant_id, session_id FROM sessions WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
};

// Tokens that are too old to be used are cleared for all tenants of a shard.
const DROP_MAIL_TOKENS: Statement = Statement {
    name: "directory_jobs.drop_mail_tokens",
    sql: "DELETE FROM mail_tokens WHERE (tenant_id, user_id, kind) IN \
            (SELECT tenant_id, user_id, kind FROM mail_tokens WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
};

// Old mails about something that cannot happen again (each has a random token or a session in its event): for all tenants.
const DROP_MAILS: Statement = Statement {
    name: "directory_jobs.drop_mails",
    sql: "DELETE FROM mails WHERE (tenant_id, event) IN \
            (SELECT tenant_id, event FROM mails WHERE created_at < ?1 AND recipient <> '' \
               AND kind IN ('verify_email', 'reset_password', 'password_changed', 'new_device', 'invitation') \
             ORDER BY created_at LIMIT ?2)",
};

// Of other old mails, of all tenants, nothing is left but that they were sent: never twice.
const STRIP_MAILS: Statement = Statement {
    name: "directory_jobs.strip_mails",
    sql: "UPDATE mails SET recipient = '', body = NULL, error = NULL, failed_at = NULL, sent_at = coalesce(sent_at, 0) \
          WHERE (tenant_id, event) IN \
            (SELECT tenant_id, event FROM mails WHERE created_at < ?1 AND recipient <> '' ORDER BY created_at LIMIT ?2)",
};

// Stripe's events belong to no tenant; Stripe itself forgets them after 30 days.
const DROP_STRIPE_EVENTS: Statement = Statement {
    name: "directory_jobs.drop_stripe_events",
    sql: "DELETE FROM stripe_events WHERE seq IN \
            (SELECT seq FROM stripe_events WHERE status IN ('done', 'ignored') AND queued_at < ?1 AND received_at < ?1 LIMIT ?2)",
};

// Answers under a key count for a day; who never asks again leaves theirs behind, in all tenants.
const DROP_ANSWERS: Statement = Statement {
    name: "directory_jobs.drop_answers",
    sql: "DELETE FROM idempotent_answers WHERE (tenant_id, user_id, key_hash) IN \
            (SELECT tenant_id, user_id, key_hash FROM idempotent_answers WHERE started_at < ?1 ORDER BY started_at LIMIT ?2)",
};

// The history of the platform's own runs has an end; run ids are in the order of time.
const DROP_RUNS: Statement = Statement {
    name: "directory_jobs.drop_runs",
    sql: "DELETE FROM job_runs WHERE started_at < ?1 AND outcome <> 'running' \
            AND run_id IN (SELECT run_id FROM job_runs ORDER BY run_id LIMIT ?2)",
};

#[expect(clippy::cast_precision_loss, reason = "instants and counts are below 2^53")]
fn int(number: i64) -> JsValue {
    JsValue::from_f64(number as f64)
}

fn text(text: &(impl ToString + ?Sized)) -> JsValue {
    JsValue::from_str(&text.to_string())
}

fn optional(text: Option<&str>) -> JsValue {
    text.map_or(JsValue::NULL, JsValue::from_str)
}

fn jobs(scope: &Scope) -> Result<Database<'_>, StoreError> {
    Database::of(scope, Shard::FIRST)
}

/// What a tenant holds of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldProduct {
    /// Whose.
    pub tenant_id: String,
    /// The product.
    pub product: String,
}

/// Products whose overage is to be looked at, in order, after one. `soft` are the catalogue's offers with a soft limit:
/// `<product> <plan> <version>`.
///
/// # Errors
/// When the database cannot be read.
pub async fn with_overage(
    scope: &Scope,
    shard: Shard,
    after: &HeldProduct,
    soft: &[String],
    limit: u32,
) -> Result<Vec<HeldProduct>, StoreError> {
    let soft = serde_json::to_string(soft).map_err(|_| StoreError::Failed)?;
    let params = [text(&after.tenant_id), text(&after.product), text(&soft), int(i64::from(limit))];
    Database::of(scope, shard)?.all(WITH_OVERAGE, &params).await
}

/// A user, and the place of those who follow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UserPlace {
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
}

/// Users in order, after one.
///
/// # Errors
/// When the database cannot be read.
pub async fn users_after(
    scope: &Scope,
    shard: Shard,
    after: &UserPlace,
    limit: u32,
) -> Result<Vec<UserPlace>, StoreError> {
    let params = [text(&after.tenant_id), text(&after.user_id), int(i64::from(limit))];
    Database::of(scope, shard)?.all(USERS_AFTER, &params).await
}

#[derive(Deserialize)]
struct Cursor {
    cursor: Option<String>,
}

/// Takes a job for a run, until an instant: answers where it goes on, or `None` while another run has it.
///
/// # Errors
/// When the database cannot be written.
pub async fn take(
    scope: &Scope,
    name: &str,
    run: RunId,
    started_by: &str,
    until: Timestamp,
) -> Result<Option<Option<String>>, StoreError> {
    let (job, id, now) = (text(name), text(&run), int(scope.now().as_millis()));
    let taken = jobs(scope)?
        .batch(&[
            (TAKE, vec![job.clone(), id.clone(), int(until.as_millis()), now.clone()]),
            (LOST, vec![job.clone(), id.clone(), now.clone()]),
            (BEGUN, vec![job.clone(), id.clone(), text(started_by), now]),
        ])
        .await?;
    if taken.first() != Some(&1) {
        return Ok(None);
    }
    let rows: Vec<Cursor> = jobs(scope)?.all(CURSOR, &[job, id]).await?;
    Ok(rows.into_iter().next().map(|row| row.cursor))
}

/// Goes on holding a job and remembers where it stands. `false`: another run has it by now.
///
/// # Errors
/// When the database cannot be written.
pub async fn keep(
    scope: &Scope,
    name: &str,
    run: RunId,
    until: Timestamp,
    cursor: Option<&str>,
) -> Result<bool, StoreError> {
    let params = vec![text(name), text(&run), int(until.as_millis()), optional(cursor)];
    Ok(jobs(scope)?.batch(&[(KEEP, params)]).await? == [1])
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// `done`, `more`, `failed` or `lost`.
    pub outcome: &'a str,
    /// How many things it did.
    pub done: u32,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// Where the next one begins.
    pub cursor: Option<&'a str>,
    /// Whether it found nothing to do and nobody asked for it: the latest such run is kept.
    pub is_idle: bool,
}

/// Lets go of a job and writes down what the run did.
///
/// # Errors
/// When the database cannot be written.
pub async fn ended(scope: &Scope, name: &str, run: RunId, how: Ended<'_>) -> Result<(), StoreError> {
    let (job, id, cursor) = (text(name), text(&run), optional(how.cursor));
    let history = vec![
        id.clone(),
        int(scope.now().as_millis()),
        text(how.outcome),
        int(i64::from(how.done)),
        optional(how.error),
        cursor.clone(),
    ];
    let mut writes = vec![(LET_GO, vec![job.clone(), id.clone(), cursor]), (ENDED, history)];
    if how.is_idle {
        writes.push((DROP_IDLE, vec![job, id]));
    }
    jobs(scope)?.batch(&writes).await.map(drop)
}

/// A run, as it is remembered.
#[derive(Debug, Clone, Deserialize)]
pub struct RunRow {
    /// `run_...`
    pub run_id: String,
    /// The job.
    pub name: String,
    /// `clock`, `operator` or `local`.
    pub started_by: String,
    /// Milliseconds.
    pub started_at: i64,
    /// Milliseconds.
    pub finished_at: Option<i64>,
    /// `running`, `done`, `more`, `failed` or `lost`.
    pub outcome: String,
    /// How many things it did.
    pub done: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// Where the next one begins.
    pub cursor: Option<String>,
}

/// Runs, newest first: of one job where a name is given, before one where an id is.
///
/// # Errors
/// When the database cannot be read.
pub async fn runs(
    scope: &Scope,
    name: Option<&str>,
    before: Option<RunId>,
    limit: u32,
) -> Result<Vec<RunRow>, StoreError> {
    let before = before.map(|run| run.to_string());
    jobs(scope)?.all(RUNS, &[optional(name), optional(before.as_deref()), int(i64::from(limit))]).await
}

/// A trial whose end is to be told.
#[derive(Debug, Clone, Deserialize)]
pub struct TrialRow {
    /// Whose.
    pub tenant_id: TenantId,
    /// Whose.
    pub user_id: UserId,
    /// Of what.
    pub product: String,
    /// Milliseconds.
    pub trial_started_at: i64,
    /// Milliseconds.
    pub trial_ends_at: i64,
    /// The user's address.
    pub email: String,
    /// 1 when it is wanted.
    pub reminders: u8,
    /// What links in mails are signed with.
    pub unsubscribe_key: Option<String>,
}

/// Where a page of trials ended: end, tenant, user, product.
pub type TrialPlace = (i64, String, String, String);

/// Trials that end after one instant and up to another, in order, behind a place.
///
/// # Errors
/// When the database cannot be read.
pub async fn trials_ending(
    scope: &Scope,
    shard: Shard,
    (after, until): (Timestamp, Timestamp),
    (at, tenant, user, product): &TrialPlace,
    limit: u32,
) -> Result<Vec<TrialRow>, StoreError> {
    let params = [
        int(after.as_millis()),
        int(until.as_millis()),
        int(*at),
        text(tenant),
        text(user),
        text(product),
        int(i64::from(limit)),
    ];
    Database::of(scope, shard)?.all(TRIALS_ENDING, &params).await
}

#[derive(Deserialize)]
struct TenantRow {
    tenant_id: String,
}

/// Tenants that used something in a span, in order, behind one.
///
/// # Errors
/// When the database cannot be read.
pub async fn tenants_with_usage(
    scope: &Scope,
    shard: Shard,
    after: &str,
    span: Period,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let params = [text(after), int(span.start.as_millis()), int(span.end.as_millis()), int(i64::from(limit))];
    let rows: Vec<TenantRow> = Database::of(scope, shard)?.all(TENANTS_WITH_USAGE, &params).await?;
    Ok(rows.into_iter().map(|row| row.tenant_id).collect())
}

/// What is cleared when it is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// Sessions, by their end.
    Sessions,
    /// Tokens of mails, by their end.
    MailTokens,
    /// Mails that cannot be asked for again.
    Mails,
    /// Address and text of the others.
    MailTexts,
    /// Stripe's events that are processed.
    StripeEvents,
    /// Answers under an `Idempotency-Key`.
    Answers,
    /// Runs of jobs.
    Runs,
}

impl Old {
    /// All of them, in the order in which they are cleared.
    pub const ALL: [Self; 7] =
        [Self::Sessions, Self::MailTokens, Self::Mails, Self::MailTexts, Self::StripeEvents, Self::Answers, Self::Runs];

    const fn statement(self) -> Statement {
        match self {
            Self::Sessions => DROP_SESSIONS,
            Self::MailTokens => DROP_MAIL_TOKENS,
            Self::Mails => DROP_MAILS,
            Self::MailTexts => STRIP_MAILS,
            Self::StripeEvents => DROP_STRIPE_EVENTS,
            Self::Answers => DROP_ANSWERS,
            Self::Runs => DROP_RUNS,
        }
    }
}

/// Clears rows of a shard from before an instant, `limit` at most; says how many.
///
/// # Errors
/// When the database cannot be written.
pub async fn clear(scope: &Scope, shard: Shard, old: Old, before: Timestamp, limit: u32) -> Result<u32, StoreError> {
    let params = vec![int(before.as_millis()), int(i64::from(limit))];
    let cleared = Database::of(scope, shard)?.batch(&[(old.statement(), params)]).await?;
    Ok(u32::try_from(cleared.into_iter().sum::<u64>()).unwrap_or(u32::MAX))
}
