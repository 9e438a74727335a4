//! What is kept about a user, against the real schema: every table and column is declared, an export shows what is declared, and
//! after a deletion no cell names the user any more.
//!
//! A database is filled with rows of three people who look alike: one who is alone in a tenant, two who are in a team. In every
//! column that can name somebody stands a mark of whose row it is.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params_from_iter, types::Value};
use tollgate_domain::deletion::Extent;
use tollgate_platform::store::{
    Statement,
    personal::{Of, Personal, Shown, TABLES, erasing},
};

use crate::schema::{Schema, Table, migrated, schema};

const ALONE: &str = "ten_alone";
const TEAM: &str = "ten_team";
const PSEUDONYM: &str = "usr_pseudonym";

/// A person: what could name them, in any column.
struct Person {
    tenant: &'static str,
    user: &'static str,
    email: &'static str,
}

const ADA: Person = Person { tenant: ALONE, user: "usr_ada", email: "ada@example.com" };
const BOB: Person = Person { tenant: TEAM, user: "usr_bob", email: "bob@example.com" };
const EVE: Person = Person { tenant: TEAM, user: "usr_eve", email: "eve@example.com" };

fn declared(table: &str) -> &'static Personal {
    TABLES.iter().find(|declared| declared.table == table).unwrap_or_else(|| {
        panic!("{table} is not declared in shared/platform/src/store/personal.rs: say what an export shows of it, and what a deletion does")
    })
}

/// A row of a person's. Whatever text a column holds, it says whose it is.
fn row(name: &str, table: &Table, person: &Person, number: usize) -> Vec<Value> {
    let cell = |column: &str, is_text: bool| match column {
        "tenant_id" => person.tenant.to_owned(),
        "user_id" | "invited_by" | "accepted_by" | "actor" => person.user.to_owned(),
        "email" | "recipient" => person.email.to_owned(),
        "owner" => format!("{}/{}/agent", person.tenant, person.user),
        // A tenant is named after who made it.
        "name" if name == "tenants" => person.email.to_owned(),
        "role" => "owner".to_owned(),
        "plan" => "trial".to_owned(),
        "body" if name == "audit" => {
            let (user, email) = (person.user, person.email);
            format!(
                r#"{{"actor":{{"kind":"user","id":"{user}"}},"target":{{"id":"{user}"}},"source":{{"ip":"of {email}"}}}}"#
            )
        }
        "hour" | "version" | "seq" | "at" => {
            (number * 3_600_000 + person.user.len() + usize::from(person.user.as_bytes()[4])).to_string()
        }
        _ if is_text => format!("{column} {number} of {}", person.email),
        _ => "1".to_owned(),
    };
    table.columns.iter().map(|column| Value::Text(cell(&column.name, column.is_text))).collect()
}

fn filled(schema: &Schema) -> Connection {
    let database = migrated();
    for (name, table) in schema.iter().filter(|(name, table)| *name != "deletions" && table.is_tenants()) {
        for person in [&ADA, &BOB, &EVE] {
            for number in 0..3 {
                let row = row(name, table, person, number);
                let places: Vec<_> = (1..=row.len()).map(|place| format!("?{place}")).collect();
                let sql = format!("INSERT OR IGNORE INTO {name} VALUES ({})", places.join(","));
                database.execute(&sql, params_from_iter(row)).unwrap();
            }
        }
    }
    database
}

fn run(database: &Connection, statement: &Statement, values: &[&str]) -> usize {
    database
        .execute(statement.sql, params_from_iter(values))
        .unwrap_or_else(|error| panic!("{}: {error}", statement.name))
}

/// What is done before the rows are removed: the address is forgotten.
fn forget_address(database: &Connection, person: &Person) {
    let find = |name: &str| crate::tests::tenant_statements().find(|found| found.name == name).unwrap();
    run(database, find("personal.forget_mails"), &[person.tenant, person.email]);
    run(database, find("personal.forget_invitations"), &[person.tenant, person.email]);
    run(database, find("personal.forget_name"), &[person.tenant, person.email, "Ada"]);
    database.execute("DELETE FROM identities WHERE email = ?1 AND user_id = ?2", [person.email, person.user]).unwrap();
}

