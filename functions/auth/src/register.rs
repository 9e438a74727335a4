//! `POST /auth/register`

use http::StatusCode;
use tollgate_api::account::{RegisterIn, SignedInOut};
use tollgate_domain::{account::Email, catalogue::Product};
use tollgate_platform::{
    Code, Problem, Scope,
    account::opening::{self, NewPerson, NotOpened},
    credentials,
    http::{Json, Reply},
};

use crate::{guard::Guard, password, tokens};

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
    credentials::check_not_breached(&scope, "password", &input.password).await?;
    let name = input.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let hash = password::hash(&input.password)?;
    let person = NewPerson { email: &email, name, product, password_hash: &hash, identity: None };
    let (tenant, user) = opening::open(&scope, &person).await.map_err(taken)?;
    let signed_in = tokens::sign_in(&scope, tenant, user, &hash).await?;
    let signed_in = signed_in.ok_or_else(Problem::internal)?;
    guard.succeeded(&scope, Reply::json(StatusCode::CREATED, &signed_in)).await
}

fn taken(why: NotOpened) -> Problem {
    match why {
        NotOpened::EmailTaken => {
            Problem::new(Code::EmailTaken, "This e-mail address is already registered; sign in with POST /auth/login.")
        }
        NotOpened::IdentityTaken => Problem::internal(),
        NotOpened::Problem(problem) => *problem,
    }
}
