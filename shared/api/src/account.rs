//! Accounts: registration, sign-in, profile, trial.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    account::{Email, check_password},
    catalogue::Product,
    id::{DeletionId, IdentityId, SessionId, TenantId, UserId},
    time::Timestamp,
    trial::TrialStatus,
};

use crate::input::{FieldError, Validate};

/// The longest name a person or a tenant can have, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// `POST /auth/register`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct RegisterIn {
    /// The sign-in name.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// 12 to 128 characters, not a well-known one.
    #[schema(min_length = 12, max_length = 128, example = "a long and private sentence")]
    pub password: String,
    /// How to address the person.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// What to try: `agent` (the default), `chat` or `gmail`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "agent")]
    pub product: Option<String>,
}

impl Validate for RegisterIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        match Email::parse(&self.email) {
            Ok(email) => {
                if let Err(weak) = check_password(&self.password, &email) {
                    errors.push(FieldError::new("password", weak.to_string()));
                }
            }
            Err(invalid) => errors.push(FieldError::new("email", invalid.to_string())),
        }
        if self.name.as_deref().is_some_and(|name| name.chars().count() > MAX_NAME_CHARS) {
            errors.push(FieldError::new("name", format!("must have at most {MAX_NAME_CHARS} characters")));
        }
        if self.product.as_deref().is_some_and(|product| Product::parse(product).is_none()) {
            errors.push(FieldError::new("product", "must be agent, chat or gmail"));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// `POST /auth/login`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct LoginIn {
    /// The sign-in name.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// The password.
    pub password: String,
    /// Where the account has a second factor: the six digits that the app shows, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "287082")]
    pub totp: Option<String>,
}

impl Validate for LoginIn {}

/// `POST /auth/password`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct ChangePasswordIn {
    /// The password that is to be replaced.
    pub current_password: String,
    /// 12 to 128 characters, not a well-known one.
    #[schema(min_length = 12, max_length = 128, example = "another long and private sentence")]
    pub new_password: String,
}

impl Validate for ChangePasswordIn {}

/// `POST /auth/refresh` and `POST /auth/logout`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct RefreshIn {
    /// The refresh token of the latest answer.
    pub refresh_token: String,
}

impl Validate for RefreshIn {}

/// `POST /auth/verify-email`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct TokenIn {
    /// The token of the link that was mailed.
    pub token: String,
}

impl Validate for TokenIn {}

/// `POST /auth/forgot-password`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct EmailIn {
    /// The sign-in name.
    #[schema(example = "ada@example.com")]
    pub email: String,
}

impl Validate for EmailIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        Email::parse(&self.email).map(drop).map_err(|invalid| vec![FieldError::new("email", invalid.to_string())])
    }
}

/// `POST /auth/reset-password`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct ResetPasswordIn {
    /// The token of the link that was mailed.
    pub token: String,
    /// 12 to 128 characters, not a well-known one.
    #[schema(min_length = 12, max_length = 128, example = "another long and private sentence")]
    pub password: String,
    /// Whether to revoke all of the user's API keys with it: for when somebody else may have had the account. Keys made before
    /// the address was ever confirmed end in any case.
    #[serde(default)]
    pub revoke_api_keys: bool,
}

impl Validate for ResetPasswordIn {}

/// `DELETE /user`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteUserIn {
    /// The password, of whoever has one.
    #[serde(default)]
    pub password: Option<String>,
}

impl Validate for DeleteUserIn {}

/// A deletion that has begun.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeletionOut {
    /// `del_…`: name it when you ask for the proof.
    #[schema(value_type = String)]
    pub id: DeletionId,
    /// SHA-256 by which the proof names the user: `deletion subject`, a zero byte, and the user's id.
    pub subject: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
}

/// A device signed in.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionOut {
    /// `ses_…`
    #[schema(value_type = String)]
    pub id: SessionId,
    /// What the device calls itself: its `User-Agent`.
    pub device: Option<String>,
    /// The address it signed in from.
    pub address: Option<String>,
    /// Where that address is, as far as is known.
    pub place: Option<PlaceOut>,
    /// When it signed in.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last got new tokens.
    #[schema(value_type = String, format = DateTime)]
    pub refreshed_at: Timestamp,
    /// When it ends unless it gets new ones.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Where an address is.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PlaceOut {
    /// Two letters (ISO 3166-1).
    pub country: Option<String>,
    /// Its name in English.
    pub city: Option<String>,
}

