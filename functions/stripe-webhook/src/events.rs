//! `GET /admin/stripe-events`, `POST /admin/stripe-events/{id}/replay`: for the operator of the installation.

use axum::extract::Path;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tollgate_api::usage::PageOut;
use tollgate_domain::time::Timestamp;
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply, cut, limit},
    identity::Operator,
    log,
    store::directory_stripe_events::{self, EventRow},
};
use utoipa::ToSchema;

use crate::stripe_queue;

/// Which, and how to page.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<i64>,
}

/// An event of Stripe's.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventOut {
    /// `evt_...`
    id: String,
    /// `customer.subscription.updated` and so on.
    #[serde(rename = "type")]
    kind: String,
    /// `pending`, `done`, `ignored` or `dead`.
    status: String,
    /// The subscription that it is about.
    subscription: Option<String>,
    /// The customer.
    customer: Option<String>,
    /// The payment that was refunded or disputed, where it is about that.
    payment: Option<String>,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// How often it could not be processed.
    attempts: u32,
    /// How often it was applied.
    applied: u32,
    /// Why it is ignored or dead, or what stands in its way.
    note: Option<String>,
}

fn shown(row: EventRow) -> EventOut {
    EventOut {
        id: row.event_id,
        kind: row.kind,
        status: row.status,
        subscription: row.subscription_id,
        customer: row.customer_id,
        payment: row.payment_id,
        received_at: Timestamp::from_millis(row.received_at),
        finished_at: row.finished_at.map(Timestamp::from_millis),
        attempts: row.attempts,
        applied: row.applied,
        note: row.note,
    }
}

/// What Stripe told, newest first; `status=dead` is what could not be processed. For the operator: 404 without the setting
/// `OPERATOR_TOKEN`.
#[utoipa::path(get, path = "/admin/stripe-events", operation_id = "list_stripe_events", tag = "billing", security(("operator" = [])),
    params(
        ("status" = Option<String>, Query, description = "`pending`, `done`, `ignored` or `dead`; all when left out"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<i64>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<EventOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, _operator: Operator, Query(which): Query<Which>) -> Result<Reply, Problem> {
    let bad = |detail: &str| Err(Problem::new(Code::BadRequest, detail));
    if let Some(status) = which.status.as_deref()
        && !["pending", "done", "ignored", "dead"].contains(&status)
    {
        return bad("status must be pending, done, ignored or dead.");
    }
    let limit = limit(which.limit)?;
    if which.cursor.is_some_and(|cursor| !(0..1 << 52).contains(&cursor)) {
        return bad("cursor is not the next_cursor of a page.");
    }
    let rows = directory_stripe_events::list(&scope, which.status.as_deref(), which.cursor, limit + 1).await?;
    let (rows, next_cursor) = cut(rows, limit, |row| row.seq.to_string());
    let data = rows.into_iter().map(shown).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<EventOut> { data, next_cursor }))
}

/// Has an event processed again, as if it had just come. For the operator.
#[utoipa::path(post, path = "/admin/stripe-events/{id}/replay", operation_id = "replay_stripe_event", tag = "billing", security(("operator" = [])),
    params(("id" = String, Path)), responses(
    (status = 202, body = EventOut), (status = 401, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem, description = "It is waiting anyway"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn replay(scope: Scope, _operator: Operator, Path(id): Path<String>) -> Result<Reply, Problem> {
    let replayed = directory_stripe_events::replay(&scope, &id).await?;
    let row = directory_stripe_events::one(&scope, &id).await?.ok_or_else(|| Problem::not_found("event"))?;
    if !replayed {
        return Err(Problem::new(Code::Conflict, "This event is waiting to be processed anyway."));
    }
    log::warn("stripe_webhook", &format!("{id} is replayed by the operator"), Some(&scope));
    stripe_queue::hand_over(&scope, &[id]).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &shown(row)))
}
