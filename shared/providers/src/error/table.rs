//! Whose fault an error is: one table for the documented errors of all providers, in whatever status they come.
//!
//! Providers answer an error about the operator's account with whatever status and type they use for the caller's faults
//! (Anthropic says that the credit is used up with 400 `invalid_request_error`), and their texts name organisations, balances
//! and billing pages. The caller can do nothing about those and is told nothing of them; the operator's log has them as errors.
//! What is in no row goes by its status.

use super::{ErrorBody, ProviderErrorKind};

/// A row: what has one of the names, or says one of the phrases, is of that kind.
pub(super) struct Row {
    /// What happened, for docs/SDKS.md.
    #[cfg_attr(not(test), expect(dead_code, reason = "the document's test reads it"))]
    pub(super) what: &'static str,
    /// Codes, types, statuses and reasons.
    names: &'static [&'static str],
    /// What the texts say where the name does not. In lower case.
    phrases: &'static [&'static str],
    /// Whether only where the provider says when to ask again.
    only_with_retry: bool,
    pub(super) kind: ProviderErrorKind,
}

const fn row(
    what: &'static str,
    kind: ProviderErrorKind,
    names: &'static [&'static str],
    phrases: &'static [&'static str],
) -> Row {
    Row { what, names, phrases, only_with_retry: false, kind }
}

/// The rows, the first that fits counts. Sources: <https://platform.openai.com/docs/guides/error-codes>,
/// <https://platform.claude.com/docs/en/api/errors>, <https://ai.google.dev/gemini-api/docs/troubleshooting>.
pub(super) const ROWS: &[Row] = &[
    // Anthropic's text names "your organization's rate limit", so this comes before what is said of the account.
    row(
        "too many requests or tokens a minute",
        ProviderErrorKind::RateLimited,
        &["rate_limit_error", "rate_limit_exceeded", "tokens", "requests", "slow_down", "RATE_LIMIT_EXCEEDED"],
        &[],
    ),
    // Gemini says "exceeded your current quota" of a minute's quota too; then it says when to ask again.
    Row {
        what: "a minute's quota is used up",
        names: &["RESOURCE_EXHAUSTED"],
        phrases: &[],
        only_with_retry: true,
        kind: ProviderErrorKind::RateLimited,
    },
    row(
        "overloaded, down or too slow",
        ProviderErrorKind::Overloaded,
        &[
            "overloaded_error",
            "api_error",
            "timeout_error",
            "server_error",
            "engine_overloaded",
            "service_unavailable",
            "UNAVAILABLE",
            "INTERNAL",
            "DEADLINE_EXCEEDED",
            "CANCELLED",
            "ABORTED",
        ],
        &[],
    ),
    row(
        "key, permission, organisation or country of the operator",
        ProviderErrorKind::Unauthorized,
        &[
            "account_deactivated",
            "invalid_api_key",
            "incorrect_api_key",
            "invalid_organization",
            "mismatched_organization",
            "missing_scope",
            "access_terminated",
            "unsupported_country_region_territory",
            "ip_not_authorized",
            "authentication_error",
            "permission_error",
            "UNAUTHENTICATED",
            "PERMISSION_DENIED",
            "API_KEY_INVALID",
            "SERVICE_DISABLED",
            "FAILED_PRECONDITION",
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        ],
        &[
            "api key",
            "your organization",
            "your organisation",
            "this organization has been disabled",
            "organization must be verified",
            "your account",
            "your workspace",
            "does not have access to model",
            "country, region, or territory",
            "location is not supported",
            "not available in your",
            "has no permission",
            "permission denied",
            "project_number",
            "projects/",
        ],
    ),
    row(
        "credit, billing or a spending limit of the operator",
        ProviderErrorKind::Unauthorized,
        &[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "BILLING_DISABLED",
        ],
        &[
            "credit balance",
            "purchase credits",
            "plans & billing",
            "plan and billing details",
            "billing hard limit",
            "billing is not",
            "billing account",
            "enable billing",
            "exceeded your current quota",
            "spending limit",
            "spend limit",
            "usage limits",
            "usage tier",
            "insufficient funds",
            "insufficient balance",
            "prepaid",
            "top up",
            "payment method",
        ],
    ),
    row("any other quota", ProviderErrorKind::RateLimited, &["RESOURCE_EXHAUSTED"], &[]),
    row(
        "refused for its content",
        ProviderErrorKind::Refused,
        &[
            "content_policy_violation",
            "content_filter",
            "invalid_prompt",
            "image_content_policy_violation",
            "ResponsibleAIPolicyViolation",
        ],
        &[
            "content policy",
            "content filtering policy",
            "content management policy",
            "usage policy",
            "usage policies",
            "safety system",
            "flagged as potentially violating",
            "prohibited content",
        ],
    ),
    // The names are the codes of errors in the schema of OpenAI's answers (`ResponseErrorCode`); Anthropic and Google only say it.
    row(
        "an image or a file that cannot be read, or is too large",
        ProviderErrorKind::Rejected,
        &[
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "invalid_image_mode",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
        ],
        &[
            "could not process image",
            "image exceeds",
            "image dimensions exceed",
            "could not process pdf",
            "pdf is password protected",
            "pdf pages may be provided",
            "unable to process input image",
            "provided image is not valid",
            "unsupported mime type",
            "the document has no pages",
        ],
    ),
    row(
        "longer than the model's context",
        ProviderErrorKind::TooLong,
        &["context_length_exceeded", "model_max_prompt_tokens_exceeded"],
        &[
            "maximum context length",
            "prompt is too long",
            "context window",
            "exceed context limit",
            "input token count",
            "maximum number of tokens",
            "reduce the length of",
        ],
    ),
    row(
        "a body that is too large",
        ProviderErrorKind::TooLarge,
        &["request_too_large"],
        &[
            "request exceeds the maximum size",
            "request payload size exceeds",
            "exceeds the maximum allowed number of bytes",
        ],
    ),
    row(
        "no such model, or one that was withdrawn",
        ProviderErrorKind::NoModel,
        &["model_not_found", "not_found_error", "NOT_FOUND", "model_deprecated"],
        &[
            "has been deprecated",
            "has been retired",
            "does not exist or you do not have access",
            "is not found for api version",
        ],
    ),
    row(
        "a request that is wrong",
        ProviderErrorKind::Rejected,
        &["invalid_request_error", "INVALID_ARGUMENT", "OUT_OF_RANGE"],
        &[],
    ),
];

