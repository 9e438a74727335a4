//! `GET /admin/mails`, `POST /admin/mails/replay`: for the operator of the installation.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tollgate_api::{FieldError, Validate, usage::PageOut};
use tollgate_domain::{id::TenantId, time::Timestamp};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Query, Reply, cut, limit, no_content},
    identity::Operator,
    mail::{self, Mail},
    store::{
        self,
        directory_mails::{self, FailedMail, Place},
    },
};
use utoipa::ToSchema;

/// Which, and how to page.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

/// A mail that was given up.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailedMailOut {
    /// The tenant.
    #[schema(value_type = String, example = "ten_01890a5d-ac96-774b-bcce-b302099a8057")]
    tenant_id: TenantId,
    /// What it is about; with the tenant, its id.
    event: String,
    /// `trial_ending` and so on.
    kind: String,
    /// The address.
    to: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    failed_at: Timestamp,
    /// How often it was tried.
    attempts: u32,
    /// What whoever was to carry it said.
    error: Option<String>,
    /// Whether it can be sent again. Mails with a link that only their reader may have are kept nowhere: the reader asks for
    /// another.
    replayable: bool,
}

fn shown(mail: FailedMail) -> FailedMailOut {
    FailedMailOut {
        tenant_id: mail.tenant_id,
        event: mail.event,
        kind: mail.kind,
        to: mail.recipient,
        created_at: Timestamp::from_millis(mail.created_at),
        failed_at: Timestamp::from_millis(mail.failed_at),
        attempts: mail.attempts,
        error: mail.error,
        replayable: mail.replayable != 0,
    }
}

/// `<milliseconds> <tenant> <event>`
fn behind(cursor: Option<&str>) -> Option<Place> {
    let Some(text) = cursor else {
        return Some(Place { failed_at: (1 << 53) - 1, tenant: String::new(), event: String::new() });
    };
    let mut parts = text.splitn(3, ' ');
    let failed_at = parts.next()?.parse().ok().filter(|at| (0..1 << 53).contains(at))?;
    Some(Place { failed_at, tenant: parts.next()?.to_owned(), event: parts.next()?.to_owned() })
}

/// Mails that were given up, newest first. For the operator: 404 without the setting `OPERATOR_TOKEN`.
#[utoipa::path(get, path = "/admin/mails", operation_id = "list_failed_mails", tag = "operations", security(("operator" = [])),
    params(
        ("status" = Option<String>, Query, description = "`failed`, which is what is listed"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<FailedMailOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, _operator: Operator, Query(which): Query<Which>) -> Result<Reply, Problem> {
    if which.status.is_some_and(|status| status != "failed") {
        return Err(Problem::new(Code::BadRequest, "status must be failed."));
    }
    let limit = limit(which.limit)?;
    let place = behind(which.cursor.as_deref())
        .ok_or_else(|| Problem::new(Code::BadRequest, "cursor is not the next_cursor of a page."))?;
    let mails = directory_mails::failed_mails(&scope, &place, limit + 1).await?;
    let (mails, next_cursor) =
        cut(mails, limit, |mail| format!("{} {} {}", mail.failed_at, mail.tenant_id, mail.event));
    let data = mails.into_iter().map(shown).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<FailedMailOut> { data, next_cursor }))
}

/// `POST /admin/mails/replay`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReplayIn {
    /// The tenant.
    tenant_id: String,
    /// The event.
    event: String,
}

impl Validate for ReplayIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.tenant_id.parse::<TenantId>() {
            Ok(_) => Ok(()),
            Err(invalid) => Err(vec![FieldError::new("tenant_id", invalid.to_string())]),
        }
    }
}

/// Has a mail sent that was given up. For the operator.
#[utoipa::path(post, path = "/admin/mails/replay", operation_id = "replay_mail", tag = "operations", security(("operator" = [])),
    request_body = ReplayIn,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn replay(scope: Scope, _operator: Operator, Json(input): Json<ReplayIn>) -> Result<Reply, Problem> {
    let tenant: TenantId = input.tenant_id.parse().map_err(|_| Problem::internal())?;
    let body = store::mail_replayed(&scope, tenant, &input.event).await?;
    let body = body.ok_or_else(|| Problem::not_found("failed mail whose text is kept"))?;
    let mail: Mail = serde_json::from_str(&body).map_err(|_| Problem::internal())?;
    if let Err(problem) = mail::queue(&scope, &mail).await {
        // It is as it was: it can be asked for again.
        store::mail_tried(&scope, (tenant, &input.event), "the queue did not take it", Some(scope.now()), None).await?;
        return Err(problem);
    }
    Ok(no_content())
}
