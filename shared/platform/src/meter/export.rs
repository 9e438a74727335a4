//! What goes from an object's ledger through a queue to the analytics copy in D1.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::Product,
    id::{ReservationId, TenantId, UserId},
    meter::{Amounts, MeterName, UsageDetail},
    time::{Timestamp, millis},
};

/// Whose ledger: a user's, or where there is none the team's pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The tenant.
    pub tenant: TenantId,
    /// The user; `None` for the tenant's pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The product.
    pub product: Product,
}

impl Owner {
    /// The name of the object, and the end of its key in KV.
    pub fn object_name(&self) -> String {
        match self.user {
            Some(user) => format!("{}/{user}/{}", self.tenant, self.product),
            None => format!("{}/{}", self.tenant, self.product),
        }
    }

    /// What the keys of all copies of a tenant begin with; of one user's, where `of_user`.
    pub fn snapshot_prefix(&self, of_user: bool) -> String {
        match self.user.filter(|_| of_user) {
            Some(user) => format!("quota:{}:{user}:", self.tenant),
            None => format!("quota:{}:", self.tenant),
        }
    }

    /// Where the read copy of its counters is kept in KV.
    pub fn snapshot_key(&self) -> String {
        let user = self.user.map_or_else(|| "team".to_owned(), |user| user.to_string());
        format!("quota:{}:{user}:{}", self.tenant, self.product)
    }
}

/// A ledger row that counts: work that was settled, or expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// Its number in the ledger.
    pub seq: u64,
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// The reservation.
    pub id: ReservationId,
    /// Whether it replaces the row that the expiry of the same reservation has written.
    #[serde(default)]
    pub late: bool,
    /// What counted.
    pub amounts: Amounts,
    /// What for.
    pub detail: UsageDetail,
}

/// A ledger row that says a share of a limit was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRow {
    /// Its number in the ledger.
    pub seq: u64,
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// Which meter.
    pub meter: MeterName,
    /// 80, 90 or 100.
    pub percent: u8,
    /// What was used.
    pub used: u64,
    /// Of what.
    pub limit: u64,
}

/// One message of the queue. Applying it twice is applying it once: rows are known by owner and number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportBatch {
    /// Whose.
    pub owner: Owner,
    /// The rows after this one are covered by this batch,
    pub after: u64,
    /// up to and with this one.
    pub through: u64,
    /// Usage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsageRow>,
    /// Marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<MarkRow>,
}
