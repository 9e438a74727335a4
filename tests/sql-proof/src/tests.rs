//! The statements, the mutants, and shapes that try to slip through.

use std::{collections::BTreeSet, fs};

use tollgate_platform::store::{CROSSING_STATEMENTS, Statement, TENANT_STATEMENTS};

use crate::{
    proof::{Leak, Proven, prove},
    schema::{Schema, foreign_keys_across_tenants, hidden_statements, migrated, prepare, root, schema},
};

/// Tables without a `tenant_id`, each with its reason.
const NOBODYS_TABLES: &[(&str, &str)] = &[
    ("job_runs", "what the platform itself did, for all tenants; nothing of a tenant is in it"),
    ("job_states", "where the platform's own jobs stand; nothing of a tenant is in it"),
    ("stripe_events", "stored before it is known whose event it is; holds ids of Stripe's and no data of a tenant"),
    ("sign_in_flows", "whoever begins a sign-in is nobody yet: the browser's secret is the key to the row"),
    ("trial_claims", "outlives the account whose trial it was; digests, which name nobody"),
];

/// The most parameters D1 binds: <https://developers.cloudflare.com/d1/platform/limits/>.
const MOST_PARAMETERS: usize = 100;

pub fn tenant_statements() -> impl Iterator<Item = &'static Statement> {
    TENANT_STATEMENTS.iter().flat_map(|list| list.iter())
}

