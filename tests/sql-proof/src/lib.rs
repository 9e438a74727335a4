//! The proof that no SQL statement reaches another tenant's rows. Nothing but tests.
//!
//! D1 has no row-level security, so the build shows it instead:
//!
//! 1. [`sources`]: SQL is in `shared/platform/src/store` and nowhere else; every statement there is in a list that is
//!    collected here; no function names a database.
//! 2. [`schema`]: the real migrations are applied to a real SQLite. A table with a `tenant_id` is a tenant's; one
//!    without is named below with its reason.
//! 3. [`proof`]: every statement is prepared in that database and parsed. Each use of a tenant's table must be bound by
//!    `alias.tenant_id = ?1` itself, and `platform::TenantDb` binds `?1` to the verified caller's tenant. What the proof
//!    does not understand counts as a leak.
//! 4. SQLite's own list of the tables a statement touches must be the one that the proof has judged.
//! 5. [`interference`]: each statement runs beside rows of a second tenant and without them, and must answer and change
//!    the same: should the reasoning of 3 have a hole, this looks from the other side.
//!
//! The statements in `mutants/` leak on purpose and must be caught.

#[cfg(test)]
mod interference;
#[cfg(test)]
mod personal;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sources;

#[cfg(test)]
mod tests;
