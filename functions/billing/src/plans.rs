//! `GET /subscription/plans`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::subscription::{OveragePriceOut, PlanOut, PlansOut, PriceOut, ProductOut};
use tollgate_domain::catalogue::{Offer, Overage, PRODUCTS, Plan, Price, ProductEntry, current};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
};

/// Which product.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    product: Option<String>,
}

/// The catalogue: what is sold, what it includes and costs, and who may move where. For everybody.
#[utoipa::path(get, path = "/subscription/plans", operation_id = "list_plans", tag = "billing",
    params(("product" = Option<String>, Query, description = "`agent`, `chat` or `gmail`; all when left out")),
    responses((status = 200, body = PlansOut), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 400, body = Problem)))]
#[worker::send]
pub async fn plans(_scope: Scope, Query(which): Query<Which>) -> Result<Reply, Problem> {
    let wanted = which.product.as_deref();
    let data: Vec<_> =
        PRODUCTS.iter().filter(|entry| wanted.is_none_or(|name| entry.product.as_str() == name)).map(product).collect();
    if data.is_empty() {
        return Err(Problem::new(Code::BadRequest, "product must be agent, chat or gmail."));
    }
    Ok(Reply::json(StatusCode::OK, &PlansOut { data }).with("cache-control", "public, max-age=300"))
}

fn product(entry: &ProductEntry) -> ProductOut {
    let newest = |offer: &&Offer| current(entry.product, offer.plan).is_some_and(|it| it.version == offer.version);
    ProductOut {
        product: entry.product.as_str(),
        trial_days: entry.trial_days,
        plans: entry.offers.iter().filter(newest).map(plan).collect(),
    }
}

fn plan(offer: &Offer) -> PlanOut {
    let names = |plans: &[Plan]| plans.iter().map(|plan| plan.as_str()).collect();
    PlanOut {
        plan: offer.plan.as_str(),
        version: offer.version,
        price: offer.price.map(price),
        limits: offer.limits,
        overage: offer.overage.iter().map(overage).collect(),
        pooled: offer.plan.is_pooled(),
        features: offer.features.iter().filter_map(|feature| serde_json::to_value(feature).ok()).collect(),
        upgrades: names(offer.upgrades),
        downgrades: names(offer.downgrades),
    }
}

fn price(price: Price) -> PriceOut {
    PriceOut {
        monthly_cents: price.monthly_cents,
        annual_cents: price.annual_cents,
        seat_monthly_cents: price.seat_monthly_cents,
        seat_annual_cents: price.seat_annual_cents,
        currency: "usd",
    }
}

fn overage(&Overage { meter, per_units, cents }: &Overage) -> OveragePriceOut {
    OveragePriceOut { meter, per_units, cents, currency: "usd" }
}
