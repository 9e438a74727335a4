//! `POST /auth/totp/confirm`

use http::StatusCode;
use tollgate_api::{
    FieldError,
    totp::{CodeIn, RecoveryCodesOut},
};
use tollgate_domain::{audit::Action, mail::Letter, outgoing_rates::Outgoing, totp};
use tollgate_platform::{
    Code, Problem, Scope,
    account::noted,
    guard::{self, Asking},
    http::{Json, Reply},
    identity::MemberOf,
    store,
};

use crate::{
    proof::{Proof, wrong_code},
    recovery_codes, second_factor, told,
};

/// Switches the second factor on, with a code that the app shows now, and answers ten recovery codes, once. That code is used up.
#[utoipa::path(post, path = "/auth/totp/confirm", operation_id = "confirm_totp", tag = "accounts", security(("bearer" = [])), request_body = CodeIn, responses(
    (status = 200, body = RecoveryCodesOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 409, body = Problem, description = "`conflict`: nothing is to be confirmed"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn confirm(scope: Scope, member: MemberOf, Json(input): Json<CodeIn>) -> Result<Reply, Problem> {
    guard::admit(&scope, Outgoing::CredentialChange, Asking::of_user(member.user)).await?;
    let code = totp::Code::parse(&input.code)
        .map_err(|invalid| Problem::invalid(vec![FieldError::new("code", invalid.to_string())]))?;
    let row = store::second_factor(&scope, member.tenant, member.user).await?;
    let row = row.filter(|row| row.confirmed_at.is_none()).ok_or_else(nothing_open)?;
    let proof = Proof::counted(&scope, &member).await?;
    let secret = second_factor::open(&scope, member.user, &row).await?;
    let step = totp::verify(&secret, None, code, scope.now()).map_err(|_| wrong_code())?;
    let step = i64::try_from(step).map_err(|_| Problem::internal())?;
    let (stored, shown) = recovery_codes::new(member.user)?;
    if !store::confirm_second_factor(&scope, member.tenant, member.user, &row.secret, step, &stored).await? {
        return Err(nothing_open());
    }
    noted::of_user(&scope, member.tenant, member.user, Action::TotpEnable).await;
    told::user(&scope, member.tenant, member.user, Letter::SecondFactorOn);
    proof.succeeded(&scope, Reply::json(StatusCode::OK, &RecoveryCodesOut { recovery_codes: shown })).await
}

fn nothing_open() -> Problem {
    Problem::new(Code::Conflict, "There is nothing to confirm: begin with POST /auth/totp/enroll.")
}
