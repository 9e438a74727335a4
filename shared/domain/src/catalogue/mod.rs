//! What is sold: products, their plans, what a plan includes and costs, and who may move where.
//!
//! | file | its job |
//! |---|---|
//! | `table` | **the catalogue itself**: change numbers there and nowhere else |
//! | `offer` | what an entry of it is made of, and finding one |
//! | `price` | amounts of money, and the key under which a price is known to Stripe |
//! | `moves` | which changes of plan there are, and when they take effect |
//! | `check` | what holds for every catalogue; one that breaks it does not compile |
//! | `names` | products and plans by name |
//! | `estimate` | what a request is reckoned at before it is made |
//!
//! An entry has a version. To change a plan, add an entry with the next version and leave the old one: whoever bought
//! that keeps it, limits and price, until they move ([`offer`] with a version, [`current`] without).

mod check;
mod estimate;
mod moves;
mod names;
mod offer;
mod price;
mod table;

pub use check::{Fault, fault};
pub use estimate::{TYPICAL_ANSWER_TOKENS, chat_estimate};
pub use moves::{Holding, Move, movement};
pub use names::{Plan, Product};
pub use offer::{Feature, Offer, ProductEntry, current, limits, offer, offers, plan_without_payment};
pub use price::{ANNUAL_MONTHS, Interval, Overage, Part, Price, PriceKey};
pub use table::PRODUCTS;
