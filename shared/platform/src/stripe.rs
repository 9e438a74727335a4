//! Stripe's API: one request at a time, tried again where that may help.
//!
//! What a request says and when it is made again is in [`tollgate_domain::stripe_api`].

use core::time::Duration;

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use tollgate_api::{Code, Problem};
use tollgate_domain::stripe_api::{API_VERSION, Form, Outcome, pause_ms};
use worker::Delay;

use crate::{
    Scope, log,
    outgoing::{self, Outgoing, Unreachable},
    random, settings,
};

/// How long one try may take for the head of its answer, and again for the rest.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer that is read. A page of a hundred subscriptions or invoices is some hundred kilobytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Why Stripe did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StripeError {
    /// It cannot be reached, or failed, after every try.
    Unavailable,
    /// It refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its code, `resource_missing` for example.
        code: String,
        /// The parameter that it is about, `customer` for example.
        param: String,
        /// What it says to people.
        message: String,
    },
}

impl StripeError {
    /// Whether there is no such object.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
            || matches!(self, Self::Refused { code, .. } if code == "resource_missing")
    }
}

/// What Stripe refuses is told by code and parameter; some answers, of old most of all, have the message alone.
impl StripeError {
    /// Whether it does not know the customer that was named: deleted there, of another account, or of the other mode.
    pub fn is_unknown_customer(&self) -> bool {
        matches!(self, Self::Refused { code, param, message, .. }
            if param == "customer" && code == "resource_missing" || message.starts_with("No such customer"))
    }

    /// Whether it does not take the price that was named: unknown, or archived.
    pub fn is_unusable_price(&self) -> bool {
        let is_about = |param: &str| param == "price" || param.ends_with("[price]");
        matches!(self, Self::Refused { status: 400 | 404, code, param, message }
            if is_about(param) && (code == "resource_missing" || message.contains("inactive"))
                || message.starts_with("No such price")
                || message.starts_with("The price specified is inactive"))
    }
}

impl StripeError {
    /// Whether Stripe has a meter event of this identifier already: it refuses the second one, most times without a code.
    pub fn is_known_event(&self) -> bool {
        matches!(self, Self::Refused { code, message, .. }
            if code == "duplicate_meter_event" || message.starts_with("An event already exists with identifier"))
    }
}

impl From<StripeError> for Problem {
    fn from(error: StripeError) -> Self {
        match error {
            // The card: what Stripe says about it is meant for its holder.
            StripeError::Refused { status: 402, message, .. } => {
                Self::new(Code::PaymentRequired, format!("The payment did not go through: {message}"))
            }
            // What else it refuses is ours to mend; the log knows. An answer that was lost says nothing of what was done.
            StripeError::Unavailable | StripeError::Refused { .. } => Self {
                detail:
                    "Stripe did not answer as it should. A change that was asked for may have been made all the same: \
                         GET /subscription says what is held. Look there before you try again."
                        .to_owned(),
                ..Self::dependency("stripe")
            },
        }
    }
}

/// What no plan can be bought without.
pub fn not_configured() -> Problem {
    Problem::new(Code::BillingNotConfigured, "Plans cannot be bought here: STRIPE_SECRET_KEY is not set.")
}

/// A client of Stripe's API.
#[derive(Debug, Clone)]
pub struct Stripe {
    scope: Scope,
    key: String,
    base: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: RefusalBody,
}

#[derive(Deserialize, Default)]
struct RefusalBody {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    param: Option<String>,
}

/// A list of Stripe's.
#[derive(Debug, Deserialize)]
pub struct List<T> {
    /// Its page.
    pub data: Vec<T>,
    /// Whether there is another page after it.
    #[serde(default)]
    pub has_more: bool,
}

impl Stripe {
    /// The client of this installation's account.
    ///
    /// # Errors
    /// 503 `billing_not_configured`.
    pub fn of(scope: &Scope) -> Result<Self, Problem> {
        let key = settings::text(scope.env(), "STRIPE_SECRET_KEY").ok_or_else(not_configured)?;
        let base =
            settings::text(scope.env(), "STRIPE_API_BASE").unwrap_or_else(|| "https://api.stripe.com".to_owned());
        Ok(Self { scope: scope.clone(), key, base: base.trim_end_matches('/').to_owned() })
    }

