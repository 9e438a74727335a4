//! Which providers are configured, and where they are.

use std::{cell::RefCell, time::Duration};

use tollgate_platform::{Code, Problem, meter::RESERVATION_TTL_MS, settings};
use tollgate_providers::{Endpoint, ModelRef, Provider};
use worker::Env;

/// The names of a provider's settings and its own address.
const fn settings_of(provider: Provider) -> Option<(&'static str, &'static str, &'static str)> {
    match provider {
        Provider::OpenAi => Some(("OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1")),
        Provider::Anthropic => Some(("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com")),
        Provider::Gemini => Some(("GEMINI_API_KEY", "GEMINI_BASE_URL", "https://generativelanguage.googleapis.com")),
        Provider::Tollgate => None,
    }
}

/// How long a provider may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the head of a stream.
    pub first_byte: Duration,
    /// For a whole answer, from its head to the end of its body.
    pub whole: Duration,
    /// Between two pieces of a stream.
    pub silence: Duration,
}

impl Limits {
    /// `<PROVIDER>_TIMEOUT_FIRST_BYTE_SECONDS`, `_TIMEOUT_SECONDS`, `_TIMEOUT_SILENCE_SECONDS`; a minute, ten and two
    /// where they are not set. Ten minutes is what OpenAI's own clients wait.
    fn of(env: &Env, provider: Provider) -> Self {
        let name = provider.as_str().to_ascii_uppercase();
        let seconds = |setting: &str, default: u64| {
            let set = settings::text(env, &format!("{name}_{setting}_SECONDS")).and_then(|text| text.parse().ok());
            Duration::from_secs(set.filter(|seconds| (1..=3_600).contains(seconds)).unwrap_or(default))
        };
        Self {
            first_byte: seconds("TIMEOUT_FIRST_BYTE", 60),
            whole: seconds("TIMEOUT", 600),
            silence: seconds("TIMEOUT_SILENCE", 120),
        }
    }

    /// How long a hold must stand so that it does not expire while its work may still go on: a whole answer, and some time
    /// to settle. Streams may last longer; a settle that comes late corrects what expired.
    pub fn hold_ms(&self) -> i64 {
        let work = self.whole.max(self.first_byte) + Duration::from_secs(30);
        i64::try_from(work.as_millis()).unwrap_or(RESERVATION_TTL_MS).max(RESERVATION_TTL_MS)
    }
}

/// A provider as it is configured.
#[derive(Debug, Clone)]
pub struct Provided {
    /// Where it is, and the key.
    pub endpoint: Endpoint,
    /// How long it may take.
    pub limits: Limits,
}

thread_local! {
    /// The providers that are configured. The environment does not change while an isolate lives, and each look at it costs.
    static PROVIDED: RefCell<Option<Vec<(Provider, Provided)>>> = const { RefCell::new(None) };
}

fn with_all<T>(env: &Env, look: impl FnOnce(&[(Provider, Provided)]) -> T) -> T {
    PROVIDED.with_borrow_mut(|known| {
        look(known.get_or_insert_with(|| {
            let read = |provider| {
                let endpoint = endpoint(env, provider)?;
                Some((provider, Provided { endpoint, limits: Limits::of(env, provider) }))
            };
            Provider::ALL.into_iter().filter_map(read).collect()
        }))
    })
}

/// A provider, where it is configured.
pub fn provided(env: &Env, provider: Provider) -> Option<Provided> {
    with_all(env, |all| all.iter().find(|(known, _)| *known == provider).map(|(_, provided)| provided.clone()))
}

/// Where a provider is; `None` when it is not configured. A base URL alone is enough: servers on one's own machine often
/// want no key.
fn endpoint(env: &Env, provider: Provider) -> Option<Endpoint> {
    let (key, base_url, default) = settings_of(provider)?;
    let (api_key, base_url) = (settings::text(env, key), settings::text(env, base_url));
    if api_key.is_none() && base_url.is_none() {
        return None;
    }
    Some(Endpoint { base_url: base_url.unwrap_or_else(|| default.to_owned()), api_key: api_key.unwrap_or_default() })
}

/// The providers that are configured.
pub fn configured(env: &Env) -> Vec<Provider> {
    with_all(env, |all| all.iter().map(|(provider, _)| *provider).collect())
}

/// 404 for a model of a provider that this installation does not have.
pub fn not_configured(model: &ModelRef) -> Problem {
    let setting = settings_of(model.provider).map_or("", |(key, _, _)| key);
    Problem {
        provider: Some(model.provider.as_str()),
        ..Problem::new(
            Code::ModelNotFound,
            format!(
                "The model `{model}` is not available: {} is not configured here ({setting}). GET /v1/models lists what is.",
                model.provider.display_name()
            ),
        )
    }
}
