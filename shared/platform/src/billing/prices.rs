//! The catalogue's prices at Stripe, found by their keys.

use std::{cell::RefCell, collections::HashMap};

use serde::Deserialize;
use tollgate_api::{Code, Problem};
use tollgate_domain::{catalogue::PriceKey, stripe_api::Form};

use crate::{
    Scope, log,
    stripe::{List, Stripe},
};

#[derive(Deserialize)]
struct Price {
    id: String,
    #[serde(default)]
    lookup_key: Option<String>,
}

thread_local! {
    /// A price that was found stays the same: what changes has another key. But an operator may archive one and put another in
    /// its place, see [`forget_prices`].
    static KNOWN: RefCell<HashMap<PriceKey, String>> = RefCell::new(HashMap::new());
}

/// Forgets prices of which Stripe took one no more: another one may have its key by now. They are looked up anew.
pub fn forget_prices(keys: &[PriceKey]) {
    KNOWN.with_borrow_mut(|known| known.retain(|key, _| !keys.contains(key)));
}

/// The ids of prices, in order.
///
/// # Errors
/// 503 `billing_not_configured` when the catalogue was never pushed, or Stripe does not answer.
pub async fn price_ids(scope: &Scope, stripe: &Stripe, keys: &[PriceKey]) -> Result<Vec<String>, Problem> {
    let known = |key: &PriceKey| KNOWN.with_borrow(|known| known.get(key).cloned());
    let missing: Vec<_> = keys.iter().filter(|key| known(key).is_none()).collect();
    if !missing.is_empty() {
        let mut query = Form::new().with("active", true).with("limit", 100);
        for (index, key) in missing.iter().enumerate() {
            query = query.with(&format!("lookup_keys[{index}]"), key);
        }
        let list: List<Price> = stripe.get("/v1/prices", &query).await?;
        KNOWN.with_borrow_mut(|known| {
            for price in list.data {
                if let Some(key) = price.lookup_key.as_deref().and_then(PriceKey::parse) {
                    known.insert(key, price.id);
                }
            }
        });
    }
    keys.iter()
        .map(|key| {
            known(key).ok_or_else(|| {
                log::error("billing", &format!("Stripe has no price {key}: npm run catalogue:push"), Some(scope));
                Problem::new(Code::BillingNotConfigured, "This plan cannot be bought yet: its price is not set up.")
            })
        })
        .collect()
}
