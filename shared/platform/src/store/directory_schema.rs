//! Whether a database has the tables that this code needs.
//!
//! A database that answers is not ready yet: it may have no tables, or be half-way through its migrations, as it is at
//! each first start. Both `wrangler d1 migrations apply` and `npm start` write down in `d1_migrations` which files
//! were applied, each in one transaction with the file itself. So the newest file's name says that all are there.

use tollgate_domain::id::Shard;
use worker::Env;

use super::database::{binding, bound_shards, text_of};

/// The newest file of `d1-migrations`: a test compares it with the folder.
pub const NEWEST_MIGRATION: &str = "0023_provisional_trial_claims.sql";

/// `?1` is a migration's file name. The table belongs to the tool that migrates and has no tenants, so this is no
/// statement of a repository.
const APPLIED: &str = "SELECT name FROM d1_migrations WHERE name = ?1";

/// Why the first database that is not ready is not, by its binding's name; `None` when all are.
pub async fn unready_database(env: &Env) -> Option<String> {
    for shard in bound_shards(env) {
        if let Some(reason) = unready(env, shard).await {
            return Some(format!("the database {} {reason}", binding(shard)));
        }
    }
    None
}

async fn unready(env: &Env, shard: Shard) -> Option<String> {
    let waits = || Some(format!("waits for the migration {NEWEST_MIGRATION}"));
    match text_of(env, shard, APPLIED, NEWEST_MIGRATION).await {
        Ok(Some(_)) => None,
        Ok(None) => waits(),
        // Where nothing was ever migrated the table itself is missing.
        Err(error) if error.contains("no such table") => waits(),
        Err(error) => {
            crate::log::error("d1", &format!("{}: {error}", binding(shard)), None);
            Some("does not answer".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NEWEST_MIGRATION;

    #[test]
    fn the_newest_migration_is_the_last_file_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../d1-migrations");
        let newest = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| std::path::Path::new(name).extension().is_some_and(|ending| ending == "sql"))
            .max();
        assert_eq!(newest.as_deref(), Some(NEWEST_MIGRATION), "write the new file's name into this constant");
    }
}
