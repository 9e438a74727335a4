//! Errors as `application/problem+json` (RFC 9457).
//!
//! Every error the API answers is a [`Problem`] with a [`Code`]; a client switches on `code`, a person reads
//! `detail`. What belongs in the log and not to a client (a provider's body, an SQL error) never enters here.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use tollgate_domain::{
    api_key::Scope,
    catalogue::Plan,
    meter::{Bucket, MeterName, Refusal},
    time::Timestamp,
};

use crate::input::FieldError;

/// The stable, machine-readable name of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The body is not JSON, a header or a query parameter is malformed.
    BadRequest,
    /// A field has a wrong type or value; `errors` names it.
    InvalidInput,
    /// No credentials, or none that are understood.
    Unauthorized,
    /// The access token has expired: refresh it.
    TokenExpired,
    /// The session was ended: sign in again.
    SessionRevoked,
    /// E-mail or password is wrong.
    InvalidCredentials,
    /// The password is right, and a code is wanted beside it.
    TotpRequired,
    /// The trial is over.
    TrialExpired,
    /// The plan is not paid, or a payment did not go through.
    PaymentRequired,
    /// The plan does not include this.
    PlanLacksFeature,
    /// The role does not allow this.
    Forbidden,
    /// There is nothing here, or nothing of yours.
    NotFound,
    /// No such model, or its provider is not configured.
    ModelNotFound,
    /// The address exists, the method does not.
    MethodNotAllowed,
    /// What is there does not allow it: a limit is reached, or it was done already.
    Conflict,
    /// Models that cost money take a confirmed address.
    EmailNotVerified,
    /// What all trials together may cost in a day is spent.
    TrialBudgetSpent,
    /// The address is already registered.
    EmailTaken,
    /// A team needs an owner.
    LastOwner,
    /// All seats are taken.
    NoSeat,
    /// The address is a member of the team, or is invited.
    AlreadyInvited,
    /// The caller is in a team, and has to leave it first.
    LeaveTeamFirst,
    /// The invitation was accepted, taken back, or its time is over.
    InvitationClosed,
    /// What was to be replaced is of another version than `If-Match` names.
    PreconditionFailed,
    /// The sign-in provider is not configured here.
    ProviderNotConfigured,
    /// A sign-in through another party is not good.
    SignInRefused,
    /// The provider does not vouch for an address that is registered here.
    EmailNotVouchedFor,
    /// It is the last way to sign in.
    LastSignIn,
    /// Another team has proven that the domain is its own.
    DomainTaken,
    /// The record that proves a domain is not there.
    DomainNotProven,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// There is no such move from the plan that is held.
    NotAnUpgrade,
    /// The same `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// Too many large bodies are being worked on.
    TooBusy,
    /// The first request under this `Idempotency-Key` has not finished yet.
    IdempotencyKeyInProgress,
    /// The `Idempotency-Key` was answered and charged once, but the answer is not kept any more.
    IdempotencyAnswerGone,
    /// The plan's allowance is used up.
    QuotaExceeded,
    /// Too many requests in a short time.
    RateLimited,
    /// The model provider refused the request; `detail` says why.
    ProviderRejected,
    /// The provider refused what the request says.
    ContentPolicyViolation,
    /// The prompt, or prompt and answer together, are longer than the model's context.
    ContextLengthExceeded,
    /// The model provider failed.
    ProviderError,
    /// The model provider is busy or limits us.
    ProviderUnavailable,
    /// The model provider did not answer in time.
    ProviderTimeout,
    /// One of our own parts cannot be reached; `dependency` names it.
    DependencyUnavailable,
    /// Plans cannot be bought here: no payment provider is set up.
    BillingNotConfigured,
    /// A fault of ours; the log knows it under the request id.
    Internal,
}

