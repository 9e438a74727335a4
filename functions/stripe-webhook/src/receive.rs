//! `POST /webhooks/stripe`

use http::StatusCode;
use serde::Serialize;
use tollgate_domain::{
    stripe_api::Event,
    stripe_signature::{self, Rejected},
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Reply, read_bounded},
    log, settings,
    store::directory_stripe_events,
    stripe::not_configured,
};
use utoipa::ToSchema;
use worker::send::IntoSendFuture;

use crate::stripe_queue;

/// The largest event: Stripe's are some kilobytes.
const MAX_BYTES: usize = 1024 * 1024;

/// What Stripe is answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceivedOut {
    /// Always `true`.
    received: bool,
    /// Whether it had come before.
    duplicate: bool,
}

/// Takes an event of Stripe's. 200 once it is stored: whatever happens after that, it is processed, once. The body must be as
/// it was sent, signed with the endpoint's secret, five minutes ago at most.
#[utoipa::path(post, path = "/webhooks/stripe", operation_id = "receive_stripe_event", tag = "billing",
    params(("Stripe-Signature" = String, Header, description = "`t=...,v1=...`")), responses(
    (status = 200, body = ReceivedOut), (status = 400, body = Problem, description = "No event of Stripe's, a wrong signature, or too old"),
    (status = 413, body = Problem), (status = 503, body = Problem, description = "It could not be stored: Stripe sends it again"),
))]
#[worker::send]
pub async fn receive(scope: Scope) -> Result<Reply, Problem> {
    let secrets = settings::text(scope.env(), "STRIPE_WEBHOOK_SECRET").ok_or_else(not_configured)?;
    let secrets: Vec<&str> = secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
    let body = read_bounded(&scope, MAX_BYTES).into_send().await?;
    let header = scope.header("stripe-signature").unwrap_or_default();
    if let Err(why) = stripe_signature::verify(&header, &body, &secrets, scope.now()) {
        log::warn("stripe_webhook", &why.to_string(), Some(&scope));
        return Err(Problem::new(Code::BadRequest, refused(why)));
    }
    let event = Event::read(&body)
        .ok_or_else(|| Problem::new(Code::BadRequest, "The body is signed, and no event of Stripe's."))?;
    let is_new = directory_stripe_events::accept(&scope, &event).into_send().await?;
    // A duplicate of one that waits is not worth another message; one that is lost is found by the clock.
    if is_new && event.subject.is_some() && stripe_queue::hand_over(&scope, &[event.id]).await.is_err() {
        log::warn("stripe_webhook", "the queue did not take an event; cron will", Some(&scope));
    }
    Ok(Reply::json(StatusCode::OK, &ReceivedOut { received: true, duplicate: !is_new }))
}

const fn refused(why: Rejected) -> &'static str {
    match why {
        Rejected::Malformed => "The Stripe-Signature header is missing or cannot be read.",
        Rejected::OutOfTolerance => "The signature is older than five minutes, or of a time to come.",
        Rejected::NoMatch => "No signature fits the body.",
    }
}