fn erase(database: &Connection, person: &Person, extent: Extent) {
    forget_address(database, person);
    for (statement, takes) in erasing(extent) {
        let values = [person.tenant, person.user, PSEUDONYM];
        run(database, &statement, &values[..=takes]);
    }
}

/// Every cell, as `table.column`, with its text.
fn cells(database: &Connection, schema: &Schema) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, table) in schema {
        for column in &table.columns {
            let sql = format!("SELECT coalesce(CAST({} AS TEXT), '') FROM {name}", column.name);
            let mut statement = database.prepare(&sql).unwrap();
            let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            found.extend(texts.map(|text| (format!("{name}.{}", column.name), text.unwrap())));
        }
    }
    found
}

fn naming(database: &Connection, schema: &Schema, person: &Person) -> BTreeSet<String> {
    let names = |text: &str| text.contains(person.user) || text.contains(person.email);
    cells(database, schema).into_iter().filter(|(_, text)| names(text)).map(|(column, _)| column).collect()
}

fn rows_of(database: &Connection, schema: &Schema, tenant: &str) -> BTreeMap<String, Vec<String>> {
    let of = |name: &str, table: &Table| {
        let columns: Vec<_> = table.columns.iter().map(|column| format!("coalesce({}, '')", column.name)).collect();
        let sql =
            format!("SELECT {} AS line FROM {name} WHERE tenant_id = ?1 ORDER BY line", columns.join(" || '|' || "));
        let mut statement = database.prepare(&sql).unwrap();
        let lines = statement.query_map([tenant], |row| row.get::<_, String>(0)).unwrap();
        lines.map(Result::unwrap).collect()
    };
    let tenants = schema.iter().filter(|(_, table)| table.columns.iter().any(|column| column.name == "tenant_id"));
    tenants.map(|(name, table)| (name.clone(), of(name, table))).collect()
}

#[test]
fn every_table_and_column_is_declared() {
    let schema = schema(&migrated());
    for (name, table) in &schema {
        let declared = declared(name);
        let Shown::Rows { columns, withheld, .. } = declared.shown else {
            continue;
        };
        let withheld: Vec<_> = withheld.iter().inspect(|(_, why)| assert!(why.len() > 7, "{name}: why?")).collect();
        let known: BTreeSet<_> = columns.iter().copied().chain(withheld.iter().map(|(column, _)| *column)).collect();
        let real: BTreeSet<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(known, real, "{name}: every column is shown in an export or withheld for a reason");
    }
    for declared in TABLES {
        assert!(schema.contains_key(declared.table), "{} is no table any more", declared.table);
        let stays = declared.member.is_empty() || declared.tenant.is_none();
        assert!(!stays || declared.note.len() > 7, "{}: why do rows stay?", declared.table);
    }
    let secrets = ["password_hash", "refresh_hash", "token_hash", "hash", "tag_key", "successor", "previous_hash"];
    for declared in TABLES {
        if let Shown::Rows { columns, .. } = declared.shown {
            assert!(columns.iter().all(|column| !secrets.contains(column)), "{} shows a secret", declared.table);
        }
    }
}

