//! Prints every price that is sold as JSON, for `npm run catalogue:push`.

use std::io::Write;

use tollgate_domain::{
    catalogue::{Interval, Offer, PRODUCTS, Part, PriceKey, ProductEntry},
    overage::event_name,
};

fn main() -> std::io::Result<()> {
    let prices: Vec<_> =
        PRODUCTS.iter().flat_map(|entry| entry.offers.iter().flat_map(move |offer| prices(entry, offer))).collect();
    let text = serde_json::to_string_pretty(&prices)?;
    writeln!(std::io::stdout(), "{text}")
}

/// Old versions too: whoever holds one may add seats to it.
fn prices(entry: &ProductEntry, offer: &Offer) -> Vec<serde_json::Value> {
    let Some(price) = offer.price else { return Vec::new() };
    let mut lines = Vec::new();
    for interval in [Interval::Month, Interval::Year] {
        let mut line = |part, cents: u64| {
            let key = PriceKey { product: entry.product, plan: offer.plan, version: offer.version, part, interval };
            let seat = part == Part::Seat;
            lines.push(serde_json::json!({
                "lookup_key": key.to_string(), "product": entry.product, "plan": offer.plan, "seat": seat,
                "interval": interval, "unit_amount": cents, "currency": "usd",
            }));
        };
        line(Part::Base, price.base_cents(interval));
        if let Some(cents) = price.seat_cents(interval) {
            line(Part::Seat, cents);
        }
        for overage in offer.overage {
            let part = Part::Overage(overage.meter);
            let key = PriceKey { product: entry.product, plan: offer.plan, version: offer.version, part, interval };
            lines.push(serde_json::json!({
                "lookup_key": key.to_string(), "product": entry.product, "plan": offer.plan, "interval": interval,
                "meter": overage.meter, "event_name": event_name(entry.product, overage.meter),
                "unit_amount_decimal": overage.unit_amount_decimal(), "currency": "usd",
            }));
        }
    }
    lines
}