/// An error as the client sees it. The request id is added where the answer leaves.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Where this kind of error is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of error in a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time and what to do about it.
    pub detail: String,
    /// The kind of error for programs.
    pub code: Code,
    /// The request, as in `X-Request-Id` and in the log.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The meter that has too little left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub meter: Option<MeterName>,
    /// Its limit in this period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What is used of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// What is held by requests in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<u64>,
    /// What is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// What this request asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<u64>,
    /// When the meter starts again; for a trial, when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
    /// Where to get more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_url: Option<String>,
    /// The model provider that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<&'static str>,
    /// The part of ours that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependency: Option<&'static str>,
    /// The `Retry-After` header, in seconds.
    #[serde(skip)]
    pub retry_after_seconds: Option<u64>,
    /// Whether the same request may go well later, where this is known better than by the code.
    #[serde(skip)]
    pub should_retry: Option<bool>,
}

impl Code {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::InvalidInput => "invalid_input",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::SessionRevoked => "session_revoked",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TotpRequired => "totp_required",
            Self::TrialExpired => "trial_expired",
            Self::PaymentRequired => "payment_required",
            Self::PlanLacksFeature => "plan_lacks_feature",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::EmailNotVerified => "email_not_verified",
            Self::TrialBudgetSpent => "trial_budget_spent",
            Self::EmailTaken => "email_taken",
            Self::LastOwner => "last_owner",
            Self::NoSeat => "no_seat",
            Self::AlreadyInvited => "already_invited",
            Self::LeaveTeamFirst => "leave_team_first",
            Self::InvitationClosed => "invitation_closed",
            Self::PreconditionFailed => "precondition_failed",
            Self::ProviderNotConfigured => "provider_not_configured",
            Self::SignInRefused => "sign_in_refused",
            Self::EmailNotVouchedFor => "email_not_vouched_for",
            Self::LastSignIn => "last_sign_in",
            Self::DomainTaken => "domain_taken",
            Self::DomainNotProven => "domain_not_proven",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotAnUpgrade => "not_an_upgrade",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::TooBusy => "too_busy",
            Self::IdempotencyKeyInProgress => "idempotency_key_in_progress",
            Self::IdempotencyAnswerGone => "idempotency_answer_gone",
            Self::QuotaExceeded => "quota_exceeded",
            Self::RateLimited => "rate_limited",
            Self::ProviderRejected => "provider_rejected",
            Self::ContentPolicyViolation => "content_policy_violation",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::ProviderError => "provider_error",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderTimeout => "provider_timeout",
            Self::DependencyUnavailable => "dependency_unavailable",
            Self::BillingNotConfigured => "billing_not_configured",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::ProviderRejected | Self::ContentPolicyViolation | Self::ContextLengthExceeded => {
                StatusCode::BAD_REQUEST
            }
            Self::InvalidInput | Self::NotAnUpgrade | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthorized
            | Self::TokenExpired
            | Self::SessionRevoked
            | Self::InvalidCredentials
            | Self::SignInRefused
            | Self::TotpRequired => StatusCode::UNAUTHORIZED,
            Self::TrialExpired | Self::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
            Self::PlanLacksFeature | Self::Forbidden | Self::EmailNotVerified => StatusCode::FORBIDDEN,
            Self::NotFound | Self::ModelNotFound | Self::ProviderNotConfigured => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict
            | Self::EmailNotVouchedFor
            | Self::LastSignIn
            | Self::DomainTaken
            | Self::DomainNotProven
            | Self::EmailTaken
            | Self::LastOwner
            | Self::NoSeat
            | Self::AlreadyInvited
            | Self::LeaveTeamFirst => StatusCode::CONFLICT,
            Self::IdempotencyAnswerGone | Self::InvitationClosed => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::QuotaExceeded | Self::RateLimited | Self::TrialBudgetSpent => StatusCode::TOO_MANY_REQUESTS,
            Self::ProviderError => StatusCode::BAD_GATEWAY,
            Self::ProviderTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::ProviderUnavailable
            | Self::DependencyUnavailable
            | Self::BillingNotConfigured
            | Self::TooBusy
            | Self::IdempotencyKeyInProgress => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the same request may go well a little later, without anybody doing anything about it.
    pub const fn is_worth_a_retry(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::QuotaExceeded
                | Self::ProviderError
                | Self::ProviderUnavailable
                | Self::ProviderTimeout
                | Self::DependencyUnavailable
                | Self::TooBusy
                | Self::IdempotencyKeyInProgress
                | Self::Internal
        )
    }

    const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be read",
            Self::InvalidInput => "The request has an invalid field",
            Self::Unauthorized => "Credentials are missing or not valid",
            Self::TokenExpired => "The access token has expired",
            Self::SessionRevoked => "The session was ended",
            Self::InvalidCredentials => "E-mail, password or code is wrong",
            Self::TotpRequired => "A one-time code is wanted",
            Self::TrialExpired => "The trial has ended",
            Self::PaymentRequired => "A payment is needed",
            Self::PlanLacksFeature => "The plan does not include this",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::ModelNotFound => "Model not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict => "Not possible as things are",
            Self::EmailNotVerified => "The e-mail address is not confirmed",
            Self::TrialBudgetSpent => "Today's trials are used up",
            Self::EmailTaken => "The e-mail address is already registered",
            Self::LastOwner => "A team needs an owner",
            Self::NoSeat => "All seats are taken",
            Self::AlreadyInvited => "Is a member or invited already",
            Self::LeaveTeamFirst => "Another team has to be left first",
            Self::InvitationClosed => "The invitation is no longer good",
            Self::PreconditionFailed => "It was changed by somebody else",
            Self::ProviderNotConfigured => "The sign-in provider is not configured",
            Self::SignInRefused => "The sign-in through the provider is not good",
            Self::EmailNotVouchedFor => "The provider does not vouch for the address",
            Self::LastSignIn => "It is the last way to sign in",
            Self::DomainTaken => "The domain is another team's",
            Self::DomainNotProven => "The domain is not proven",
            Self::PayloadTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body's type is not supported",
            Self::NotAnUpgrade => "There is no such move",
            Self::IdempotencyKeyReused => "The idempotency key was used for another request",
            Self::TooBusy => "Too much at this moment",
            Self::IdempotencyKeyInProgress => "The first request with this idempotency key is still running",
            Self::IdempotencyAnswerGone => "The answer under this idempotency key is not kept any more",
            Self::QuotaExceeded => "The plan's allowance is used up",
            Self::RateLimited => "Too many requests",
            Self::ProviderRejected => "The model provider refused the request",
            Self::ContentPolicyViolation => "The model provider refused the content",
            Self::ContextLengthExceeded => "Longer than the model's context",
            Self::ProviderError => "The model provider failed",
            Self::ProviderUnavailable => "The model provider is not available",
            Self::ProviderTimeout => "The model provider did not answer in time",
            Self::DependencyUnavailable => "A part of the platform is not available",
            Self::BillingNotConfigured => "Plans cannot be bought here",
            Self::Internal => "Something went wrong on our side",
        }
    }

    /// The `type` that OpenAI's clients expect beside the code.
    pub const fn openai_type(self) -> &'static str {
        match self {
            Self::Unauthorized
            | Self::TokenExpired
            | Self::SessionRevoked
            | Self::InvalidCredentials
            | Self::TotpRequired => "authentication_error",
            Self::QuotaExceeded | Self::TrialExpired | Self::PaymentRequired => "insufficient_quota",
            Self::RateLimited => "rate_limit_error",
            Self::Forbidden | Self::PlanLacksFeature => "permission_error",
            Self::ProviderError
            | Self::ProviderUnavailable
            | Self::ProviderTimeout
            | Self::DependencyUnavailable
            | Self::Internal => "server_error",
            _ => "invalid_request_error",
        }
    }
}

