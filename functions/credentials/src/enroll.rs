//! `POST /auth/totp/enroll`

use http::StatusCode;
use tollgate_api::totp::{EnrollIn, EnrolledOut};
use tollgate_domain::totp::{Secret, otpauth_uri};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Reply},
    identity::MemberOf,
    random, store,
};

use crate::{proof::Proof, second_factor};

/// What the app calls us.
const ISSUER: &str = "Tollgate";

/// Makes a secret for an authenticator app and shows it once. Sign-ins ask for nothing until `POST /auth/totp/confirm` has shown
/// that the app has it; until then another one may be made. Takes the password again.
#[utoipa::path(post, path = "/auth/totp/enroll", operation_id = "enroll_totp", tag = "accounts", security(("bearer" = [])), request_body = EnrollIn, responses(
    (status = 200, body = EnrolledOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 409, body = Problem, description = "`conflict`: it is on"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn enroll(scope: Scope, member: MemberOf, Json(input): Json<EnrollIn>) -> Result<Reply, Problem> {
    let proof = Proof::by_password(&scope, &member, "password", input.password.as_deref()).await?;
    let secret = Secret::new(random::bytes()?);
    let sealed = second_factor::seal(&scope, member.tenant, member.user, &secret).await?;
    if !store::enroll_second_factor(&scope, member.tenant, member.user, &sealed, scope.now()).await? {
        return Err(Problem::new(
            Code::Conflict,
            "The second factor is on. To change the app, switch it off with POST /auth/totp/disable first.",
        ));
    }
    let otpauth_uri = otpauth_uri(&secret, ISSUER, &proof.account.email);
    let shown = EnrolledOut { otpauth_uri, secret: secret.reveal() };
    proof.succeeded(&scope, Reply::json(StatusCode::OK, &shown)).await
}
