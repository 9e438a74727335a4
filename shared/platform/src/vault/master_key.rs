//! The installation's keys, which seal the tenants' keys.

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding};
use tollgate_domain::id::TenantId;

use super::{
    data_key::DataKey,
    place::associated,
    sealed::{Key, Nonce, OpenError, Sealed},
};

/// The master keys by version; the highest seals, all open.
#[derive(Clone)]
pub struct MasterKeys {
    newest: (u32, Key),
    older: BTreeMap<u32, Key>,
}

/// Why a setting is no list of master keys. It does not say what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterKeys {
    /// No key at all.
    #[error("there is no master key")]
    Missing,
    /// The n-th, counted from 1, has another shape.
    #[error("master key {0} is not of the form <version>:<32 bytes in base64url>")]
    Malformed(usize),
    /// One version twice.
    #[error("version {0} of the master key is there twice")]
    Twice(u32),
}

/// A data key in 32 bytes, with its version: what is sealed.
const VERSION_BYTES: usize = 4;

impl MasterKeys {
    /// Reads the setting: `<version>:<key>`, several with commas between them, in any order. A key is 32 bytes in base64url
    /// without padding, a version a number.
    ///
    /// # Errors
    /// [`InvalidMasterKeys`].
    pub fn parse(setting: &str) -> Result<Self, InvalidMasterKeys> {
        let mut keys = BTreeMap::new();
        let entries = setting.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let (version, key) = read(entry).ok_or(InvalidMasterKeys::Malformed(index + 1))?;
            if keys.insert(version, key).is_some() {
                return Err(InvalidMasterKeys::Twice(version));
            }
        }
        let newest = keys.pop_last().ok_or(InvalidMasterKeys::Missing)?;
        Ok(Self { newest, older: keys })
    }

    /// The version that seals.
    pub const fn newest(&self) -> u32 {
        self.newest.0
    }

    fn get(&self, version: u32) -> Result<&Key, OpenError> {
        if version == self.newest.0 {
            return Ok(&self.newest.1);
        }
        self.older.get(&version).ok_or(OpenError::UnknownVersion(version))
    }

    /// Seals a tenant's key: `v1.<version of the master key>.<nonce>.<ciphertext>`. `None` never happens for 36 bytes.
    pub fn seal(&self, key: &DataKey, nonce: Nonce) -> Option<String> {
        let (version, master) = &self.newest;
        let mut plain = key.version().to_be_bytes().to_vec();
        plain.extend(key.bytes());
        master.seal(*version, nonce, &bound(key.tenant(), *version), &plain)
    }

    /// Opens a tenant's key.
    ///
    /// # Errors
    /// [`OpenError`]: among others when it is another tenant's.
    pub fn open(&self, tenant: TenantId, sealed: &str) -> Result<DataKey, OpenError> {
        let sealed = Sealed::parse(sealed)?;
        let plain = self.get(sealed.version)?.open(&sealed, &bound(tenant, sealed.version))?;
        let (version, key) = plain.split_first_chunk::<VERSION_BYTES>().ok_or(OpenError::Malformed)?;
        let key = key.try_into().map_err(|_| OpenError::Malformed)?;
        Ok(DataKey::new(tenant, u32::from_be_bytes(*version), key))
    }

    /// Seals a tenant's key anew under the newest version; `None` when it is on that already. The data key stays the same,
    /// and so do all values under it. Storing it must compare with what was read.
    ///
    /// # Errors
    /// [`OpenError`]: then the old one is to be kept.
    pub fn rewrap(&self, tenant: TenantId, sealed: &str, nonce: Nonce) -> Result<Option<String>, OpenError> {
        let key = self.open(tenant, sealed)?;
        if Sealed::parse(sealed)?.version == self.newest.0 {
            return Ok(None);
        }
        Ok(self.seal(&key, nonce))
    }
}

fn read(entry: &str) -> Option<(u32, Key)> {
    let (version, key) = entry.split_once(':')?;
    let number: u32 = version.parse().ok()?;
    let mut bytes = [0; 32];
    let decoded = Base64UrlUnpadded::decode(key, &mut bytes).ok()?.len();
    (decoded == bytes.len() && number.to_string() == version).then_some((number, Key(bytes)))
}

fn bound(tenant: TenantId, version: u32) -> Vec<u8> {
    associated("tollgate data key", &[&tenant.to_bytes(), &version.to_be_bytes()])
}

impl core::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let versions: Vec<_> = self.older.keys().copied().chain([self.newest.0]).collect();
        f.debug_struct("MasterKeys").field("versions", &versions).finish_non_exhaustive()
    }
}
