//! A provider that failed, as a problem: it is said who it was, and nothing of what only we should know.

use tollgate_platform::{Code, Problem, Scope, log, outgoing::Unreachable};
use tollgate_providers::{Provider, ProviderError, ProviderErrorKind};

/// The provider answered an error.
pub fn refused(scope: &Scope, error: &ProviderError) -> Problem {
    let code = match error.kind {
        ProviderErrorKind::Rejected if error.status == Some(404) => Code::ModelNotFound,
        ProviderErrorKind::Rejected => Code::ProviderRejected,
        ProviderErrorKind::RateLimited | ProviderErrorKind::Overloaded => Code::ProviderUnavailable,
        ProviderErrorKind::Unauthorized | ProviderErrorKind::BadAnswer | ProviderErrorKind::Cut => Code::ProviderError,
    };
    if code != Code::ProviderRejected {
        log::warn(
            "provider",
            &format!("{} {:?} {:?} {:?}: {}", error.provider, error.kind, error.status, error.code, error.message),
            Some(scope),
        );
    }
    Problem {
        provider: Some(error.provider.as_str()),
        retry_after_seconds: error.retry_after_seconds.map(u64::from),
        ..Problem::new(code, error.client_message())
    }
}

/// The provider could not be reached, or broke off.
pub fn unreachable(scope: &Scope, provider: Provider, error: &Unreachable) -> Problem {
    log::warn("provider", &format!("{provider} cannot be reached: {error}"), Some(scope));
    Problem {
        provider: Some(provider.as_str()),
        ..Problem::new(
            Code::ProviderError,
            format!("{} cannot be reached at the moment; nothing was charged.", provider.display_name()),
        )
    }
}
