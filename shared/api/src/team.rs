//! Teams: members, roles, invitations.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    account::{Email, Role},
    id::{InvitationId, TenantId, UserId},
    time::Timestamp,
};

use crate::{
    account::MAX_NAME_CHARS,
    input::{FieldError, Validate},
    usage::TotalsOut,
};

/// Seats of a team.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct SeatsOut {
    /// Members there are.
    pub used: usize,
    /// Seats that pending invitations hold.
    pub invited: usize,
    /// Seats that are paid for.
    pub total: u32,
}

/// `GET /team`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TeamOut {
    /// `ten_…`
    #[schema(value_type = String)]
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// Its plan; `null` when there is none.
    #[schema(example = "teams")]
    pub plan: Option<&'static str>,
    /// Its seats.
    pub seats: SeatsOut,
    /// What the caller is in it: `owner`, `admin` or `member`.
    #[schema(value_type = String, example = "owner")]
    pub role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// `PATCH /team`: a field that is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamPatch {
    /// Its name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
}

impl Validate for TeamPatch {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match &self.name {
            Some(name) if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS => {
                Err(vec![FieldError::new("name", format!("must have 1 to {MAX_NAME_CHARS} characters"))])
            }
            _ => Ok(()),
        }
    }
}

/// Somebody in a team.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MemberOut {
    /// `usr_…`
    #[schema(value_type = String)]
    pub id: UserId,
    /// The sign-in name.
    pub email: String,
    /// How to address the person.
    pub name: Option<String>,
    /// `owner`, `admin` or `member`.
    #[schema(value_type = String, example = "member")]
    pub role: Role,
    /// When the person came into the team.
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: Timestamp,
}

/// `PATCH /team/members/{user_id}`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// `owner`, `admin` or `member`.
    #[schema(example = "admin")]
    pub role: String,
    /// With the role `owner`: hands the team over. The member becomes an owner, and the caller an admin.
    #[serde(default)]
    pub transfer: bool,
}

impl Validate for MemberPatch {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match Role::parse(&self.role) {
            None => Err(vec![FieldError::new("role", "must be owner, admin or member")]),
            Some(Role::Owner) => Ok(()),
            Some(_) if self.transfer => Err(vec![FieldError::new("transfer", "goes with the role owner only")]),
            Some(_) => Ok(()),
        }
    }
}

/// `POST /team/invites`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteIn {
    /// Whom.
    #[schema(example = "grace@example.com")]
    pub email: String,
    /// As what: `member` or `admin`.
    #[schema(example = "member")]
    pub role: String,
}

impl Validate for InviteIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Err(invalid) = Email::parse(&self.email) {
            errors.push(FieldError::new("email", invalid.to_string()));
        }
        if !matches!(Role::parse(&self.role), Some(Role::Member | Role::Admin)) {
            errors.push(FieldError::new("role", "must be member or admin"));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// An invitation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InvitationOut {
    /// `inv_…`
    #[schema(value_type = String)]
    pub id: InvitationId,
    /// Whom it was sent to.
    pub email: String,
    /// What they are to be.
    #[schema(value_type = String, example = "member")]
    pub role: Role,
    /// `pending`, `accepted`, `revoked` or `expired`.
    pub status: &'static str,
    /// Who invited.
    #[schema(value_type = String)]
    pub invited_by: UserId,
    /// From then on it cannot be accepted.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// `POST /team/invites/accept`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptIn {
    /// The token of the link in the mail.
    pub token: String,
}

impl Validate for AcceptIn {}

/// `PUT /team/sso`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct SsoIn {
    /// Where `/.well-known/openid-configuration` is, as it stands in that document.
    #[schema(example = "https://login.example.com")]
    pub issuer: String,
    /// Who this installation is there.
    pub client_id: String,
    /// What proves it; stored sealed, and never answered.
    pub client_secret: String,
}

impl Validate for SsoIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        for (name, value) in [("client_id", &self.client_id), ("client_secret", &self.client_secret)] {
            let sound = (1..=500).contains(&value.len()) && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            if !sound {
                errors.push(FieldError::new(name, "must have 1 to 500 printable ASCII characters"));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// The team's single sign-on.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SsoOut {
    /// The issuer; `null`: there is none.
    pub issuer: Option<String>,
    /// Who this installation is there.
    pub client_id: Option<String>,
    /// When it was set.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// What is entered there as redirect URI.
    pub redirect_uri: String,
    /// The domains that are claimed.
    pub domains: Vec<DomainOut>,
}

/// `POST /team/sso/domains`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct DomainIn {
    /// What stands behind the @ of its addresses.
    #[schema(example = "example.com")]
    pub domain: String,
}

impl Validate for DomainIn {}

/// A domain that a team claims.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DomainOut {
    /// The domain.
    pub domain: String,
    /// When it was proven; `null`: not yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified_at: Option<Timestamp>,
    /// What proves it.
    pub record: RecordOut,
}

/// A DNS record to be set.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RecordOut {
    /// Its name.
    pub name: String,
    /// `TXT`
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its text.
    pub value: String,
}

/// A member with what they used.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UserUsageOut {
    /// Who.
    #[serde(flatten)]
    pub member: MemberOut,
    /// What they used in the span.
    pub usage: TotalsOut,
}
