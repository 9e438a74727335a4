//! Errors about the account of whoever runs the installation: its key, its credit, its country, its permissions.
//!
//! Providers answer them with whatever status and type they use for the caller's faults (Anthropic says that the credit is
//! used up with 400 `invalid_request_error`), and their texts name organisations, balances and billing pages. The caller can
//! do nothing about them and is told nothing of them; the operator's log has them as errors.

use super::{ErrorBody, ProviderErrorKind};

/// Codes and types that speak of the account, each with where it is documented.
const CODES: &[&str] = &[
    // <https://platform.openai.com/docs/guides/error-codes>
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "account_deactivated",
    "invalid_api_key",
    "incorrect_api_key",
    "invalid_organization",
    "mismatched_organization",
    "missing_scope",
    "access_terminated",
    "unsupported_country_region_territory",
    "ip_not_authorized",
    // <https://platform.claude.com/docs/en/api/errors>
    "authentication_error",
    "permission_error",
    "billing_error",
    // <https://ai.google.dev/gemini-api/docs/troubleshooting>
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "API_KEY_INVALID",
    "SERVICE_DISABLED",
    "FAILED_PRECONDITION",
    "BILLING_DISABLED",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
];

/// What the texts of such errors say, where the code does not. In lower case.
const PHRASES: &[&str] = &[
    "credit balance",
    "purchase credits",
    "plans & billing",
    "plan and billing details",
    "billing hard limit",
    "billing is not",
    "billing account",
    "enable billing",
    "exceeded your current quota",
    "your organization",
    "your organisation",
    "this organization has been disabled",
    "organization must be verified",
    "your account",
    "api key",
    "your workspace",
    "country, region, or territory",
    "location is not supported",
    "not available in your",
    "spending limit",
    "spend limit",
    "usage limits",
    "usage tier",
];

/// The kind of an error about the account; `None` for any other.
pub(super) fn kind_of(body: &ErrorBody) -> Option<ProviderErrorKind> {
    let has_code = body.code.as_deref().is_some_and(|code| CODES.iter().any(|known| known.eq_ignore_ascii_case(code)));
    let says_so = body.message.as_deref().is_some_and(|message| {
        let message = message.to_lowercase();
        PHRASES.iter().any(|phrase| message.contains(phrase))
    });
    (has_code || says_so).then_some(ProviderErrorKind::Unauthorized)
}