/// The statements of `mutants/`, by file name.
pub fn mutants() -> Vec<(String, String)> {
    let mut found: Vec<_> = fs::read_dir(root().join("tests/sql-proof/mutants"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn every_tenant_statement_stays_within_its_tenant() {
    let mut database = migrated();
    let schema = schema(&database);
    let (mut names, mut uses, mut tables) = (BTreeSet::new(), 0, BTreeSet::new());
    let mut leaks = Vec::new();
    for Statement { name, sql } in tenant_statements() {
        assert!(names.insert(*name), "{name} twice");
        let prepared = prepare(&mut database, sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
        assert!(prepared.parameters <= MOST_PARAMETERS, "{name} has {} parameters", prepared.parameters);
        match prove(&schema, sql) {
            Ok(proven) => {
                // The second opinion: SQLite knows which tables it will touch.
                let touched: BTreeSet<_> =
                    prepared.tables.into_iter().filter(|table| schema.contains_key(table)).collect();
                assert_eq!(proven.tables, touched, "{name}: the proof and SQLite see different tables");
                uses += proven.uses;
                tables.extend(proven.tables);
            }
            Err(found) => leaks.extend(found.into_iter().map(|leak| format!("{name}: {leak}"))),
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    assert!(names.len() >= 24, "statements were lost: {}", names.len());
    eprintln!("SQL proof: {} statements, {uses} uses of {} tables, all bound to ?1", names.len(), tables.len());
}

#[test]
fn statements_that_cross_tenants_are_sound_sql_and_few() {
    let mut database = migrated();
    for Statement { name, sql } in CROSSING_STATEMENTS.iter().copied().flatten() {
        prepare(&mut database, sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
        assert!(name.starts_with("directory"), "{name}");
    }
    eprintln!(
        "SQL proof: {} statements cross tenants, each with its reason",
        CROSSING_STATEMENTS.iter().map(|list| list.len()).sum::<usize>()
    );
}

#[test]
fn every_table_has_a_tenant_or_a_reason_and_nothing_is_hidden_in_the_database() {
    let database = migrated();
    assert_eq!(hidden_statements(&database), [""; 0], "views and triggers are not proven");
    assert_eq!(foreign_keys_across_tenants(&database), [""; 0]);
    for (name, table) in schema(&database) {
        let reason = NOBODYS_TABLES.iter().find(|(table, _)| *table == name);
        assert_ne!(table.is_tenants(), reason.is_some(), "{name}: has a tenant_id, or a reason in NOBODYS_TABLES");
    }
}

#[test]
fn what_a_migration_could_hide_is_seen() {
    let database = migrated();
    database
        .execute_batch(
            "CREATE VIEW everybody AS SELECT * FROM users; \
             CREATE TABLE one (tenant_id TEXT, id TEXT, FOREIGN KEY (id) REFERENCES tenants (tenant_id) ON DELETE CASCADE); \
             CREATE TABLE two (tenant_id TEXT, id TEXT, FOREIGN KEY (tenant_id, id) REFERENCES users (tenant_id, user_id))",
        )
        .unwrap();
    assert_eq!(hidden_statements(&database), ["everybody"]);
    assert_eq!(foreign_keys_across_tenants(&database), ["0 of one"]);
}

#[test]
fn the_mutants_are_caught() {
    let mut database = migrated();
    let schema = schema(&database);
    let caught: Vec<_> = mutants()
        .into_iter()
        .map(|(name, sql)| {
            prepare(&mut database, &sql).unwrap_or_else(|error| panic!("{name} must be sound SQL: {error}"));
            (name, prove(&schema, &sql).unwrap_err())
        })
        .collect();
    let unbound = |alias: &str| vec![Leak::Unbound(alias.into())];
    assert_eq!(caught, [("join_that_leaks".into(), unbound("u")), ("without_the_tenant".into(), unbound("s"))]);
}

fn judged(sql: &str) -> Result<Proven, Vec<Leak>> {
    let mut database = migrated();
    let schema: Schema = schema(&database);
    prepare(&mut database, sql).unwrap_or_else(|error| panic!("not sound SQL: {error}\n{sql}"));
    prove(&schema, sql)
}

/// Sound SQL that must be refused.
fn refused(sql: &str) -> Vec<Leak> {
    judged(sql).expect_err(sql)
}

fn unbound(sql: &str, alias: &str) {
    assert_eq!(refused(sql), [Leak::Unbound(alias.into())], "{sql}");
}

fn collides(sql: &str) {
    assert!(matches!(refused(sql).as_slice(), [Leak::Collision(_)]), "{sql}");
}

fn gives_away(sql: &str) {
    assert!(matches!(refused(sql).as_slice(), [Leak::Given(_)]), "{sql}");
}

fn proven(sql: &str) {
    judged(sql).unwrap_or_else(|leaks| panic!("{leaks:?}: {sql}"));
}

#[test]
fn plain_statements_are_proven() {
    proven("SELECT name FROM users WHERE tenant_id = ?1");
    proven("SELECT name FROM users AS u WHERE (?1 = u.tenant_id AND (u.role = ?2 OR u.role = ?3))");
    proven("SELECT name FROM users WHERE USERS.Tenant_Id = ?1");
    proven("DELETE FROM sessions WHERE tenant_id = ?1 AND session_id = ?2 RETURNING user_id");
    proven("WITH mine AS (SELECT user_id FROM users WHERE tenant_id = ?1) SELECT user_id FROM mine");
    proven("SELECT count(*) FROM (SELECT 1 FROM users WHERE tenant_id = ?1) counted");
    proven(
        "UPDATE users SET name = s.user_agent FROM sessions s \
            WHERE users.tenant_id = ?1 AND s.tenant_id = ?1 AND s.user_id = users.user_id",
    );
    proven(
        "WITH mine AS (SELECT user_id FROM users WHERE tenant_id = ?1) \
            UPDATE sessions SET revoked_at = ?2 WHERE tenant_id = ?1 AND user_id IN (SELECT user_id FROM mine)",
    );
}

#[test]
fn an_or_does_not_bind() {
    unbound("SELECT name FROM users WHERE tenant_id = ?1 OR user_id = ?2", "users");
    unbound("SELECT name FROM users WHERE user_id = ?2 AND (tenant_id = ?1 OR role = 'owner')", "users");
    unbound("SELECT name FROM users WHERE tenant_id = ?1 AND user_id = ?2 OR role = 'owner'", "users");
}

#[test]
fn nor_do_other_ways_of_saying_it() {
    for condition in [
        "NOT tenant_id = ?1",
        "tenant_id <> ?1",
        "tenant_id >= ?1",
        "tenant_id LIKE ?1",
        "tenant_id = ?2",
        "tenant_id = '?1'",
        "tenant_id = tenant_id",
        "tenant_id = ?1 || ''",
        "tenant_id = (SELECT ?1)",
        "tenant_id IN (?1, ?2)",
        "(tenant_id = ?1) IS NOT NULL",
        "(tenant_id = ?1) = 0",
        "tenant_id = ?1 = 0",
        "tenant_id = ?1 BETWEEN 0 AND 1",
        "tenant_id = ?1 IS NOT NULL",
        "tenant_id = ?1 IN (0, 1)",
        "tenant_id = ?1 LIKE '%'",
        "0 < tenant_id = ?1",
        "CASE WHEN ?2 THEN tenant_id = ?1 ELSE 1 END",
        "coalesce(tenant_id = ?1, 1)",
        "iif(?2, tenant_id = ?1, 1)",
        "user_id BETWEEN (tenant_id = ?1) AND ?2",
        "lower(tenant_id) = ?1",
        "name = ?1",
        "?1 = ?1",
    ] {
        unbound(&format!("SELECT name FROM users WHERE {condition}"), "users");
    }
    unbound("SELECT name FROM users GROUP BY user_id HAVING tenant_id = ?1", "users");
    unbound("SELECT tenant_id = ?1 FROM users", "users");
    unbound("SELECT name FROM users ORDER BY tenant_id = ?1 LIMIT 1", "users");
}

#[test]
fn every_table_of_a_join_is_bound_by_itself() {
    unbound("SELECT 1 FROM users u JOIN sessions s ON s.tenant_id = u.tenant_id WHERE u.tenant_id = ?1", "s");
    unbound("SELECT 1 FROM users u, sessions s WHERE u.tenant_id = ?1 AND u.user_id = s.user_id", "s");
    unbound("SELECT 1 FROM users u JOIN sessions s USING (tenant_id) WHERE u.tenant_id = ?1", "s");
    unbound("SELECT 1 FROM users u CROSS JOIN sessions s WHERE s.tenant_id = ?1", "u");
    // The ON of a left join keeps every row of the left side.
    unbound("SELECT 1 FROM users u LEFT JOIN sessions s ON u.tenant_id = ?1 AND s.tenant_id = ?1", "u");
    // The WHERE is about the other table only.
    unbound("SELECT 1 FROM users u LEFT JOIN sessions s ON s.user_id = u.user_id WHERE u.tenant_id = ?1", "s");
    // Bound three times over, one of them another alias of the same table.
    unbound(
        "SELECT 1 FROM users a JOIN users b ON a.tenant_id = ?1 AND a.user_id = b.user_id WHERE a.tenant_id = ?1",
        "b",
    );
}

#[test]
fn joins_that_keep_what_on_refuses_are_not_understood() {
    for join in ["RIGHT JOIN", "FULL JOIN"] {
        let sql = format!("SELECT 1 FROM users u {join} sessions s ON s.tenant_id = ?1 WHERE u.tenant_id = ?1");
        assert!(refused(&sql).iter().any(|leak| matches!(leak, Leak::NotUnderstood(_))), "{sql}");
    }
}

#[test]
fn subqueries_are_scopes_of_their_own() {
    unbound(
        "SELECT (SELECT name FROM tenants t WHERE t.tenant_id = u.tenant_id) FROM users u WHERE u.tenant_id = ?1",
        "t",
    );
    unbound(
        "SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.user_id)",
        "s",
    );
    unbound("SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND u.user_id IN (SELECT user_id FROM sessions)", "sessions");
    unbound("SELECT 1 FROM users WHERE tenant_id = ?1 ORDER BY (SELECT count(*) FROM sessions)", "sessions");
    unbound("SELECT 1 FROM users WHERE tenant_id = ?1 LIMIT (SELECT count(*) FROM sessions)", "sessions");
    unbound("SELECT 1 FROM users WHERE tenant_id = ?1 GROUP BY role HAVING (SELECT 1 FROM sessions)", "sessions");
    unbound("SELECT 1 FROM (SELECT user_id FROM users) u WHERE ?1", "users");
    unbound("SELECT sum(1) FILTER (WHERE (SELECT 1 FROM sessions)) FROM users WHERE tenant_id = ?1", "sessions");
    unbound("SELECT 1 FROM json_each((SELECT user_id FROM users)) WHERE ?1", "users");
    // The inner alias is bound, the outer one of the same name is not.
    unbound("SELECT 1 FROM users u WHERE EXISTS (SELECT 1 FROM sessions u WHERE u.tenant_id = ?1)", "u");
    // The condition stands inside and is about the table outside.
    unbound(
        "SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND EXISTS (SELECT 1 FROM sessions s WHERE u.tenant_id = ?1)",
        "s",
    );
    unbound(
        "DELETE FROM sessions WHERE tenant_id = ?1 AND user_id IN (SELECT user_id FROM users WHERE role = ?2)",
        "users",
    );
    unbound("UPDATE users SET name = (SELECT name FROM tenants LIMIT 1) WHERE tenant_id = ?1", "tenants");
    unbound("DELETE FROM users WHERE tenant_id = ?1 RETURNING (SELECT name FROM tenants)", "tenants");
}

#[test]
fn both_sides_of_a_union_and_every_common_table_expression_are_bound() {
    unbound("SELECT name FROM users WHERE tenant_id = ?1 UNION ALL SELECT name FROM tenants", "tenants");
    unbound("SELECT user_id FROM users EXCEPT SELECT user_id FROM sessions WHERE tenant_id = ?1", "users");
    unbound("WITH every AS (SELECT * FROM users) SELECT name FROM every WHERE tenant_id = ?1", "users");
    unbound("WITH mine AS (SELECT * FROM users WHERE tenant_id = ?1) SELECT 1 FROM mine, sessions", "sessions");
    unbound(
        "WITH RECURSIVE walk AS (SELECT user_id FROM users WHERE tenant_id = ?1 \
         UNION SELECT s.user_id FROM walk JOIN sessions s ON s.user_id = walk.user_id) SELECT 1 FROM walk",
        "s",
    );
    unbound(
        "WITH gone AS (SELECT user_id FROM users WHERE tenant_id = ?1) DELETE FROM sessions \
         WHERE user_id IN (SELECT user_id FROM gone)",
        "sessions",
    );
}

#[test]
fn a_name_that_means_two_things_is_not_understood() {
    for sql in [
        "WITH users AS (SELECT * FROM sessions WHERE tenant_id = ?1) SELECT 1 FROM users",
        "SELECT 1 FROM main.users WHERE tenant_id = ?1",
        "SELECT 1 FROM sqlite_master WHERE ?1",
        "SELECT 1 FROM pragma_table_info('users') WHERE ?1",
        "SELECT name FROM users WHERE \"tenant_id\" = ?1",
        "SELECT name FROM users WHERE tenant_id = ?1 AND user_id = :user",
        "SELECT name FROM users WHERE tenant_id = ?1 -- AND user_id = ?2",
        "SELECT name FROM users /* all */ WHERE tenant_id = ?1",
        "WITH gone AS (SELECT user_id FROM sessions) SELECT 1 FROM users WHERE tenant_id = ?1 AND user_id IN gone",
        "SELECT 1 FROM (users u JOIN sessions s ON s.tenant_id = ?1) WHERE u.tenant_id = ?1",
        "DROP TABLE users",
        "CREATE VIEW everybody AS SELECT * FROM users",
        "PRAGMA table_info('users')",
    ] {
        assert!(refused(sql).iter().any(|leak| matches!(leak, Leak::NotUnderstood(_))), "{sql}");
    }
}

#[test]
fn updates_and_deletes_are_bound() {
    unbound("UPDATE users SET name = ?2 WHERE user_id = ?1", "users");
    unbound("UPDATE users SET name = ?1", "users");
    unbound("DELETE FROM sessions WHERE session_id = ?1", "sessions");
    unbound("DELETE FROM sessions", "sessions");
    unbound(
        "UPDATE users SET name = s.user_agent FROM sessions s WHERE users.tenant_id = ?1 AND s.user_id = users.user_id",
        "s",
    );
    unbound(
        "UPDATE users SET name = s.user_agent FROM sessions s WHERE s.tenant_id = ?1 AND s.user_id = users.user_id",
        "users",
    );
    gives_away("UPDATE users SET tenant_id = ?2 WHERE tenant_id = ?1");
    gives_away("UPDATE users SET (name, tenant_id) = (?2, ?3) WHERE tenant_id = ?1");
}

#[test]
fn what_is_inserted_belongs_to_the_tenant() {
    proven("INSERT INTO tenants (name, tenant_id, created_at) VALUES (?2, ?1, ?3)");
    proven("INSERT INTO usage_dirty_hours (tenant_id, hour) SELECT ?1, hour FROM usage_hourly WHERE tenant_id = ?1");
    gives_away("INSERT INTO tenants (tenant_id, name, created_at) VALUES (?2, ?1, ?3)");
    gives_away("INSERT INTO tenants (tenant_id, name, created_at) VALUES (?1, ?2, ?3), (?4, ?2, ?3)");
    gives_away("INSERT INTO tenants VALUES (?1, ?2, ?3)");
    gives_away(
        "INSERT INTO usage_dirty_hours (tenant_id, hour) SELECT tenant_id, hour FROM usage_hourly WHERE tenant_id = ?1",
    );
    gives_away("INSERT INTO usage_dirty_hours (tenant_id, hour) SELECT ?1, ?2 UNION SELECT ?3, ?4");
    gives_away("INSERT INTO usage_dirty_hours (hour, tenant_id) SELECT h.*, ?1 FROM (SELECT 1 AS hour) h");
    unbound("INSERT INTO usage_dirty_hours (tenant_id, hour) SELECT ?1, hour FROM usage_hourly", "usage_hourly");
    unbound("INSERT INTO tenants (tenant_id, name, created_at) VALUES (?1, (SELECT name FROM users), ?2)", "users");
}

#[test]
fn a_collision_stays_within_the_tenant() {
    let session = "INSERT INTO usage_dirty_hours (tenant_id, hour) VALUES (?1, ?2)";
    proven(&format!("{session} ON CONFLICT (tenant_id, hour) DO UPDATE SET hour = excluded.hour"));
    proven(&format!("{session} ON CONFLICT DO NOTHING"));
    proven("INSERT OR REPLACE INTO usage_dirty_hours (tenant_id, hour) VALUES (?1, ?2)");
    gives_away(&format!("{session} ON CONFLICT (tenant_id, hour) DO UPDATE SET tenant_id = ?3"));
    // An address belongs to one tenant of all: who registers it again must not become its owner.
    let identity = "INSERT INTO identities (tenant_id, email, user_id) VALUES (?1, ?2, ?3)";
    proven(&format!("{identity} ON CONFLICT (email) DO UPDATE SET user_id = ?3 WHERE identities.tenant_id = ?1"));
    collides(&format!("{identity} ON CONFLICT (email) DO UPDATE SET user_id = excluded.user_id"));
    collides(&format!("{identity} ON CONFLICT DO UPDATE SET user_id = excluded.user_id"));
    collides(&format!("{identity} ON CONFLICT (email) DO UPDATE SET user_id = ?3 WHERE excluded.tenant_id = ?1"));
    collides("INSERT OR REPLACE INTO identities (tenant_id, email, user_id) VALUES (?1, ?2, ?3)");
    collides("REPLACE INTO identities (tenant_id, email, user_id) VALUES (?1, ?2, ?3)");
    collides("UPDATE OR REPLACE identities SET email = ?2 WHERE tenant_id = ?1");
}
