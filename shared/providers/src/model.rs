//! `provider/model` names: what a client writes in `model`, and the list behind `GET /v1/models`.

use std::fmt;

use serde::Serialize;

use crate::price;

/// A model provider Tollgate can talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// OpenAI, or anything that speaks its chat completions.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API (`generateContent`).
    Gemini,
    /// Tollgate itself: `tollgate/extractive`, which calls no model.
    Tollgate,
}

impl Provider {
    /// Every provider, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Tollgate];

    /// The name in front of the slash, in usage rows and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Tollgate => "tollgate",
        }
    }

    /// The name as its owner writes it, for people.
    pub fn display_name(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Google Gemini",
            Self::Tollgate => "Tollgate",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A provider and the name of one of its models, as parsed from `provider/model`.
///
/// Any model name is accepted for a real provider: they add models every week, and the provider is the one who knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// Who serves it.
    pub provider: Provider,
    /// The provider's own name for it, without the prefix: `gpt-5-mini`.
    pub model: String,
}

/// The name in `model` is not one that can be routed; the contract answers 404 `model_not_found`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The model `{name}` does not exist. Names are `provider/model`, with openai, anthropic, gemini or tollgate as the provider."
)]
pub struct UnknownModel {
    /// What was asked for, shortened to 100 characters.
    pub name: String,
}

/// The only model Tollgate serves itself.
const EXTRACTIVE: &str = "extractive";
/// Longer names than this are nobody's; fine-tuned OpenAI models come to about 80.
const LONGEST_NAME: usize = 200;

impl ModelRef {
    /// Splits `provider/model` at the first slash (OpenAI-compatible servers have slashes in their model names).
    ///
    /// # Errors
    /// [`UnknownModel`] for an unknown provider, an empty name, a name with blanks or control characters, and for any
    /// `tollgate/` model but `tollgate/extractive`.
    pub fn parse(name: &str) -> Result<Self, UnknownModel> {
        Self::split(name)
            .ok_or_else(|| UnknownModel { name: name.chars().filter(|c| !c.is_control()).take(100).collect() })
    }

    fn split(name: &str) -> Option<Self> {
        let (prefix, model) = name.split_once('/')?;
        let provider = Provider::ALL.into_iter().find(|provider| provider.as_str() == prefix)?;
        let sound = !model.is_empty() && model.len() <= LONGEST_NAME && model.bytes().all(|b| b.is_ascii_graphic());
        let known = provider != Provider::Tollgate || model == EXTRACTIVE;
        (sound && known).then(|| Self { provider, model: model.to_owned() })
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

#[derive(Serialize)]
struct ModelOut {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

#[derive(Serialize)]
struct ModelsOut {
    object: &'static str,
    data: Vec<ModelOut>,
}

/// The body of `GET /v1/models` in OpenAI's list shape: the known models of the configured providers and, always,
/// `tollgate/extractive`. `created` is Unix time in seconds; the providers' own dates are not known here, so all entries share it.
pub fn models_list(configured: &[Provider], created: i64) -> String {
    let data = Provider::ALL
        .into_iter()
        .filter(|provider| *provider == Provider::Tollgate || configured.contains(provider))
        .flat_map(|provider| {
            price::known_models(provider).iter().map(move |model| ModelOut {
                id: format!("{provider}/{model}"),
                object: "model",
                created,
                owned_by: provider.as_str(),
            })
        })
        .collect();
    serde_json::to_string(&ModelsOut { object: "list", data }).unwrap_or_default()
}

#[cfg(test)]
mod tests;
