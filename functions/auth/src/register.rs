//! `POST /auth/register`

use http::StatusCode;
use tollgate_api::{
    FieldError,
    account::{RegisterIn, SignedInOut},
};
use tollgate_domain::{account::check_password, catalogue::Product, outgoing_rates::Outgoing};
use tollgate_platform::{
    Code, Problem, Scope,
    account::opening::{self, NewPerson, NotOpened},
    credentials,
    guard::{self, Asking},
    http::{Json, Reply},
    mailbox,
};

use crate::{guard::Guard, password, tokens};

/// Makes a user with a tenant of one, begins the trial and signs the user in.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", request_body = RegisterIn, responses(
    (status = 201, body = SignedInOut), (status = 400, body = Problem), (status = 409, body = Problem, description = "`email_taken`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn register(scope: Scope, Json(input): Json<RegisterIn>) -> Result<Reply, Problem> {
    let email = mailbox::canonical(&input.email).map_err(|invalid| refused("email", &invalid))?;
    let password = password::normalized(&input.password);
    check_password(&password, &email).map_err(|weak| refused("password", &weak))?;
    let product = input.product.as_deref().and_then(Product::parse).unwrap_or_default();
    guard::admit(&scope, Outgoing::Registration, Asking::to(email.as_str())).await?;
    // That an address is registered is told here, slowly: it counts as a failure of whoever asks.
    let mut guard = Guard::of(&scope, email.as_str());
    guard.admit_address(&scope).await?;
    credentials::check_not_breached(&scope, "password", &password).await?;
    let name = input.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let hash = password::hash(&password)?;
    let person = NewPerson { email: &email, name, product, password_hash: &hash, identity: None };
    let (tenant, user) = opening::open(&scope, &person).await.map_err(taken)?;
    let signed_in = tokens::sign_in(&scope, tenant, user, &hash).await?;
    let signed_in = signed_in.ok_or_else(Problem::internal)?;
    guard.succeeded(&scope, Reply::json(StatusCode::CREATED, &signed_in)).await
}

fn refused(field: &str, why: &impl ToString) -> Problem {
    Problem::invalid(vec![FieldError::new(field, why.to_string())])
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