    /// Reads.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &Form) -> Result<T, StripeError> {
        let separator = if query.as_str().is_empty() { "" } else { "?" };
        self.send("GET", &format!("{path}{separator}{}", query.as_str()), None, "").await
    }

    /// Changes. `key` makes the request the same request, however often it is sent: Stripe carries it out once.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Form, key: &str) -> Result<T, StripeError> {
        self.send("POST", path, Some(body.as_str()), key).await
    }

    /// Deletes; what is gone already is gone.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn delete(&self, path: &str) -> Result<(), StripeError> {
        match self.send::<IgnoredAny>("DELETE", path, None, "").await {
            Err(error) if !error.is_missing() => Err(error),
            _ => Ok(()),
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        key: &str,
    ) -> Result<T, StripeError> {
        let url = format!("{}{path}", self.base);
        let authorization = format!("Bearer {}", self.key);
        let mut headers = vec![("authorization", authorization.as_str()), ("stripe-version", API_VERSION)];
        if body.is_some() {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            headers.push(("idempotency-key", key));
        }
        let place = path.split('?').next().unwrap_or(path);
        let mut tries = 0;
        loop {
            tries += 1;
            let (outcome, answer) = self.attempt(method, &url, &headers, body).await;
            if let Outcome::Answered { status: 200..=299, .. } = outcome {
                return serde_json::from_slice(&answer).map_err(|error| {
                    self.log(&format!("{method} {place}: an answer that cannot be read: {error}"));
                    StripeError::Unavailable
                });
            }
            let random = u32::from_be_bytes(random::bytes().unwrap_or_default());
            let Some(pause) = pause_ms(outcome, tries, random) else {
                return Err(self.refused(method, place, outcome, &answer));
            };
            Delay::from(Duration::from_millis(pause)).await;
        }
    }

    async fn attempt(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> (Outcome, Vec<u8>) {
        let call = Outgoing { method, url, headers, body };
        let read = async {
            let answer = outgoing::send(&self.scope, &call, PATIENCE).await?;
            let bytes = answer.bytes(MAX_BYTES, PATIENCE).await?;
            Ok::<_, Unreachable>((answer, bytes))
        };
        let (answer, bytes) = match read.await {
            Ok(answered) => answered,
            Err(error) => {
                self.log(&format!("no answer: {error}"));
                return (Outcome::Lost, Vec::new());
            }
        };
        let outcome = Outcome::Answered {
            status: answer.status(),
            should_retry: answer.header("stripe-should-retry").and_then(|value| value.parse().ok()),
            retry_after_seconds: answer.header("retry-after").and_then(|value| value.parse().ok()),
        };
        (outcome, bytes)
    }

    fn refused(&self, method: &str, place: &str, outcome: Outcome, answer: &[u8]) -> StripeError {
        let Outcome::Answered { status, .. } = outcome else {
            self.log(&format!("{method} {place}: no answer"));
            return StripeError::Unavailable;
        };
        let body = serde_json::from_slice::<Refusal>(answer).map(|refusal| refusal.error).unwrap_or_default();
        let (code, message) = (body.code.unwrap_or_default(), body.message.unwrap_or_default());
        self.log(&format!("{method} {place}: {status} {code} {message}"));
        if matches!(status, 409 | 429 | 500..) {
            return StripeError::Unavailable;
        }
        StripeError::Refused { status, code, param: body.param.unwrap_or_default(), message }
    }

    fn log(&self, text: &str) {
        log::warn("stripe", text, Some(&self.scope));
    }
}

#[cfg(test)]
mod tests {
    use super::StripeError;

    fn refused(status: u16, code: &str, param: &str, message: &str) -> StripeError {
        StripeError::Refused { status, code: code.into(), param: param.into(), message: message.into() }
    }

    #[test]
    fn an_unknown_customer_is_told_from_anything_else_that_is_missing() {
        let mode = "No such customer: 'cus_1'; a similar object exists in test mode, but a live mode key was used to make this request.";
        for error in [
            refused(400, "resource_missing", "customer", "No such customer: 'cus_1'"),
            refused(400, "resource_missing", "customer", mode),
            refused(404, "resource_missing", "id", "No such customer: 'cus_1'"),
            refused(400, "", "", mode),
        ] {
            assert!(error.is_unknown_customer() && !error.is_unusable_price(), "{error:?}");
        }
        for error in [
            refused(400, "resource_missing", "line_items[0][price]", "No such price: 'price_1'"),
            refused(404, "resource_missing", "id", "No such subscription: 'sub_1'"),
            refused(400, "", "customer", "You may only specify one of these parameters: customer, customer_email."),
            refused(401, "", "", "Invalid API Key provided"),
            StripeError::Unavailable,
        ] {
            assert!(!error.is_unknown_customer(), "{error:?}");
        }
    }

    #[test]
    fn a_price_that_is_unknown_or_archived_is_looked_up_anew_and_no_other_refusal() {
        for error in [
            refused(400, "resource_missing", "line_items[0][price]", "No such price: 'price_1'"),
            refused(
                400,
                "",
                "line_items[1][price]",
                "The price specified is inactive. This field only accepts active prices.",
            ),
            refused(
                400,
                "resource_missing",
                "items[0][price]",
                "No such price: 'price_1'; a similar object exists in test mode",
            ),
        ] {
            assert!(error.is_unusable_price(), "{error:?}");
        }
        for error in [
            refused(402, "card_declined", "", "Your card was declined."),
            refused(400, "", "line_items[0][quantity]", "Quantity is not allowed for metered prices."),
            refused(400, "resource_missing", "customer", "No such customer: 'cus_1'"),
            StripeError::Unavailable,
        ] {
            assert!(!error.is_unusable_price(), "{error:?}");
        }
    }
}
