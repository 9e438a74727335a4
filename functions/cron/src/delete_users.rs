//! Deletions of users that the request which asked for them has not finished.

use tollgate_platform::{
    Problem, Scope,
    deletion::{self, Progress},
    log,
    store::{self, StoreError, directory},
};

/// Deletions of one run, for each shard.
const AT_ONCE: u32 = 50;

/// How long the hash of an address is kept: see `mails.asked`.
const ADDRESS_MS: i64 = 60 * 60 * 1000;

/// Goes on with each; one that fails does not keep the others. Says how many are done, and whether some are left.
///
/// # Errors
/// When a database cannot be reached.
pub async fn run(scope: &Scope) -> Result<(u32, bool), StoreError> {
    let (mut done, mut more) = (0, false);
    let now = scope.now();
    for shard in store::shards(scope) {
        directory::forget_addresses(scope, shard, now.plus_millis(-ADDRESS_MS)).await?;
        let open = directory::open_deletions(scope, shard, now.plus_millis(1), AT_ONCE).await?;
        more |= open.len() == AT_ONCE as usize;
        for one in open {
            match deletion::run(scope, one.tenant_id, one.deletion_id, None).await {
                Ok(Progress::Done) => done += 1,
                Ok(Progress::Waiting) => more = true,
                Err(Problem { detail, .. }) => {
                    log::error("delete_users", &format!("{} is tried again: {detail}", one.deletion_id), Some(scope));
                    more = true;
                }
            }
        }
    }
    Ok((done, more))
}
