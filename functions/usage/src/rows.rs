//! Whose rows a caller may see, and a row as it is answered.

use tollgate_api::usage::UsageLogOut;
use tollgate_domain::{
    account::Role,
    catalogue::Product,
    id::{TenantId, UserId},
    meter::{Amounts, UsageDetail},
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem,
    identity::Identity,
    store::usage_reports::{UsageEventRow, UsageScope},
};

/// Whose rows are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    tenant: TenantId,
    product: Product,
    user: Option<UserId>,
}

impl Who {
    /// Owners and admins see the whole tenant, or one user of it; members see themselves.
    ///
    /// # Errors
    /// 400 for an id that is none, 403 when a member asks for somebody else.
    pub fn of(caller: &Identity, user_id: Option<&str>) -> Result<Self, Problem> {
        let asked = user_id
            .map(str::parse::<UserId>)
            .transpose()
            .map_err(|_| Problem::new(Code::BadRequest, "user_id is not the id of a user."))?;
        let user = match (caller.role, asked) {
            (Role::Owner | Role::Admin, asked) => asked,
            (Role::Member, None) => Some(caller.user),
            (Role::Member, Some(user)) if user == caller.user => asked,
            (Role::Member, Some(_)) => {
                return Err(Problem::new(Code::Forbidden, "Only owners and admins see what others used."));
            }
        };
        Ok(Self { tenant: caller.tenant, product: caller.product, user })
    }

    /// For the store.
    pub const fn scope(&self) -> UsageScope {
        UsageScope { tenant: self.tenant, user: self.user, product: self.product }
    }

    /// Whether a user's rows are among them.
    pub fn includes(&self, user: UserId) -> bool {
        self.user.is_none_or(|only| only == user)
    }
}

/// A row of the analytics copy as it is answered.
pub fn log(row: UsageEventRow) -> UsageLogOut {
    let amounts = Amounts { requests: row.requests, tokens: row.tokens, emails: row.emails };
    let detail = UsageDetail {
        function: row.function,
        model: row.model,
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        estimated: row.estimated != 0,
        cost_microusd: row.cost_microusd,
        request_id: row.request_id,
        outcome: row.outcome,
        api_key: row.api_key_id.and_then(|id| id.parse().ok()),
    };
    UsageLogOut::new(row.reservation_id, Timestamp::from_millis(row.at), row.user_id, amounts, detail)
}
