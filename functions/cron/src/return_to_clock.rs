//! Brings every meter and every team's pool back to the clock: by hand only, after the clock ran far ahead for longer than
//! meters doubt it by themselves (`shared/domain/src/clock_leap.rs`).

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::Product,
    id::{Shard, TenantId, UserId},
};
use tollgate_platform::{
    Problem, Scope, log,
    meter::{MeterClient, PoolClient, PoolReply, PoolRequest},
    store::{
        self,
        directory_jobs::{self, UserPlace},
    },
};

use crate::jobs::{Next, Step};

/// Users of one step. Each has up to six objects, and a run of 20 steps makes fewer than a thousand calls.
const PAGE: u32 = 8;

/// Where a pass stands, and how many objects could not be reached in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Pass {
    shard: u32,
    behind: UserPlace,
    failed: u32,
}

/// Goes on with a page of users. What cannot be reached does not keep the others: the run that ends the pass says so.
///
/// # Errors
/// When a database cannot be reached: the next run goes on from this page.
pub async fn step(scope: &Scope, cursor: Option<&str>) -> Result<Step, Problem> {
    let pass: Pass = cursor.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let shards: Vec<Shard> = store::shards(scope).collect();
    let shard = usize::try_from(pass.shard).ok().and_then(|at| shards.get(at)).ok_or_else(Problem::internal)?;
    let page = directory_jobs::users_after(scope, *shard, &pass.behind, PAGE).await?;
    let (mut done, mut failed, mut before) = (0, pass.failed, pass.behind.tenant_id.clone());
    for user in &page {
        let is_new_tenant = user.tenant_id != before;
        before.clone_from(&user.tenant_id);
        match (user.tenant_id.parse(), user.user_id.parse()) {
            (Ok(tenant), Ok(id)) => {
                failed = failed.saturating_add(bring_back(scope, tenant, id, is_new_tenant).await);
                done += 1;
            }
            _ => log::error("return_to_clock", "an id that is none", Some(scope)),
        }
    }
    let next = match page.last().filter(|_| page.len() == PAGE as usize) {
        Some(last) => Pass { behind: last.clone(), failed, ..pass },
        None if (pass.shard as usize) + 1 < shards.len() => {
            Pass { shard: pass.shard + 1, behind: UserPlace::default(), failed }
        }
        None if failed > 0 => {
            let detail = format!("{failed} meters could not be reached: the log of meter has why. Run it again.");
            return Ok(Step { done, next: Next::Failed(detail) });
        }
        None => return Ok(Step { done, next: Next::Rest(None) }),
    };
    Ok(Step { done, next: Next::From(serde_json::to_string(&next).map_err(|_| Problem::internal())?) })
}

/// A user's meters, and first their tenant's pools; says how many could not be reached. An object that never was is not made.
async fn bring_back(scope: &Scope, tenant: TenantId, user: UserId, is_new_tenant: bool) -> u32 {
    let mut failed = 0;
    for product in Product::ALL {
        if is_new_tenant {
            let told = PoolClient::named(tenant, product).ask(scope, &PoolRequest::ReturnToClock).await;
            failed += u32::from(!matches!(told, Ok(PoolReply::Done)));
        }
        failed += u32::from(MeterClient::named(tenant, user, product).return_to_clock(scope).await.is_err());
    }
    failed
}