impl Problem {
    /// An error of that kind, with what went wrong this time.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/api/docs#{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
            request_id: String::new(),
            errors: Vec::new(),
            meter: None,
            limit: None,
            used: None,
            reserved: None,
            remaining: None,
            requested: None,
            resets_at: None,
            upgrade_url: None,
            provider: None,
            dependency: None,
            retry_after_seconds: None,
            should_retry: None,
        }
    }

    /// A field is wrong.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(Code::InvalidInput, detail) }
    }

    /// A fault of ours: says nothing of itself.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "The fault is logged under this request id.")
    }

    /// A part of ours that cannot be reached.
    pub fn dependency(name: &'static str) -> Self {
        Self {
            dependency: Some(name),
            retry_after_seconds: Some(1),
            ..Self::new(
                Code::DependencyUnavailable,
                format!("The {name} cannot be reached at the moment; nothing was charged. Try again."),
            )
        }
    }

    /// No such thing, or nothing of the caller's.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// An API key that is not known, revoked, expired, or has a wrong secret: which of them is not told.
    pub fn api_key_refused() -> Self {
        Self::new(Code::Unauthorized, "The API key is not valid: it was revoked, has expired, or never was one.")
    }

    /// An API key that may not do this.
    pub fn scope_missing(scope: Scope) -> Self {
        Self::new(Code::Forbidden, format!("This API key lacks the scope \"{scope}\"."))
    }

    /// A meter's refusal, as the client sees it.
    pub fn refusal(refusal: &Refusal, now: Timestamp, public_url: &str) -> Self {
        let upgrade_url = Some(format!("{public_url}/subscription/plans"));
        match refusal {
            Refusal::NotConfigured => Self::dependency("meter"),
            Refusal::SessionRevoked => Self::new(Code::SessionRevoked, "This session was ended. Sign in again."),
            Refusal::KeyNotKnown | Refusal::KeyRefused => Self::api_key_refused(),
            Refusal::ScopeMissing { scope } => Self::scope_missing(*scope),
            Refusal::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was sent with another body before. Use a new key for a new request.",
            ),
            Refusal::TrialExpired { ended_at } => Self {
                upgrade_url,
                ..Self::new(
                    Code::TrialExpired,
                    format!("The trial ended at {ended_at}. Nothing was deleted; choose a plan to go on."),
                )
            },
            Refusal::PaymentRequired { plan, ended_at } => Self {
                upgrade_url,
                ..Self::new(
                    Code::PaymentRequired,
                    format!("The plan {plan} ended at {ended_at}. Nothing was deleted; choose a plan to go on."),
                )
            },
            Refusal::RateLimited { limit, bucket, retry_after_ms } => Self {
                limit: Some(u64::from(limit.per_minute)),
                remaining: Some(0),
                retry_after_seconds: Some(retry_after_ms.div_ceil(1_000)),
                ..Self::new(
                    Code::RateLimited,
                    format!(
                        "{} may send {} requests a minute, {} at once. Nothing was charged; wait {retry_after_ms} ms.",
                        match bucket {
                            Bucket::User => "This account",
                            Bucket::ApiKey(_) => "This API key",
                        },
                        limit.per_minute,
                        limit.burst
                    ),
                )
            },
            Refusal::EmailNotVerified => Self::new(
                Code::EmailNotVerified,
                "Models that cost money take a confirmed address. Open the link in the mail that was sent to yours; \
                 POST /auth/verify-email/resend sends another. Until then tollgate/extractive answers.",
            ),
            Refusal::NotIncluded { meter, plan } => Self {
                meter: Some(*meter),
                upgrade_url,
                ..Self::new(Code::PlanLacksFeature, format!("The plan {plan} does not include {meter}."))
            },
            Refusal::QuotaExceeded { standing, requested, plan } => {
                // Where overage is billed this is the spending cap.
                let remaining = standing.admissible().unwrap_or(0);
                let limit = standing.ceiling.unwrap_or(0);
                let mut detail = format!(
                    "{} of {limit} {} of the plan {plan} are left and this request needs {requested}.",
                    remaining, standing.meter
                );
                if standing.meter == MeterName::Tokens && remaining > 0 {
                    detail.push_str(" A smaller max_tokens or a shorter prompt may fit.");
                }
                let end = standing.resets_at;
                let renewal = match plan {
                    Plan::Trial => {
                        format!(" A trial's allowance does not renew; this one lasts until {end} at most.")
                    }
                    _ => format!(" It starts again at {end}."),
                };
                detail.push_str(&renewal);
                Self {
                    meter: Some(standing.meter),
                    limit: standing.ceiling,
                    used: Some(standing.used),
                    reserved: Some(standing.reserved),
                    remaining: Some(remaining),
                    requested: Some(*requested),
                    resets_at: Some(standing.resets_at),
                    upgrade_url,
                    // Requests in flight may give some back at once; a used-up meter waits for the next period.
                    retry_after_seconds: Some(if fits_after_returns(standing.ceiling, standing.used, *requested) {
                        1
                    } else {
                        standing.resets_at.seconds_since(now)
                    }),
                    ..Self::new(Code::QuotaExceeded, detail)
                }
            }
        }
    }

    /// The JSON text. `openai` adds the `error` member that OpenAI's clients read.
    pub fn to_json(&self, openai: bool) -> String {
        let Ok(mut value) = serde_json::to_value(self) else {
            return String::from("{}");
        };
        if openai && let Some(members) = value.as_object_mut() {
            let param = self.errors.first().map(|error| error.field.clone());
            members.insert(
                "error".into(),
                serde_json::json!({
                    "message": self.detail, "type": self.code.openai_type(), "param": param, "code": self.code,
                }),
            );
        }
        value.to_string()
    }
}

