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

/// A member with what they used.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UserUsageOut {
    /// Who.
    #[serde(flatten)]
    pub member: MemberOut,
    /// What they used in the span.
    pub usage: TotalsOut,
}