#[test]
fn an_export_shows_what_is_declared_and_nobody_else() {
    let schema = schema(&migrated());
    let database = filled(&schema);
    for declared in TABLES {
        let Shown::Rows { statement, of, columns, .. } = declared.shown else { continue };
        let who = if of == Of::User { BOB.user } else { BOB.email };
        let (mut after, mut seen) = ((String::new(), -1_i64), Vec::new());
        // Two at a time: pages neither lose nor repeat a row.
        loop {
            let mut prepared = database.prepare(statement.sql).unwrap();
            let page = prepared.query_map(rusqlite::params![BOB.tenant, who, after.0, after.1, 2], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
            });
            let page: Vec<_> = page.unwrap().map(Result::unwrap).collect();
            seen.extend(page.iter().map(|(_, _, row)| row.clone()));
            let Some(last) = page.into_iter().nth(1) else { break };
            after = (last.0, last.1);
        }
        assert!(!seen.is_empty(), "{} shows nothing", declared.table);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "{}: twice", declared.table);
        for row in &seen {
            let members: BTreeMap<String, serde_json::Value> = serde_json::from_str(row).unwrap();
            assert_eq!(members.keys().map(String::as_str).collect::<BTreeSet<_>>(), columns.iter().copied().collect());
            // The team's own row is the same for all in it.
            let others = [ADA.user, ADA.email, EVE.user, EVE.email].iter().any(|name| row.contains(name));
            assert!(!others || declared.table == "tenants", "{}: {row}", declared.table);
        }
        let total = if of == Of::User { "user_id" } else { "recipient" };
        if schema[declared.table].columns.iter().any(|column| column.name == total) {
            let sql = format!("SELECT count(*) FROM {} WHERE tenant_id = ?1 AND {total} = ?2", declared.table);
            let count: i64 = database.query_row(&sql, [BOB.tenant, who], |row| row.get(0)).unwrap();
            assert_eq!(i64::try_from(seen.len()).unwrap(), count, "{}", declared.table);
        }
    }
}

#[test]
fn a_member_who_is_deleted_is_named_nowhere_but_in_the_team_s_log() {
    let schema = schema(&migrated());
    let database = filled(&schema);
    assert!(naming(&database, &schema, &BOB).len() > 30, "the filling names nobody");
    let [others, alone] = [naming(&database, &schema, &EVE), naming(&database, &schema, &ADA)];
    let amounts = |database: &Connection| -> (i64, i64, i64) {
        let sum = |table: &str| {
            let sql = format!("SELECT coalesce(sum(requests), 0) FROM {table} WHERE tenant_id = ?1");
            database.query_row(&sql, [TEAM], |row| row.get(0)).unwrap()
        };
        let teams = "SELECT count(*) FROM usage_events WHERE tenant_id = ?1";
        (sum("usage_events"), sum("usage_hourly"), database.query_row(teams, [TEAM], |row| row.get(0)).unwrap())
    };
    let before = amounts(&database);
    erase(&database, &BOB, Extent::Member);
    let left = naming(&database, &schema, &BOB);
    // What the user called a device or a key stands in columns that are gone; the log is kept, and names ids only in reality.
    let allowed: BTreeSet<_> =
        left.iter().filter(|column| column.starts_with("audit.") || is_filling(column)).cloned().collect();
    assert_eq!(left, allowed, "still named");
    assert_eq!(amounts(&database), before, "what the team is billed for stays");
    assert_eq!(naming(&database, &schema, &EVE), others, "the other member lost something");
    assert_eq!(naming(&database, &schema, &ADA), alone, "another tenant lost something");
}

/// Columns of rows that stay for the team's bill: names of models and requests. The filling writes whose they are into every text;
/// in reality they hold nothing of the user's.
fn is_filling(column: &str) -> bool {
    let Some((table, name)) = column.split_once('.') else { return false };
    match table {
        "usage_events" => {
            ["product", "reservation_id", "function", "provider", "model", "request_id", "outcome"].contains(&name)
        }
        "usage_hourly" => ["product", "provider", "model"].contains(&name),
        "usage_statements" => ["month", "body"].contains(&name),
        "quota_marks" => ["product", "meter"].contains(&name),
        "billing_states" => name != "user_id",
        _ => ABOUT_NOBODY.contains(&table),
    }
}

/// Tables whose rows say nothing about a member, and stay: each declares why.
const ABOUT_NOBODY: [&str; 10] = [
    "data_keys",
    "sign_in_flows",
    "single_sign_on",
    "sign_on_domains",
    "billing_customers",
    "billing_former_customers",
    "billing_changes",
    "billing_checkouts",
    "overage_periods",
    "stripe_events",
];

