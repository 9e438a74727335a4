//! A tenant's vault: its data keys, out of the database and opened.

use tollgate_domain::id::TenantId;

use super::{DataKey, MasterKeys, Place, sealed::version_of};
use crate::{Problem, Scope, log, random, settings, store};

/// What seals and opens a tenant's values. It costs one D1 statement, and lives as long as its request.
///
/// ```ignore
/// let vault = Vault::of(&scope, tenant).await?;
/// let place = Place { table: "connections", column: "refresh_token", row: &id.to_string() };
/// let sealed = vault.seal(place, b"a secret")?;
/// let secret = vault.open(&scope, place, &sealed)?;
/// ```
#[derive(Debug)]
pub struct Vault {
    newest: DataKey,
    older: Vec<DataKey>,
}

/// The installation's master keys.
///
/// # Errors
/// `internal` when `MASTER_KEYS` is missing or malformed; the log says so, and not what stands there.
pub fn master_keys(scope: &Scope) -> Result<MasterKeys, Problem> {
    let setting = settings::text(scope.env(), "MASTER_KEYS").unwrap_or_default();
    MasterKeys::parse(&setting).map_err(|error| {
        log::error("vault", &format!("MASTER_KEYS: {error}"), Some(scope));
        Problem::internal()
    })
}

impl Vault {
    /// A tenant's vault. Its first data key is made here, when there is none yet.
    ///
    /// # Errors
    /// `dependency_unavailable` when the database cannot be reached; `internal` when a master key is missing.
    pub async fn of(scope: &Scope, tenant: TenantId) -> Result<Self, Problem> {
        let masters = master_keys(scope)?;
        let mut stored = store::data_keys(scope, tenant).await?;
        if stored.is_empty() {
            let first = DataKey::new(tenant, 1, random::bytes()?);
            let sealed = masters.seal(&first, random::bytes()?).ok_or_else(Problem::internal)?;
            store::add_data_key(scope, tenant, first.version(), masters.newest(), &sealed, scope.now()).await?;
            // Another request may have been first: what is stored is what counts.
            stored = store::data_keys(scope, tenant).await?;
        }
        let opened = stored.iter().map(|sealed| masters.open(tenant, sealed)).collect::<Result<Vec<_>, _>>();
        let mut keys = opened.map_err(|error| {
            log::error("vault", &format!("a data key of {tenant} {error}"), Some(scope));
            Problem::internal()
        })?;
        let newest = keys.pop().ok_or_else(Problem::internal)?;
        Ok(Self { newest, older: keys })
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// `internal` when there is no randomness, or the value is larger than AES-GCM takes (64 GiB).
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<String, Problem> {
        self.newest.seal(place, plain, random::bytes()?).ok_or_else(Problem::internal)
    }

    /// Opens a value in its place.
    ///
    /// # Errors
    /// `internal` when it does not open there: it was changed, or belongs to another tenant, table, column or row. The log
    /// says so.
    pub fn open(&self, scope: &Scope, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, Problem> {
        let of_its_version = |key: &&DataKey| version_of(sealed) == Some(key.version());
        let key = self.older.iter().find(of_its_version).unwrap_or(&self.newest);
        key.open(place, sealed).map_err(|error| {
            let Place { table, column, .. } = place;
            log::error("vault", &format!("{table}.{column} of {} {error}", key.tenant()), Some(scope));
            Problem::internal()
        })
    }
}
