//! `POST /auth/password`

use tollgate_api::{FieldError, account::ChangePasswordIn};
use tollgate_domain::{
    account::{Email, check_password},
    audit::Action,
    mail::Letter,
    outgoing_rates::Outgoing,
};
use tollgate_platform::{
    Code, Problem, Scope,
    account::{
        ending::{end_in_meters, reachable},
        noted,
    },
    credentials,
    guard::{self, Asking},
    http::{Json, Reply, no_content},
    identity::MemberOf,
    password, store,
};

use crate::{
    breached,
    proof::{Proof, has_password},
    told,
};

/// Sets another password. Every other session ends with this request; the one that asks goes on.
#[utoipa::path(post, path = "/auth/password", operation_id = "change_password", tag = "accounts", security(("bearer" = [])), request_body = ChangePasswordIn, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 409, body = Problem, description = "`conflict`: there is no password, or it was changed at the same moment"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn change(scope: Scope, member: MemberOf, Json(input): Json<ChangePasswordIn>) -> Result<Reply, Problem> {
    let proof = Proof::by_password(&scope, &member, "current_password", Some(&input.current_password)).await?;
    if !has_password(&proof.account) {
        return Err(Problem::new(
            Code::Conflict,
            "The account has no password yet; POST /auth/forgot-password mails a link to set one.",
        ));
    }
    guard::admit(&scope, Outgoing::CredentialChange, Asking::of_user(member.user)).await?;
    let hash = new_hash(&scope, &proof, &input.new_password).await?;

    // The meters first, as with a reset: should a later step fail, whoever tries again leaves nothing open.
    let (tenant, user, now) = (member.tenant, member.user, scope.now());
    let products = store::users_products(&scope, tenant, user).await?;
    let mut before = reachable(&scope, tenant, user, now).await?;
    before.retain(|session| *session != member.session);
    end_in_meters(&scope, tenant, user, &products, &before).await?;
    if !store::change_password(&scope, tenant, user, member.session, &proof.account.password_hash, &hash).await? {
        return Err(Problem::new(Code::Conflict, "The password was changed at the same moment."));
    }
    // Those that were opened or refreshed in the meantime. From here on the old password opens none.
    let mut after = reachable(&scope, tenant, user, now).await?;
    after.retain(|session| *session != member.session && !before.contains(session));
    end_in_meters(&scope, tenant, user, &products, &after).await?;

    noted::of_user(&scope, tenant, user, Action::PasswordChange).await;
    told::user(&scope, tenant, user, Letter::PasswordChanged);
    proof.succeeded(&scope, no_content()).await
}

async fn new_hash(scope: &Scope, proof: &Proof, wanted: &str) -> Result<String, Problem> {
    let email = Email::parse(&proof.account.email).map_err(|_| Problem::internal())?;
    let wanted = password::normalized(wanted);
    check_password(&wanted, &email)
        .map_err(|weak| Problem::invalid(vec![FieldError::new("new_password", weak.to_string())]))?;
    if breached::was_seen(scope, &wanted).await {
        return Err(credentials::breached("new_password"));
    }
    password::hash(&wanted)
}
