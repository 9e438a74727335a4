//! D1: tenant rows, and the statements that reach them.
//!
//! Handlers get rows through [`TenantDb`], which binds the caller's tenant as parameter 1 of every statement. No
//! function crate names a database binding. Statements are constants beside their repository; those that cannot
//! have a tenant yet (a sign-in knows only an address) are in [`directory`], each with its reason.

mod accounts;
mod database;
pub mod directory;
mod sessions;
mod subscriptions;
mod usage_export;
pub mod usage_reports;

pub use accounts::{AccountRow, NewAccount, ProfileRow, profile, register, rename};
pub use database::{Param, Statement, StoreError, TenantDb, shards};
pub use sessions::{NewSession, SessionRow, end_session, open_session, rotate, session};
pub use subscriptions::{SubscriptionRow, subscription};
pub use usage_export::write_export;

/// Every statement that is bound to a tenant, by repository.
pub const TENANT_STATEMENTS: &[&[Statement]] = &[
    accounts::STATEMENTS,
    sessions::STATEMENTS,
    subscriptions::STATEMENTS,
    usage_export::STATEMENTS,
    usage_reports::STATEMENTS,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line of defence: every tenant statement names the tenant as parameter 1.
    #[test]
    fn every_tenant_statement_is_bound_to_parameter_one() {
        let mut names = std::collections::HashSet::new();
        for statement in TENANT_STATEMENTS.iter().flat_map(|list| list.iter()) {
            let sql = statement.sql;
            let gives_it = ["VALUES (?1,", "SELECT ?1,", "SELECT DISTINCT ?1,"].iter().any(|form| sql.contains(form));
            let inserts_it = sql.starts_with("INSERT") && sql.contains("(tenant_id,") && gives_it;
            assert!(inserts_it || sql.contains("tenant_id = ?1"), "{}: {sql}", statement.name);
            assert!(names.insert(statement.name), "{} twice", statement.name);
        }
        assert_eq!(directory::STATEMENTS.len(), 3, "a statement that crosses tenants needs its reason in the file");
    }
}
