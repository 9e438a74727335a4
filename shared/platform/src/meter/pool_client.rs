//! Calls of a team's pool.

use tollgate_domain::{catalogue::Product, id::TenantId};

use super::{
    client::MeterUnavailable,
    export::Owner,
    object,
    pool_wire::{PoolReply, PoolRequest},
};
use crate::{Scope, identity::Payer};

/// One team's pool for one product.
#[derive(Debug, Clone, Copy)]
pub struct PoolClient {
    owner: Owner,
}

impl PoolClient {
    /// The pool of the tenant of whoever pays.
    pub fn of(caller: &impl Payer) -> Self {
        let (tenant, _, product) = caller.payer();
        Self::named(tenant, product)
    }

    /// The pool of a tenant, for billing.
    pub const fn named(tenant: TenantId, product: Product) -> Self {
        Self { owner: Owner { tenant, user: None, product } }
    }

    /// Whose pool it is.
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Asks the pool.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn ask(&self, scope: &Scope, request: &PoolRequest) -> Result<PoolReply, MeterUnavailable> {
        match object::call_for(scope, "POOL", &self.owner.object_name(), request).await {
            Ok(PoolReply::Failed) => Err(MeterUnavailable),
            Ok(reply) => Ok(reply),
            Err(error) => {
                crate::log::error("pool", &format!("{error:?}"), Some(scope));
                Err(MeterUnavailable)
            }
        }
    }
}
