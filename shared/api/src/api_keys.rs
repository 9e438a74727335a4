//! API keys.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    api_key::{ApiKey, DEFAULT_OVERLAP_MS, InvalidScopes, MAX_OVERLAP_MS, Scopes, Token},
    time::Timestamp,
};

use crate::input::{FieldError, Validate};

/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 100;

/// The fastest a key may be told to be.
const MAX_PER_MINUTE: u32 = 100_000;

/// The longest list of scopes that is read: each at most once is 20.
const MAX_SCOPES: usize = 40;

/// `POST /user/api-keys`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyIn {
    /// What it is for: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "nightly report")]
    pub name: String,
    /// What it may do: `chat`, `conversations`, `usage`, `agent`, `tasks`, `gmail`, `workflows`, `team`, `billing`, `account`,
    /// each also as `:read`.
    #[schema(min_items = 1, max_items = 40, example = json!(["chat", "usage:read"]))]
    pub scopes: Vec<String>,
    /// When it ends, at most five years ahead; left out, it is good until it is revoked.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// How many requests a minute may be sent with it, a sixth of them at once; left out, as many as its user may.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000, example = 60)]
    pub requests_per_minute: Option<u32>,
}

impl Validate for ApiKeyIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > MAX_NAME_CHARS {
            errors.push(FieldError::new("name", format!("must have 1 to {MAX_NAME_CHARS} characters")));
        }
        if self.scopes.len() > MAX_SCOPES {
            errors.push(FieldError::new("scopes", format!("must be at most {MAX_SCOPES}")));
        } else if let Err(invalid) = self.scopes() {
            errors.push(invalid);
        }
        if self.requests_per_minute.is_some_and(|rate| !(1..=MAX_PER_MINUTE).contains(&rate)) {
            errors.push(FieldError::new("requests_per_minute", format!("must be 1 to {MAX_PER_MINUTE}")));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

impl ApiKeyIn {
    /// The scopes as a set.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn scopes(&self) -> Result<Scopes, FieldError> {
        Scopes::parse(self.scopes.iter().map(String::as_str)).map_err(|invalid| {
            let message = match invalid {
                InvalidScopes::Empty => "must name at least one".to_owned(),
                InvalidScopes::Unknown(name) => {
                    format!("has \"{}\", which is no scope", name.chars().take(40).collect::<String>())
                }
            };
            FieldError::new("scopes", message)
        })
    }
}

/// `POST /user/api-keys/{id}/rotate`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateIn {
    /// How long the old key goes on working: 0 to 604,800 (7 days); 86,400 (a day) when left out.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 604_800, example = 3_600)]
    pub overlap_seconds: Option<u32>,
}

impl Validate for RotateIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        if self.overlap_ms() <= MAX_OVERLAP_MS {
            return Ok(());
        }
        Err(vec![FieldError::new("overlap_seconds", format!("must be 0 to {}", MAX_OVERLAP_MS / 1_000))])
    }
}

impl RotateIn {
    /// The overlap.
    pub fn overlap_ms(&self) -> i64 {
        self.overlap_seconds.map_or(DEFAULT_OVERLAP_MS, |seconds| i64::from(seconds) * 1_000)
    }
}

/// A key, without its secret.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ApiKeyOut {
    /// `key_…`
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What every key begins with.
    pub prefix: &'static str,
    /// Its last four characters.
    pub last_four: String,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    pub scopes: Scopes,
    /// The product whose plan pays.
    pub product: String,
    /// How many requests a minute may be sent with it; `null`: as many as its user may.
    pub requests_per_minute: Option<u32>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends or ended; `null`: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the hour; `null`: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// The key that takes its place, after a rotation.
    pub replaced_by: Option<String>,
}

impl ApiKeyOut {
    /// A stored key as it is shown.
    pub fn new(key: &ApiKey, name: String, last_four: String, last_used_at: Option<Timestamp>) -> Self {
        Self {
            id: key.id.to_string(),
            name,
            prefix: Token::PREFIX,
            last_four,
            scopes: key.scopes,
            product: key.product.to_string(),
            requests_per_minute: key.rate.map(|rate| rate.per_minute),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at,
            replaced_by: key.replaced_by.map(|id| id.to_string()),
        }
    }
}

/// A key that was just made.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ApiKeyMadeOut {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKeyOut,
    /// What to send as `Authorization: Bearer …`. It is shown now and never again.
    #[schema(example = "tg_live_…")]
    pub secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::from_json;

    #[test]
    fn every_wrong_field_of_a_key_is_named_at_once() {
        let wrong = from_json::<ApiKeyIn>(br#"{"name":" ","scopes":["root"],"requests_per_minute":0}"#).unwrap_err();
        let errors: Vec<_> = wrong.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "name must have 1 to 100 characters",
                "scopes has \"root\", which is no scope",
                "requests_per_minute must be 1 to 100000"
            ]
        );
        assert!(from_json::<ApiKeyIn>(br#"{"name":"a","scopes":[]}"#).is_err());
        assert!(from_json::<ApiKeyIn>(br#"{"name":"a","scopes":["chat"],"expires_at":"soon"}"#).is_err());
        let good = br#"{"name":"a","scopes":["chat"],"expires_at":"2030-01-01T00:00:00Z","requests_per_minute":1}"#;
        assert!(from_json::<ApiKeyIn>(good).is_ok());
    }

    #[test]
    fn an_overlap_is_a_day_unless_said_otherwise_and_seven_at_most() {
        assert_eq!(from_json::<RotateIn>(b"{}").unwrap().overlap_ms(), 86_400_000);
        assert_eq!(from_json::<RotateIn>(br#"{"overlap_seconds":0}"#).unwrap().overlap_ms(), 0);
        assert!(from_json::<RotateIn>(br#"{"overlap_seconds":604800}"#).is_ok());
        assert!(from_json::<RotateIn>(br#"{"overlap_seconds":604801}"#).is_err());
    }
}