/// `GET /auth/sessions`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionsOut {
    /// The one that was used last first.
    pub data: Vec<SessionOut>,
}

/// A person.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UserOut {
    /// `usr_…`
    #[schema(value_type = String)]
    pub id: UserId,
    /// The sign-in name, in lower case.
    pub email: String,
    /// Whether the address was confirmed.
    pub email_verified: bool,
    /// How to address the person.
    pub name: Option<String>,
    /// The tenant the person belongs to.
    #[schema(value_type = String)]
    pub tenant_id: TenantId,
    /// `owner`, `admin` or `member`.
    pub role: String,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The owner of rows.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TenantOut {
    /// `ten_…`
    #[schema(value_type = String)]
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A pair of tokens.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TokensOut {
    /// For `Authorization: Bearer`; an Ed25519 JWT.
    pub access_token: String,
    /// For `POST /auth/refresh`, once.
    pub refresh_token: String,
    /// `Bearer`
    pub token_type: &'static str,
    /// Seconds the access token is good for.
    pub expires_in: i64,
}

/// The answer to a registration or a sign-in.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SignedInOut {
    /// Who.
    pub user: UserOut,
    /// The tenant the person belongs to.
    pub tenant: TenantOut,
    /// The tokens.
    #[serde(flatten)]
    pub tokens: TokensOut,
}

/// `POST /auth/oauth/token`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct SignInCodeIn {
    /// The `code` that the page got in its address.
    pub code: String,
}

impl Validate for SignInCodeIn {}

/// A sign-in at another party that opens the account.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct IdentityOut {
    /// `idn_…`
    #[schema(value_type = String)]
    pub id: IdentityId,
    /// `google`, `github`, `oidc`, or `sso` for a team's single sign-on.
    pub provider: String,
    /// Who says so.
    pub issuer: String,
    /// The address that it told when it was linked.
    pub email: Option<String>,
    /// When it was linked.
    #[schema(value_type = String, format = DateTime)]
    pub linked_at: Timestamp,
}

/// `GET /auth/identities`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct IdentitiesOut {
    /// The one that was linked first first.
    pub data: Vec<IdentityOut>,
}

/// `PATCH /user/profile`: a field that is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    /// How to address the person; `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub name: Option<Option<String>>,
}

#[expect(clippy::option_option, reason = "absent, null and a value are three things in a patch")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

impl Validate for ProfilePatch {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match &self.name {
            Some(Some(name)) if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS => {
                Err(vec![FieldError::new("name", format!("must have 1 to {MAX_NAME_CHARS} characters, or be null"))])
            }
            _ => Ok(()),
        }
    }
}

/// `GET /user/trial-status`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrialStatusOut {
    /// `trialing`, `expired` (the trial is over), `active`, `past_due`, or `ended` (a plan was held).
    #[schema(value_type = String, example = "trialing")]
    pub status: TrialStatus,
    /// When the trial ends or ended; `null` when there was none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub trial_ends_at: Option<Timestamp>,
    /// Days left, begun ones counted; 0 when it is over.
    pub days_remaining: u64,
    /// The same for people.
    pub message: String,
    /// Where to get a plan.
    pub upgrade_url: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::from_json;

    fn errors(body: &str) -> Vec<String> {
        from_json::<RegisterIn>(body.as_bytes()).unwrap_err().errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_wrong_field_of_a_registration_is_named_at_once() {
        assert_eq!(
            errors(r#"{"email":"nobody","password":"x","product":"cars"}"#),
            ["email is not an e-mail address", "product must be agent, chat or gmail"]
        );
        assert_eq!(
            errors(r#"{"email":"a@example.com","password":"short"}"#),
            ["password must have at least 12 characters"]
        );
        assert!(from_json::<RegisterIn>(br#"{"email":"a@example.com","password":"a long sentence"}"#).is_ok());
    }

    #[test]
    fn a_patch_tells_null_from_absent() {
        assert_eq!(from_json::<ProfilePatch>(b"{}").unwrap().name, None);
        assert_eq!(from_json::<ProfilePatch>(br#"{"name":null}"#).unwrap().name, Some(None));
        assert_eq!(from_json::<ProfilePatch>(br#"{"name":"Ada"}"#).unwrap().name, Some(Some("Ada".into())));
        assert_eq!(
            from_json::<ProfilePatch>(br#"{"email":"x"}"#).unwrap_err().errors[0].to_string(),
            "email is not known"
        );
        assert!(from_json::<ProfilePatch>(br#"{"name":" "}"#).is_err());
    }
}
