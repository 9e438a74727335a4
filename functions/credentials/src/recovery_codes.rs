//! `POST /auth/totp/recovery-codes`

use http::StatusCode;
use tollgate_api::totp::{CodeIn, RecoveryCodesOut};
use tollgate_domain::{
    audit::Action,
    id::UserId,
    totp::{RECOVERY_CODES, RecoveryCode, RecoveryCodes},
};
use tollgate_platform::{
    Code, Problem, Scope,
    account::noted,
    http::{Json, Reply},
    identity::MemberOf,
    random, store,
};

use crate::{proof::Proof, second_factor};

/// Makes ten new recovery codes and shows them once; earlier ones are worthless from now on. Takes a code, which is used up.
#[utoipa::path(post, path = "/auth/totp/recovery-codes", operation_id = "renew_recovery_codes", tag = "accounts", security(("bearer" = [])), request_body = CodeIn, responses(
    (status = 200, body = RecoveryCodesOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 409, body = Problem, description = "`conflict`: it is off"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn renew(scope: Scope, member: MemberOf, Json(input): Json<CodeIn>) -> Result<Reply, Problem> {
    let proof = Proof::by_code(&scope, &member, &input.code).await?;
    let changed = || Problem::new(Code::Conflict, "The second factor was changed in the meantime.");
    let row = second_factor::confirmed(&scope, member.tenant, member.user).await?.ok_or_else(changed)?;
    let (stored, shown) = new(member.user)?;
    let before = row.recovery_codes.unwrap_or_default();
    if !store::replace_recovery_codes(&scope, member.tenant, member.user, &before, &stored).await? {
        return Err(changed());
    }
    noted::of_user(&scope, member.tenant, member.user, Action::RecoveryCodesRenew).await;
    proof.succeeded(&scope, Reply::json(StatusCode::OK, &RecoveryCodesOut { recovery_codes: shown })).await
}

/// New codes: as they are stored, and as they are shown.
pub fn new(user: UserId) -> Result<(String, Vec<String>), Problem> {
    let mut entropy = [[0; 10]; RECOVERY_CODES];
    for bytes in &mut entropy {
        *bytes = random::bytes()?;
    }
    let (stored, codes) = RecoveryCodes::generate(user, entropy);
    Ok((second_factor::written(&stored)?, codes.iter().map(RecoveryCode::reveal).collect()))
}
