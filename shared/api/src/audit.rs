//! The audit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tollgate_domain::time::Timestamp;

/// Who did it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ActorOut {
    /// `user`, `api_key`, `system` or `anonymous`.
    pub kind: String,
    /// The user or the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whose key it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The function of the platform that did it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// What it was done to.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TargetOut {
    /// `user`, `session`, `team`, `invitation`, ...
    pub kind: String,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where it came from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceOut {
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// What the device calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What stands in the body of an entry.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Who.
    pub actor: ActorOut,
    /// Did what: `team.role_change` for example.
    #[schema(example = "team.role_change")]
    pub action: String,
    /// To what.
    pub target: TargetOut,
    /// From where.
    #[serde(default)]
    pub source: SourceOut,
    /// `success`, `denied` or `failed`.
    pub outcome: String,
    /// What else is to be known.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

/// An entry of the log.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct AuditOut {
    /// Its number in the tenant's chain; the first is 1.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// SHA-256 over this entry and the one before it.
    pub hash: String,
}

/// What a walk along the chain found.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct AuditVerifiedOut {
    /// Entries there are.
    pub rows: u64,
    /// The last one's hash. Keep it with `rows`: it proves later that nothing was cut off.
    pub head_hash: String,
    /// Whether every entry follows from the one before it, and the head that was given is among them.
    pub ok: bool,
    /// The first entry that does not follow, or the one that was given and is not there.
    pub broken_at: Option<u64>,
}
