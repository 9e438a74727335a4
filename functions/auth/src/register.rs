//! `POST /auth/register`

use http::StatusCode;
use tollgate_api::account::{RegisterIn, SignedInOut};
use tollgate_domain::{
    account::Email,
    audit::Action,
    catalogue::{Plan, Product, limits},
    id::{Shard, TenantId, UserId},
    meter::{Entitlement, Terms},
    trial::Trial,
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Reply},
    identity::MailTokenKind,
    log,
    meter::MeterClient,
    random,
    settings::Environment,
    store::{self, NewAccount, StoreError},
};

use crate::{guard::Guard, mailed, noted, password, tokens};

/// Makes a user with a tenant of one, begins the trial and signs the user in.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", request_body = RegisterIn, responses(
    (status = 201, body = SignedInOut), (status = 400, body = Problem), (status = 409, body = Problem, description = "`email_taken`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn register(scope: Scope, Json(input): Json<RegisterIn>) -> Result<Reply, Problem> {
    let email = Email::parse(&input.email).map_err(|_| Problem::internal())?;
    let product = input.product.as_deref().and_then(Product::parse).unwrap_or_default();
    // That an address is registered is told here, slowly: it counts as a failure of whoever asks.
    let mut guard = Guard::of(&scope, email.as_str());
    guard.admit_address(&scope).await?;
    let name = input.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let now = scope.now();
    let user = UserId::new(now, random::entropy()?);
    let tenant = TenantId::on_shard(now, random::entropy()?, Shard::FIRST);
    let entitlement = first_plan(&scope, product)?;
    let hash = password::hash(&input.password)?;
    store::register(
        &scope,
        &NewAccount {
            user,
            tenant,
            email: &email,
            name,
            tenant_name: name.unwrap_or(email.as_str()),
            password_hash: &hash,
            product,
            plan: entitlement.plan,
            trial: match entitlement.terms {
                Terms::Trial(trial) => Some(trial),
                Terms::Monthly { .. } | Terms::Ended { .. } => None,
            },
            now,
        },
    )
    .await
    .map_err(taken)?;
    // A meter that is not told now is told on the first metered call: the account stands either way.
    if MeterClient::named(tenant, user, product).configure(&scope, entitlement).await.is_err() {
        log::warn("register", "the plan could not be pushed to the meter yet", Some(&scope));
    }
    noted::of_user(&scope, tenant, user, Action::Register).await;
    // The account stands without the mail, too: there is another at POST /auth/verify-email/resend.
    let sender = scope.clone();
    scope.wait_until(async move {
        mailed::try_token(&sender, MailTokenKind::VerifyEmail, tenant, user, email.as_str()).await;
    });
    let signed_in = tokens::sign_in(&scope, tenant, user, &hash).await?;
    let signed_in = signed_in.ok_or_else(Problem::internal)?;
    guard.succeeded(&scope, Reply::json(StatusCode::CREATED, &signed_in)).await
}

/// The plan an account begins with: the trial; without limits where the platform is being measured.
fn first_plan(scope: &Scope, product: Product) -> Result<Entitlement, Problem> {
    let now = scope.now();
    let (plan, terms) = if scope.settings().environment == Environment::Bench {
        (Plan::Bench, Terms::Monthly { anchor: now })
    } else {
        (Plan::Trial, Terms::Trial(Trial::starting(now, product.trial_days())))
    };
    let limits = limits(product, plan).ok_or_else(Problem::internal)?;
    Ok(Entitlement { version: 1, product, plan, limits, terms, pooled: plan.is_pooled(), rate: None })
}

fn taken(error: StoreError) -> Problem {
    match error {
        StoreError::Taken(column) if column == "identities.email" => {
            Problem::new(Code::EmailTaken, "This e-mail address is already registered; sign in with POST /auth/login.")
        }
        error => error.into(),
    }
}
