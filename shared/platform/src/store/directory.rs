//! Statements that cross tenants, each with its reason. There is no other place for one.

use tollgate_domain::{account::Email, id::Shard};
use wasm_bindgen::JsValue;

use super::{
    accounts::AccountRow,
    database::{Database, Statement, StoreError},
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ACCOUNT_BY_EMAIL];

// A sign-in knows an address and nothing else: the directory on the first shard says whose it is.
const ACCOUNT_BY_EMAIL: Statement = Statement {
    name: "directory.account_by_email",
    sql: "SELECT i.tenant_id, i.user_id, u.password_hash \
          FROM identities i JOIN users u ON u.tenant_id = i.tenant_id AND u.user_id = i.user_id \
          WHERE i.email = ?1",
};

/// Whose address this is.
pub async fn account_by_email(scope: &Scope, email: &Email) -> Result<Option<AccountRow>, StoreError> {
    let database = Database::of(scope, Shard::FIRST)?;
    let rows = database.all(ACCOUNT_BY_EMAIL, &[JsValue::from_str(email.as_str())]).await?;
    Ok(rows.into_iter().next())
}
