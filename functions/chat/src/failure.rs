//! A provider that failed, as a problem: it is said who it was, and nothing of what only we should know.

use tollgate_platform::{Code, Problem, Scope, log, outgoing::Unreachable};
use tollgate_providers::{Logged, Provider, ProviderError, ProviderErrorKind};

/// The provider answered an error. What it means is in the table of `tollgate_providers`.
pub fn refused(scope: &Scope, error: &ProviderError) -> Problem {
    let meaning = error.kind.meaning();
    let said = format!("{} {:?} {:?} {:?}: {}", error.provider, error.kind, error.status, error.code, error.message);
    match meaning.logged {
        Logged::Nothing => {}
        Logged::Warning => log::warn("provider", &said, Some(scope)),
        Logged::Error => log::error("provider", &said, Some(scope)),
    }
    Problem {
        provider: Some(error.provider.as_str()),
        should_retry: Some(meaning.should_retry),
        retry_after_seconds: error.retry_after_seconds.map(u64::from),
        ..Problem::new(code_of(error.kind), error.client_message())
    }
}

/// The code whose name is in the table; a test holds both together.
const fn code_of(kind: ProviderErrorKind) -> Code {
    match kind {
        ProviderErrorKind::NoModel => Code::ModelNotFound,
        ProviderErrorKind::Rejected => Code::ProviderRejected,
        ProviderErrorKind::Refused => Code::ContentPolicyViolation,
        ProviderErrorKind::TooLong => Code::ContextLengthExceeded,
        ProviderErrorKind::TooLarge => Code::PayloadTooLarge,
        ProviderErrorKind::RateLimited | ProviderErrorKind::Overloaded => Code::ProviderUnavailable,
        ProviderErrorKind::Unauthorized | ProviderErrorKind::BadAnswer | ProviderErrorKind::Cut => Code::ProviderError,
    }
}

/// The provider could not be reached, or broke off.
pub fn unreachable(scope: &Scope, provider: Provider, error: &Unreachable) -> Problem {
    let name = provider.display_name();
    let (code, said, detail) = match error {
        Unreachable::TooSlow(seconds) => (
            Code::ProviderTimeout,
            "does not answer",
            format!("{name} did not answer within {seconds} s; nothing was charged."),
        ),
        Unreachable::Broken(_) => (
            Code::ProviderError,
            "cannot be reached",
            format!("{name} cannot be reached at the moment; nothing was charged."),
        ),
    };
    log::warn("provider", &format!("{provider} {said}: {error}"), Some(scope));
    Problem { provider: Some(provider.as_str()), ..Problem::new(code, detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_answers_and_streams_have_one_code_for_one_thing() {
        for kind in ProviderErrorKind::ALL {
            let (code, meaning) = (code_of(kind), kind.meaning());
            assert_eq!((code.as_str(), code.status().as_u16()), (meaning.code, meaning.status), "{kind:?}");
            assert!(!meaning.should_retry || code.is_worth_a_retry(), "{kind:?}");
        }
    }
}
