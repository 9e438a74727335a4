//! `GET /auth/totp`

use http::StatusCode;
use tollgate_api::totp::TotpOut;
use tollgate_domain::time::Timestamp;
use tollgate_platform::{Problem, Scope, http::Reply, identity::MemberOf};

use crate::second_factor;

/// Whether the caller's sign-in wants a code of an authenticator app.
#[utoipa::path(get, path = "/auth/totp", operation_id = "totp_status", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = TotpOut), (status = 401, body = Problem), (status = 403, body = Problem, description = "Asked for with an API key"),
    (status = 503, body = Problem),
))]
#[worker::send]
pub async fn status(scope: Scope, member: MemberOf) -> Result<Reply, Problem> {
    let row = second_factor::confirmed(&scope, member.tenant, member.user).await?;
    let codes = row.as_ref().and_then(|row| row.recovery_codes.as_deref());
    let codes = codes.map(|stored| second_factor::read(&scope, stored)).transpose()?;
    let enabled_at = row.and_then(|row| row.confirmed_at).map(Timestamp::from_millis);
    let recovery_codes_left = codes.map_or(0, |codes| codes.left());
    Ok(Reply::json(StatusCode::OK, &TotpOut { enabled: enabled_at.is_some(), enabled_at, recovery_codes_left }))
}
