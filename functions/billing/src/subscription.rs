//! `GET /subscription`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::subscription::SubscriptionOut;
use tollgate_domain::catalogue::Product;
use tollgate_platform::{
    Code, Problem, Scope, billing,
    http::{Query, Reply},
    identity::{Fresh, needs::BillingRead},
};

use crate::shown::shown;

/// Which product.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    product: Option<String>,
}

/// What the caller's tenant holds of a product: plan, status, period, seats, and what is to come.
#[utoipa::path(get, path = "/subscription", operation_id = "read_subscription", tag = "billing", security(("bearer" = [])),
    params(("product" = Option<String>, Query, description = "`agent`, `chat` or `gmail`; that of the token when left out")),
    responses((status = 200, body = SubscriptionOut), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "A key without `billing:read`"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn read(scope: Scope, caller: Fresh<BillingRead>, Query(which): Query<Which>) -> Result<Reply, Problem> {
    let product = match which.product.as_deref() {
        None => caller.product,
        Some(name) => Product::parse(name)
            .ok_or_else(|| Problem::new(Code::BadRequest, "product must be agent, chat or gmail."))?,
    };
    let held = billing::load(&scope, caller.tenant, product, Some(caller.user)).await?;
    Ok(Reply::json(StatusCode::OK, &shown(&held, scope.now())))
}
