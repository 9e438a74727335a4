//! Third parties' credentials (a Notion token, a Gmail refresh token), sealed: AES-256-GCM under a key of the tenant's,
//! which is itself sealed under the installation's master key.
//!
//! ```text
//! master key, by version (a secret of the installation)
//!   └─ seals ─▶ data key, one for each tenant    v1.<master version>.<nonce>.<ciphertext>   stored with the tenant
//!                 └─ seals ─▶ values              v1.<data key version>.<nonce>.<ciphertext> stored in their column
//! ```
//!
//! The associated data of a value is its tenant, table, column and row: a ciphertext that was copied to another place does
//! not open there (NIST SP 800-38D, section 4). That of a data key is its tenant and its version.
//!
//! **Rotating the master key**: add a version to the setting, [`MasterKeys::rewrap`] each data key, take the old version
//! out. Values stay as they are; while both versions are there, either opens. The work is one statement for each tenant
//! and can stop and go on anywhere: `rewrap` answers nothing for a key that is on the newest version. `functions/cron` does it.
//!
//! **Nonces** are 12 random bytes each. A key may seal 2^32 values before chance makes two alike (SP 800-38D, section
//! 8.3), more than a tenant stores; sealing the same value twice gives two ciphertexts.
//!
//! [`Vault`] is what a function uses: it reads a tenant's data key, and makes it the first time. Nothing else here draws
//! randomness: nonces and keys come in as arguments, from [`crate::random::bytes`].

mod data_key;
mod master_key;
mod place;
mod sealed;
mod tenant_vault;
#[cfg(test)]
mod tests;

pub use data_key::DataKey;
pub use master_key::{InvalidMasterKeys, MasterKeys};
pub use place::Place;
pub use sealed::{Nonce, OpenError};
pub use tenant_vault::{Vault, master_keys};
