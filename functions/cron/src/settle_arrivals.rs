//! Changes of two databases that broke off between them.

use tollgate_platform::{
    Scope,
    store::{self, StoreError, directory},
};

/// Notes of one run, for each shard.
const AT_ONCE: u32 = 200;

/// How long a change may take: a younger note may be one that is just being written.
const TAKES_MS: i64 = 60 * 1000;

/// Settles each; says how many there were, and whether some are left.
///
/// # Errors
/// When a database cannot be reached.
pub async fn run(scope: &Scope) -> Result<(u32, bool), StoreError> {
    let (mut done, mut more) = (0, false);
    let before = scope.now().plus_millis(-TAKES_MS);
    for shard in store::shards(scope) {
        let settled = directory::settle_arrivals(scope, shard, before, AT_ONCE).await?;
        done += settled;
        more |= settled == AT_ONCE;
    }
    Ok((done, more))
}
