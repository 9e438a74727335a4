//! A tenant's key, which seals its values.

use tollgate_domain::id::TenantId;

use super::{
    place::{Place, associated},
    sealed::{Key, Nonce, OpenError, Sealed},
};

/// A tenant's data key, opened. It lives as long as a request and is never stored or logged like this.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    tenant: TenantId,
    version: u32,
    key: Key,
}

impl DataKey {
    /// A new key for a tenant; 32 bytes from the runtime's cryptographic source. A tenant's first has version 1.
    pub const fn new(tenant: TenantId, version: u32, bytes: [u8; 32]) -> Self {
        Self { tenant, version, key: Key(bytes) }
    }

    /// Which of the tenant's keys it is.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whose it is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.key.0
    }

    fn associated(&self, place: Place<'_>) -> Vec<u8> {
        associated(
            "tollgate value",
            &[
                &self.tenant.to_bytes(),
                &self.version.to_be_bytes(),
                place.table.as_bytes(),
                place.column.as_bytes(),
                place.row.as_bytes(),
            ],
        )
    }

    /// Seals a value for its place: `v1.<version of this key>.<nonce>.<ciphertext>`. `None` when it is larger than AES-GCM
    /// takes (64 GiB).
    pub fn seal(&self, place: Place<'_>, plain: &[u8], nonce: Nonce) -> Option<String> {
        self.key.seal(self.version, nonce, &self.associated(place), plain)
    }

    /// Opens a value in its place.
    ///
    /// # Errors
    /// [`OpenError`]: among others when it was sealed for another tenant, table, column or row.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, OpenError> {
        let sealed = Sealed::parse(sealed)?;
        if sealed.version != self.version {
            return Err(OpenError::UnknownVersion(sealed.version));
        }
        self.key.open(&sealed, &self.associated(place))
    }
}

impl core::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DataKey").field("tenant", &self.tenant).field("version", &self.version).finish_non_exhaustive()
    }
}