#[test]
fn a_tenant_that_is_deleted_leaves_no_row() {
    let schema = schema(&migrated());
    let database = filled(&schema);
    let team = rows_of(&database, &schema, TEAM);
    erase(&database, &ADA, Extent::Tenant);
    for (table, rows) in rows_of(&database, &schema, ALONE) {
        assert!(rows.is_empty(), "{table} still has {rows:?}");
    }
    let named = naming(&database, &schema, &ADA);
    assert!(named.iter().all(|column| is_filling(column)), "still named: {named:?}");
    assert_eq!(rows_of(&database, &schema, TEAM), team, "another tenant's rows changed");
}

/// The numbers in the proof are the rows that go.
#[test]
fn what_is_counted_is_what_is_removed() {
    let schema = schema(&migrated());
    let count = |database: &Connection, name: &str, person: &Person| -> BTreeMap<String, u64> {
        let statement = crate::tests::tenant_statements().find(|found| found.name == name).unwrap();
        let mut prepared = database.prepare(statement.sql).unwrap();
        let values = [person.tenant, person.user];
        let takes = prepared.parameter_count();
        let text: String = prepared.query_row(params_from_iter(&values[..takes]), |row| row.get(0)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let database = filled(&schema);
    let before = rows_of(&database, &schema, ALONE);
    let counted = count(&database, "personal.count_tenant", &ADA);
    for (table, number) in counted {
        assert_eq!(number, before[&table].len() as u64, "{table}");
    }
    let counted = count(&database, "personal.count_member", &BOB);
    assert!(counted.values().all(|number| *number > 0), "{counted:?}");
    erase(&database, &BOB, Extent::Member);
    let again = count(&database, "personal.count_member", &BOB);
    assert!(again.values().all(|number| *number == 0), "{again:?}");
    assert_eq!(again.keys().collect::<Vec<_>>(), counted.keys().collect::<Vec<_>>());
}

/// What a queue brings late of a user who is deleted leaves nothing; what it brings before is kept.
#[test]
fn what_comes_late_of_a_deleted_user_is_dropped() {
    let database = migrated();
    let find = |name: &str| crate::tests::tenant_statements().find(|found| found.name == name).unwrap();
    database.execute("INSERT INTO tenants VALUES (?1, 'Team', 0)", [TEAM]).unwrap();
    let deletion = "INSERT INTO deletions (tenant_id, deletion_id, subject, extent, state, removed, requested_at, verified, address, \
                    others, pseudonym) VALUES (?1, 'del_1', 'hash of bob', 'member', ?2, '{}', 1000, 0, 'address of bob', '', '')";
    database.execute(deletion, [TEAM, "emptied"]).unwrap();
    let events = r#"[{"seq":1,"at":1,"id":"r","requests":1,"tokens":1,"emails":0,"function":"","provider":"","model":"","prompt_tokens":0,
                      "completion_tokens":0,"estimated":0,"request_id":"","outcome":"","meter":"requests","percent":80,"used":8,"limit":10}]"#;
    let add = |subject: &str| {
        let events_added = run(&database, find("usage_export.add_events"), &[TEAM, BOB.user, "agent", events, subject]);
        let marks = [TEAM, "owner of bob", BOB.user, "agent", events, subject];
        let added = (events_added, run(&database, find("usage_export.add_marks"), &marks));
        database.execute_batch("DELETE FROM usage_events; DELETE FROM quota_marks").unwrap();
        added
    };
    assert_eq!(add("hash of bob"), (1, 1), "the deletion itself hands rows over before it removes them");
    for state in ["erased", "proven"] {
        database.execute("UPDATE deletions SET state = ?1", [state]).unwrap();
        assert_eq!((add("hash of bob"), add("hash of eve")), ((0, 0), (1, 1)), "{state}");
    }
    let mail = |tenant: &str, address: &str, since: &str| {
        let values = [tenant, since, "new_device", "x", "2000", "", address, since];
        run(&database, find("mails.asked"), &values)
    };
    assert_eq!(mail(TEAM, "address of bob", "999"), 0);
    assert_eq!(mail(TEAM, "address of bob", "1001"), 1, "ten minutes later the address may be somebody else's");
    assert_eq!(mail(TEAM, "address of eve", "998"), 1);
    assert_eq!(mail(ALONE, "address of eve", "997"), 0, "a tenant that is gone");
}