/// The kind of an error.
pub(super) fn kind_of(status: Option<u16>, body: &ErrorBody) -> ProviderErrorKind {
    // In a stream there is no status, and some servers send it as the code.
    let said = body.names.iter().find_map(|name| name.parse().ok().filter(|status| (400..600).contains(status)));
    let status = status.or(said);
    // Whatever the text says: a server that fails is no fault of an account or a request.
    if matches!(status, Some(408 | 500..=599)) {
        return ProviderErrorKind::Overloaded;
    }
    let message = body.message.as_deref().unwrap_or_default().to_lowercase();
    let fits = |row: &&Row| {
        (!row.only_with_retry || body.retry_after_seconds.is_some())
            && (body.names.iter().any(|name| row.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
                || row.phrases.iter().any(|phrase| message.contains(phrase)))
    };
    // A type says what an error is in general; what is more exact comes before it.
    let found = ROWS.iter().find(fits).map(|row| row.kind);
    match (found, status) {
        // Three statuses say more than the type that comes with every wrong request.
        (Some(ProviderErrorKind::Rejected) | None, Some(404)) => ProviderErrorKind::NoModel,
        (Some(ProviderErrorKind::Rejected) | None, Some(413)) => ProviderErrorKind::TooLarge,
        (Some(ProviderErrorKind::Rejected) | None, Some(429)) => ProviderErrorKind::RateLimited,
        (Some(ProviderErrorKind::Rejected) | None, Some(401..=403)) => ProviderErrorKind::Unauthorized,
        (Some(kind), _) => kind,
        (None, Some(400..=499)) => ProviderErrorKind::Rejected,
        (None, Some(_)) => ProviderErrorKind::BadAnswer,
        (None, None) => ProviderErrorKind::Overloaded,
    }
}
