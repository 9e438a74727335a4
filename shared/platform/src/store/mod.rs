//! D1: tenant rows, and the statements that reach them.
//!
//! Handlers get rows through [`TenantDb`], which binds the caller's tenant as parameter 1 of every statement. No
//! function crate names a database binding. Statements are constants beside their repository; those that cannot
//! have a tenant yet (a sign-in knows only an address) are in the files `directory*`, each with its reason. `tests/sql-proof`
//! prepares, parses and runs each of them, and fails unless it stays within its tenant.

mod accounts;
mod api_keys;
mod audit;
pub mod billing;
mod configs;
mod data_keys;
mod database;
mod deletions;
pub mod directory;
pub mod directory_federation;
pub mod directory_jobs;
pub mod directory_mails;
pub mod directory_schema;
pub mod directory_stripe_events;
pub mod directory_trials;
mod first_proof;
pub mod idempotent_answers;
mod mail_tokens;
mod mails;
pub mod notifications;
pub mod overage;
mod passwords;
pub mod personal;
pub mod provider_identities;
mod second_factors;
mod sessions;
pub mod single_sign_on;
mod subscriptions;
pub mod teams;
mod usage_export;
pub mod usage_reports;
pub mod usage_statements;

pub use accounts::{AccountRow, NewAccount, ProfileRow, password_hash, profile, register, rename};
pub use api_keys::{
    ApiKeyRow, add_api_key, api_keys, find_api_key, own_api_key, replace_api_key, revoke_all_api_keys, revoke_api_key,
    session_stands, touch_api_key,
};
pub use audit::{AuditFilter, AuditRow, append_audit, audit_after, audit_head, audit_page};
pub use configs::{ConfigRow, config, put_config};
pub use data_keys::{add_data_key, data_keys};
pub use database::{Param, Statement, StoreError, TenantDb, shards};
pub use deletions::{
    Deletion, NewDeletion, advance_deletion, erase_rows, finish_deletion, follow_deletion, open_deletion,
    request_deletion,
};
pub use mail_tokens::{Holder, issue_mail_token, mail_token_holder, reset_password, verify_email};
pub use mails::{mail_asked, mail_replayed, mail_sent, mail_tried};
pub use passwords::{PasswordRow, change_password, password, renew_password_hash};
pub use second_factors::{
    SecondFactorRow, confirm_second_factor, drop_second_factor, enroll_second_factor, replace_recovery_codes,
    second_factor, use_second_factor,
};
pub use sessions::{
    ListedSession, NewSession, Rotation, SessionRow, end_session, is_new_device, listed_session, open_session,
    recent_sessions, rotate, session, sessions, users_products,
};
pub use subscriptions::{SubscriptionRow, products, restart_trial, subscription};
pub use usage_export::write_export;

/// Every statement that is bound to a tenant, by repository.
pub const TENANT_STATEMENTS: &[&[Statement]] = &[
    accounts::STATEMENTS,
    api_keys::STATEMENTS,
    audit::STATEMENTS,
    billing::STATEMENTS,
    data_keys::STATEMENTS,
    configs::STATEMENTS,
    idempotent_answers::STATEMENTS,
    first_proof::STATEMENTS,
    mail_tokens::STATEMENTS,
    mails::STATEMENTS,
    notifications::STATEMENTS,
    overage::STATEMENTS,
    passwords::STATEMENTS,
    second_factors::STATEMENTS,
    provider_identities::STATEMENTS,
    deletions::STATEMENTS,
    personal::STATEMENTS,
    sessions::STATEMENTS,
    single_sign_on::STATEMENTS,
    subscriptions::STATEMENTS,
    teams::STATEMENTS,
    usage_export::STATEMENTS,
    usage_reports::STATEMENTS,
    usage_statements::STATEMENTS,
];

/// Every statement that is not: each has its reason where it stands.
pub const CROSSING_STATEMENTS: &[&[Statement]] = &[
    directory::STATEMENTS,
    directory_federation::STATEMENTS,
    directory_jobs::STATEMENTS,
    directory_mails::STATEMENTS,
    directory_stripe_events::STATEMENTS,
    directory_trials::STATEMENTS,
];