fn fits_after_returns(limit: Option<u64>, used: u64, requested: u64) -> bool {
    limit.is_none_or(|limit| requested <= limit.saturating_sub(used))
}

/// The status travels in the answer, the problem itself in its extensions: the body is written where the request
/// id is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::meter::Standing;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn quota(used: u64, reserved: u64) -> Problem {
        let standing = Standing {
            meter: MeterName::Requests,
            limit: Some(120),
            ceiling: Some(120),
            used,
            reserved,
            resets_at: NOW.plus_days(1),
        };
        Problem::refusal(
            &Refusal::QuotaExceeded { standing, requested: 1, plan: Plan::Trial },
            NOW,
            "https://example.com",
        )
    }

    #[test]
    fn a_used_up_quota_says_what_is_left_and_when_it_resets() {
        let problem = quota(120, 0);
        let json: serde_json::Value = serde_json::from_str(&problem.to_json(false)).unwrap();
        assert_eq!(json["status"], 429);
        assert_eq!(json["code"], "quota_exceeded");
        assert_eq!(json["meter"], "requests");
        assert_eq!(
            (json["limit"].as_u64(), json["used"].as_u64(), json["remaining"].as_u64()),
            (Some(120), Some(120), Some(0))
        );
        assert_eq!(json["resets_at"], "2023-11-15T22:13:20Z");
        assert_eq!(json["upgrade_url"], "https://example.com/subscription/plans");
        assert_eq!(problem.retry_after_seconds, Some(86_400));
        assert!(json.get("error").is_none() && json.get("dependency").is_none());
    }

    #[test]
    fn a_quota_that_is_only_held_is_worth_a_retry_soon() {
        assert_eq!(quota(100, 20).retry_after_seconds, Some(1));
    }

    #[test]
    fn openai_clients_find_their_error_member() {
        let problem = Problem::invalid(vec![FieldError::new("messages[0].role", "is missing")]);
        let json: serde_json::Value = serde_json::from_str(&problem.to_json(true)).unwrap();
        assert_eq!(json["error"]["type"], "invalid_request_error");
        assert_eq!(json["error"]["param"], "messages[0].role");
        assert_eq!(json["errors"][0]["field"], "messages[0].role");
        assert_eq!(json["detail"], "messages[0].role is missing");
    }

    #[test]
    fn an_internal_fault_says_nothing_of_itself() {
        assert_eq!(Problem::internal().detail, "The fault is logged under this request id.");
    }
}
