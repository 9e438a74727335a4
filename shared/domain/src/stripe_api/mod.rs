//! Speaking with Stripe's API: what goes over the wire, and when a request is made again.
//!
//! | file | its job |
//! |---|---|
//! | `form` | a request's body: nested keys as Stripe takes them |
//! | `retry` | which answers are worth another try, and when |
//! | `event` | what an event says: which subscription of which customer changed, or which payment |
//! | `invoice` | what was paid, and for which period |
//! | `payment` | a payment with its refunds and disputes |

mod event;
mod form;
mod invoice;
mod payment;
mod retry;

pub use event::{Event, Subject};
pub use form::Form;
pub use invoice::{Expandable, Invoice, Line};
pub use payment::{Charge, InvoicePayment, PaymentIntent, Refund, StripeDispute, refunded};
pub use retry::{MAX_EVENT_TRIES, MAX_TRIES, Outcome, event_pause_seconds, pause_ms};

/// The version of the API that is asked for with every request: what Stripe answers does not change under us. Both the old
/// and the new shape of a subscription are read all the same: an event has the version of its endpoint.
/// Source: <https://docs.stripe.com/api/versioning>.
pub const API_VERSION: &str = "2026-10-28.endive";
