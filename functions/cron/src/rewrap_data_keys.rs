//! Data keys under a new master key: what follows when a version is added to `MASTER_KEYS`.

use tollgate_domain::id::{Shard, TenantId};
use tollgate_platform::{
    Problem, Scope, log, random,
    store::{
        self,
        directory::{self, DataKeyBehind},
    },
    vault::{self, MasterKeys},
};

/// Keys of one transaction, and transactions of one run: 20 statements of D1 at most.
const KEYS_AT_ONCE: u32 = 100;
const PAGES_PER_RUN: u32 = 10;

/// Seals data keys that are under an older master key anew; says how many, and whether there are more.
///
/// Where it stands is in the rows: it can stop anywhere and run twice at once. A key that does not open (its master key is
/// gone, or its row was changed) is passed over and logged, and the run counts as failed: the old master key must stay.
///
/// # Errors
/// When a database cannot be reached, a master key is missing, or a data key does not open. What was sealed until then stays.
pub async fn run(scope: &Scope) -> Result<(u32, bool), Problem> {
    let masters = vault::master_keys(scope)?;
    let (mut done, mut refused) = (0, 0);
    for shard in store::shards(scope) {
        let mut last = None;
        for page in 0.. {
            if page == PAGES_PER_RUN {
                return finished(scope, done, refused, true);
            }
            let keys = directory::data_keys_behind(scope, shard, masters.newest(), last.as_ref(), KEYS_AT_ONCE).await?;
            last = keys.last().cloned();
            let is_last_page = keys.len() < KEYS_AT_ONCE as usize;
            let found = keys.len();
            let sealed = sealed_anew(scope, &masters, keys)?;
            refused += found - sealed.len();
            done += stored(scope, shard, &masters, &sealed).await?;
            if is_last_page {
                break;
            }
        }
    }
    finished(scope, done, refused, false)
}

fn sealed_anew(
    scope: &Scope,
    masters: &MasterKeys,
    keys: Vec<DataKeyBehind>,
) -> Result<Vec<(DataKeyBehind, String)>, Problem> {
    let mut sealed = Vec::with_capacity(keys.len());
    for key in keys {
        let Ok(tenant) = key.tenant_id.parse::<TenantId>() else {
            log::error("rewrap_data_keys", "a tenant's id that is none", Some(scope));
            continue;
        };
        match masters.rewrap(tenant, &key.sealed, random::bytes()?) {
            Ok(Some(anew)) => sealed.push((key, anew)),
            // Under the newest already, whatever its column says: the column follows.
            Ok(None) => sealed.push((key.clone(), key.sealed)),
            Err(error) => {
                log::error(
                    "rewrap_data_keys",
                    &format!("the data key {} of {tenant} {error}", key.version),
                    Some(scope),
                );
            }
        }
    }
    Ok(sealed)
}

async fn stored(
    scope: &Scope,
    shard: Shard,
    masters: &MasterKeys,
    sealed: &[(DataKeyBehind, String)],
) -> Result<u32, Problem> {
    let changed = directory::rewrap_data_keys(scope, shard, masters.newest(), sealed).await?;
    Ok(u32::try_from(changed).unwrap_or(u32::MAX))
}

fn finished(scope: &Scope, done: u32, refused: usize, more: bool) -> Result<(u32, bool), Problem> {
    if refused > 0 {
        log::error("rewrap_data_keys", &format!("{refused} data keys do not open"), Some(scope));
        return Err(Problem::internal());
    }
    Ok((done, more))
}
