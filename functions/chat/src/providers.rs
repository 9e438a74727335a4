//! Which providers are configured, and where they are.

use tollgate_platform::{Code, Problem, settings};
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

/// Where a provider is; `None` when it is not configured. A base URL alone is enough: servers on one's own machine often
/// want no key.
pub fn endpoint(env: &Env, provider: Provider) -> Option<Endpoint> {
    let (key, base_url, default) = settings_of(provider)?;
    let (api_key, base_url) = (settings::text(env, key), settings::text(env, base_url));
    if api_key.is_none() && base_url.is_none() {
        return None;
    }
    Some(Endpoint { base_url: base_url.unwrap_or_else(|| default.to_owned()), api_key: api_key.unwrap_or_default() })
}

/// The providers that are configured.
pub fn configured(env: &Env) -> Vec<Provider> {
    Provider::ALL.into_iter().filter(|provider| endpoint(env, *provider).is_some()).collect()
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
