//! `GET /subscription`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::subscription::{OverageOut, SubscriptionOut};
use tollgate_domain::{catalogue::Product, overage::MeteredPeriod};
use tollgate_platform::{
    Code, Problem, Scope,
    billing::{self, Held},
    http::{Query, Reply},
    identity::{Fresh, needs::BillingRead},
    store,
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
        (status = 403, body = Problem, description = "A key without `billing:read`"), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn read(scope: Scope, caller: Fresh<BillingRead>, Query(which): Query<Which>) -> Result<Reply, Problem> {
    let product = match which.product.as_deref() {
        None => caller.product,
        Some(name) => Product::parse(name)
            .ok_or_else(|| Problem::new(Code::BadRequest, "product must be agent, chat or gmail."))?,
    };
    let held = billing::load(&scope, caller.tenant, product, Some(caller.user)).await?;
    let overage = overage(&scope, &held).await?;
    Ok(Reply::json(StatusCode::OK, &SubscriptionOut { overage, ..shown(&held, scope.now()) }))
}

/// What was told to Stripe beyond soft limits, at the prices of the plan that was bought.
async fn overage(scope: &Scope, held: &Held) -> Result<Vec<OverageOut>, Problem> {
    let product = held.subscription.product;
    let offer = held.subscription.paid.as_ref().and_then(|paid| paid.offer(product));
    let shown = |period: MeteredPeriod| {
        let price = offer.and_then(|offer| offer.overage_of(period.meter));
        // Where a contract includes another amount, its prices are others, too.
        let includes = offer.and_then(|offer| offer.limits.get(period.meter).included());
        let units = period.told();
        OverageOut {
            meter: period.meter,
            period_start: period.period.start,
            period_end: period.period.end,
            included: period.included,
            units,
            cents: price.filter(|_| includes == Some(period.included)).map(|price| price.cost_cents(units)),
        }
    };
    let open = store::overage::open(scope, held.tenant, product).await?;
    Ok(open.into_iter().map(|stored| shown(stored.period)).filter(|it| it.units > 0).collect())
}
