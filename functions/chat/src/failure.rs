//! A provider that failed, as a problem: it is said who it was, and nothing of what only we should know.

use tollgate_platform::{Code, Problem, Scope, log, outgoing::Unreachable};
use tollgate_providers::{Provider, ProviderError, ProviderErrorKind};

/// The provider answered an error.
pub fn refused(scope: &Scope, error: &ProviderError) -> Problem {
    let code = match error.kind {
        ProviderErrorKind::NoModel => Code::ModelNotFound,
        ProviderErrorKind::Rejected => Code::ProviderRejected,
        ProviderErrorKind::Refused => Code::ContentPolicyViolation,
        ProviderErrorKind::TooLong => Code::ContextLengthExceeded,
        ProviderErrorKind::TooLarge => Code::PayloadTooLarge,
        ProviderErrorKind::RateLimited | ProviderErrorKind::Overloaded => Code::ProviderUnavailable,
        ProviderErrorKind::Unauthorized | ProviderErrorKind::BadAnswer | ProviderErrorKind::Cut => Code::ProviderError,
    };
    let said = format!("{} {:?} {:?} {:?}: {}", error.provider, error.kind, error.status, error.code, error.message);
    match error.kind {
        // The operator's key, credit or account: nobody else can mend it, so it is an error here.
        ProviderErrorKind::Unauthorized => log::error("provider", &said, Some(scope)),
        // A model may have been withdrawn: whoever runs the installation wants to know.
        kind if kind.is_of_the_request() && kind != ProviderErrorKind::NoModel => {}
        _ => log::warn("provider", &said, Some(scope)),
    }
    Problem {
        provider: Some(error.provider.as_str()),
        // A key or an account does not come right by asking again.
        should_retry: (error.kind == ProviderErrorKind::Unauthorized).then_some(false),
        retry_after_seconds: error.retry_after_seconds.map(u64::from),
        ..Problem::new(code, error.client_message())
    }
}

/// The provider could not be reached, or broke off.
pub fn unreachable(scope: &Scope, provider: Provider, error: &Unreachable) -> Problem {
    if let Unreachable::TooSlow(seconds) = error {
        log::warn("provider", &format!("{provider} does not answer: {error}"), Some(scope));
        return Problem {
            provider: Some(provider.as_str()),
            ..Problem::new(
                Code::ProviderTimeout,
                format!("{} did not answer within {seconds} s; nothing was charged.", provider.display_name()),
            )
        };
    }
    log::warn("provider", &format!("{provider} cannot be reached: {error}"), Some(scope));
    Problem {
        provider: Some(provider.as_str()),
        ..Problem::new(
            Code::ProviderError,
            format!("{} cannot be reached at the moment; nothing was charged.", provider.display_name()),
        )
    }
}
